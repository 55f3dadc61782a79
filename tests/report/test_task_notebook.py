"""One attempt as a notebook shows it."""

from __future__ import annotations

import html
import re

import pytest

from report.conftest import HOSTILE
from report.test_task_page import hostile_task
from tracer_hooks.analysis.task import TaskReport
from tracer_hooks.report import task
from tracer_hooks.report.task_notebook import TaskPage


def test_it_says_what_the_terminal_says(task_report: TaskReport) -> None:
    page = TaskPage.of(task_report)
    shown = html.unescape(re.sub(r"<[^>]+>", "", page._repr_html_()))
    said = task.render(task_report, color=False, width=110)
    assert [line.rstrip() for line in shown.splitlines()] == said.rstrip("\n").splitlines()
    assert str(page) == page.text() == task.render(task_report, color=False, width=100)
    assert repr(page) == "<TaskPage of task 't1', attempt 1: succeeded>"
    assert "font-weight:600" in page._repr_html_()


@pytest.mark.parametrize("name", HOSTILE[:8])
def test_hostile_names_stay_text(name: str) -> None:
    shown = TaskPage.of(hostile_task(name))._repr_html_()
    assert set(re.findall(r"<\s*/?\s*([a-z]+)", shown)) == {"pre", "span"}
    assert "\x1b" not in shown
