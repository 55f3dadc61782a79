"""The comparison for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.report.comparison.cells import (
    METHOD,
    TITLES,
    counted,
    differences,
    sides,
    step_rows,
    task_rows,
    verdict,
    whole_rows,
)
from tracer_hooks.report.layout import MIN_WIDTH, Column, Page

if TYPE_CHECKING:
    from tracer_hooks.report.comparison.cells import Compared


def render(compared: Compared, *, color: bool, width: int) -> str:
    """The runs, their steps, the tasks that changed most, what else differs, the limits."""
    comparison = compared.comparison
    page = Page(max(width, MIN_WIDTH))
    for line in sides(comparison):
        page.line(line, indent=0)
    page.heading("Runs")
    page.table(_columns(), whole_rows(comparison))
    page.heading("Steps")
    page.table([Column("step", names=True), *_columns()], step_rows(comparison))
    rows, known = task_rows(comparison)
    if rows:
        page.heading("Tasks that changed", counted(known, len(rows)))
        page.table([Column("task", names=True), *_columns()], rows)
    lines = differences(comparison)
    if lines:
        page.heading("What else differs")
        for line in lines:
            page.paragraph(line, bullet="•")
    page.blank()
    page.paragraph(METHOD, style="dim")
    lines = verdict(compared)
    if lines:
        page.heading("Limits")
        for line in lines:
            page.paragraph(line, bullet="•", style="red" if compared.excesses else "green")
    return page.render(color=color)


def _columns() -> list[Column]:
    measure, *figures, said = TITLES
    return [
        Column(measure, names=True, least=6),
        *(Column(title, rank=1 if "interval" in title else 0) for title in figures),
        Column(said, names=True, least=7),
    ]
