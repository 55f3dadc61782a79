"""The comparison for a pull request: GitHub's Markdown, every name escaped."""

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
from tracer_hooks.report.markdown import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.report.comparison.cells import Compared

MAX_STEPS = 100


def render(compared: Compared, *, color: bool = False, width: int = 0) -> str:  # noqa: ARG001 - protocol
    """Limits first, since that is what a reviewer asks; then tables."""
    comparison = compared.comparison
    lines = [f"## Comparison of {escaped(' with '.join(sides(comparison)))}", ""]
    limits = verdict(compared)
    if limits:
        sign = "**Over the limits**" if compared.excesses else "**Within the limits**"
        lines += [sign, "", *(f"- {escaped(line)}" for line in limits), ""]
    lines += _table(TITLES, whole_rows(comparison), left=1)
    lines += [
        "### Steps",
        "",
        *_table(("step", *TITLES), step_rows(comparison)[:MAX_STEPS], left=2),
    ]
    rows, known = task_rows(comparison)
    if rows:
        lines += ["### Tasks that changed", "", *_table(("task", *TITLES), rows, left=2)]
        more = counted(known, len(rows))
        lines += [more, ""] if more else []
    others = differences(comparison)
    if others:
        lines += ["### What else differs", "", *(f"- {escaped(line)}" for line in others), ""]
    return "\n".join([*lines, escaped(METHOD)]) + "\n"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    last = len(titles) - 1
    rule = [":--" if place < left or place == last else "--:" for place in range(len(titles))]
    body = [" | ".join(escaped(cell) or " " for cell in row) for row in rows]
    return [f"| {line} |" for line in (" | ".join(titles), " | ".join(rule), *body)] + [""]
