"""The report for pull requests: names do no harm to the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from tracer_hooks.report import markdown

if TYPE_CHECKING:
    from tracer_hooks.analysis.summary import RunReport


@pytest.mark.parametrize(
    "text",
    [
        "a|b", "`c`", "*d* _e_ __f__", "[g](http://h)", "<b>i</b>", "&amp;", "# j", "- k", "1. l",
        "\\", "a_b_c", "~~m~~", "![n](o)", "> p", "https://q.r", "+ s", "***",
    ],
)  # fmt: skip
def test_escaped_text_reads_as_it_was(text: str) -> None:
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(markdown.escaped(text))
    assert re.fullmatch(r"<p>(.*)</p>\n", rendered, re.DOTALL), rendered
    import html

    assert html.unescape(rendered[3:-5]) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Say `--x <Y> *z* $1|` now_", "Say <code>--x &lt;Y&gt; *z* $1|</code> now_"),
        ("`a` or `b`", "<code>a</code> or <code>b</code>"),
        ("\\`a`", "\\<code>a</code>"),
        *((odd, odd) for odd in ("a`b", "``c``", "`d``e`", "``")),
    ],
)
def test_what_is_to_be_typed_is_code(text: str, shown: str) -> None:
    assert MarkdownIt("gfm-like", {"linkify": False}).render(markdown.prose(text)) == (
        f"<p>{shown}</p>\n"
    )


def test_tables_keep_their_columns_whatever_the_names(any_report: RunReport) -> None:
    lines = markdown.render(any_report).splitlines()
    for place, line in enumerate(lines):
        if re.fullmatch(r"\|( :?-+:? \|)+", line):
            columns = line.count("|")
            for row in [lines[place - 1], *lines[place + 1 :]]:
                if not row.startswith("|"):
                    break
                assert len(re.findall(r"(?<!\\)\|", row)) == columns, row


def test_no_html_of_anybodys_making(hostile: RunReport) -> None:
    text = markdown.render(hostile)
    assert "<script" not in text
    assert "&lt;script" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_it_says_what_matters(report: RunReport) -> None:
    text = markdown.render(report)
    assert text.startswith("## rnaseq: succeeded\n")
    assert "- **align** asked for 4 cores and used 1.04 on average" in text
    assert "| no named process |" in text
