"""The page of one attempt as an object that a notebook shows."""

from __future__ import annotations

from dataclasses import fields
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.text import Text

from tracer_hooks.analysis.task import TaskReport
from tracer_hooks.report import task

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 110
# Colours that read in light and dark themes alike; the rest is the notebook's own.
_CSS = {
    "bold": "font-weight:600", "dim": "opacity:.65", "italic": "font-style:italic",
    "green": "color:#2e9e5b", "yellow": "color:#b98900", "red": "color:#d1495b",
    "magenta": "color:#8e5bd0", "cyan": "color:#2b8aa8", "bright_black": "opacity:.5",
}  # fmt: skip


class TaskPage(TaskReport):
    """A `TaskReport` that renders itself: in a notebook, and as text."""

    @classmethod
    def of(cls, report: TaskReport) -> TaskPage:
        """The same report, with the methods below."""
        return cls(**{field.name: getattr(report, field.name) for field in fields(report)})

    def text(self, width: int = 100) -> str:
        """What `tracer-hooks show` prints, without colours."""
        return task.render(self, color=False, width=width)

    def __repr__(self) -> str:
        a = self.attempt
        return f"<TaskPage of task {a['task_id']!r}, attempt {a['attempt']}: {a['status']}>"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return render_html(self)


def render_html(report: TaskReport) -> str:
    """The page as preformatted HTML that runs nothing; every text is escaped."""
    lines = Text.from_ansi(task.render(report, color=True, width=_WIDTH)).split("\n")
    body = "\n".join("".join(_pieces(line)) for line in lines)
    return f'<pre class="th-task" style="line-height:1.25;overflow-x:auto">{body}</pre>'


def _pieces(line: Text) -> Iterator[str]:
    """The line in pieces of one style each."""
    borders = sorted({0, len(line), *(end for span in line.spans for end in span[:2])})
    for start, end in pairwise(borders):
        styles = [str(span.style) for span in line.spans if span.start <= start < span.end]
        css = ";".join(
            dict.fromkeys(_CSS[word] for style in styles for word in style.split() if word in _CSS)
        )
        text = escape(line.plain[start:end])
        yield f'<span style="{css}">{text}</span>' if css else text
