"""What a report format is."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from tracer_hooks.analysis.summary import RunReport


class Renderer(Protocol):
    """Turns a report into text. It prints nothing and opens no file.

    It may have two more attributes. `task_pages`: how many attempts the report should hold in full
    (`RunReport.detail`; default 0). `suffix`: what its files end in, such as `.html`, if its text
    is for another program to show: on a terminal it is then written to a file.
    """

    def render(self, report: RunReport, *, color: bool, width: int) -> str:
        """The whole text, ending in a line break.

        `color`: the reader is a terminal, so ANSI colours are welcome. `width`: its columns.
        Formats for files ignore both.
        """


@dataclass(frozen=True)
class LazyRenderer:
    """The `render` function of a module that is imported when it is first used."""

    module: str
    task_pages: int = 0
    suffix: str | None = None

    def render(self, report: RunReport, *, color: bool, width: int) -> str:
        renderer = cast("Renderer", import_module(self.module))
        return renderer.render(report, color=color, width=width)
