"""The report as an object: in a notebook, and as every other format."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from analysis.synthetic import RUN, sequencing_run

from tracer_hooks.report import terminal
from tracer_hooks.report.notebook import Report

if TYPE_CHECKING:
    from tracer_hooks.analysis.summary import RunReport

VOID = {"br", "hr", "img", "input", "meta", "link"}


class Checker(HTMLParser):
    """Tags must close in order, and nothing may run or load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_it_is_sound_html_that_runs_nothing(any_report: RunReport) -> None:
    checker = Checker()
    checker.feed(Report.of(any_report)._repr_html_())
    checker.close()
    assert checker.open == []
    assert checker.tags <= {
        "div", "style", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td", "span", "i", "b",
        "em", "ul", "li",
    }  # fmt: skip


def test_names_are_text(hostile: RunReport) -> None:
    checker = Checker()
    html = Report.of(hostile)._repr_html_()
    checker.feed(html)
    assert "<script>alert(1)</script>" not in html
    assert any("<script>alert(1)</script>" in text for text in checker.text)


def test_it_turns_into_every_format() -> None:
    report = Report.of_run(sequencing_run(2), RUN)
    assert report.text() == str(report) == terminal.render(report, color=False, width=100)
    assert json.loads(report.to_json())["run"]["run_id"] == RUN
    assert report.markdown().startswith("## rnaseq")
    assert re.fullmatch(r"<Report of run '.*': 10 tasks, succeeded>", repr(report))
    assert report.tasks.equals(Report.of(report).tasks)
