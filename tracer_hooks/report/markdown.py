"""The report for pull requests and notes: GitHub's Markdown, every name escaped."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records
from tracer_hooks.report import failures
from tracer_hooks.report.cost import cost_markdown
from tracer_hooks.report.headline import (
    lower_bound,
    processes,
)
from tracer_hooks.report.opening import opening
from tracer_hooks.report.palette import PARTS
from tracer_hooks.report.plain_tables import NAME_WIDTH, step_table, tool_table
from tracer_hooks.report.points import points
from tracer_hooks.report.provenance import how_we_know
from tracer_hooks.report.text import fit
from tracer_hooks.report.units import (
    cores,
    count,
    cpu_time,
    duration,
    percent,
    size,
    whole_percent,
)
from tracer_hooks.report.verdict_text import step_verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.analysis.summary import RunReport

MAX_STEPS = 25
MAX_TASKS = 10
MAX_TOOLS = 15
MAX_POINTS = 15
# What Markdown or GitHub would make something of: emphasis, code, links, tables, mathematics; an
# underscore within a word, :emoji:, an address; and at the start a list, a rule, a heading.
_SPECIAL = re.compile(
    r"[\\`*\[\]|~$#!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=[a-z]\w*:|//)|^[-+=>]|(?<=^\d)[.)](?=\s|$)"
)
# Two backticks side by side would begin another kind of code.
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def render(report: RunReport, *, color: bool = False, width: int = 0) -> str:  # noqa: ARG001 - protocol
    """Headings, tables and lists; no raw HTML of anybody's making."""
    begins = opening(report)
    lines = [
        f"## {escaped(begins.name)}: {escaped(begins.status)}", "", escaped(begins.subtitle), "",
        *_table([label for _, label in begins.facts], [[value for value, _ in begins.facts]],
                left=0),
        *(f"- {prose(line)}" for line in begins.said), "",
    ]  # fmt: skip
    if report.totals["count"]:
        lines += _findings(report)
        lines += _failures(report)
        lines += ["### Where the time went", "", *_waits(report)]
        lines += ["### Verdicts", "", *_verdicts(report)]
        lines += ["### Steps", "", *_steps(report)]
        lines += ["### Costliest tasks", "", *_tasks(report)]
        lines += ["### Tools", "", *_tools(report)]
        lines += cost_markdown(report, _table)
    lines += ["### How we know", "", *(f"- {prose(line)}" for line in how_we_know(report))]
    return "\n".join(lines) + "\n"


def _failures(report: RunReport) -> list[str]:
    groups = [cells for _, cells in failures.group_rows(report)]
    if not groups:
        return []
    table = _table(list(failures.TITLES), groups[: failures.MAX_GROUPS], left=2)
    said = [
        f"**{escaped(subject)}**: {escaped(text)}" for subject, text in failures.examples(report)
    ]
    said += [escaped(line) for line in failures.retry_lines(report)]
    return ["### What failed", "", *table, *(f"- {line}" for line in said), ""]


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: in a paragraph, a list, a heading or a table's cell."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], html.escape(text, quote=False))


def prose(text: str) -> str:
    """A sentence of ours as `escaped` has it, but what stands between `backticks` is code."""
    pieces = _CODE.split(text)
    return "".join(
        f"`{piece}`" if place % 2 else escaped(piece) for place, piece in enumerate(pieces)
    )


def _findings(report: RunReport) -> list[str]:
    lines, listed = ["### What stands out", ""], points(report)
    for point in listed[:MAX_POINTS]:
        fact = f"{f'**{escaped(point.subject)}**' if point.subject else ''}{escaped(point.said)}"
        lines.append(f"- {fact} {prose(point.advice)}")
    if not listed:
        lines.append("Nothing beyond the usual.")
    return [*lines, *_more(len(listed) - MAX_POINTS, "point"), ""]


def _waits(report: RunReport) -> list[str]:
    rows = [
        [fit(row["step"], NAME_WIDTH), duration(row["wall_s"]),
         *(whole_percent(row[f"{part.name}_share"]) for part in PARTS)]
        for row in records(report.steps.head(MAX_STEPS))
    ]  # fmt: skip
    totals = report.totals
    shares = [whole_percent(totals[f"{part.name}_share"]) for part in PARTS]
    rows.append(["all", duration(totals["wall_s"]), *shares])
    return _table(["step", "wall", *(part.title for part in PARTS)], rows)


def _verdicts(report: RunReport) -> list[str]:
    rows = [
        [fit(one.step, NAME_WIDTH), one.title, one.why, percent(one.confidence), percent(one.share)]
        for one in step_verdicts(report, MAX_STEPS)
    ]
    return _table(["step", "verdict", "because", "sure", "of its time"], rows, left=3)


def _steps(report: RunReport) -> list[str]:
    titles, rows, rest = step_table(report, MAX_STEPS, "wall", "wall_s")
    return _table(titles, rows, more=_more(rest, "step"))


def _tasks(report: RunReport) -> list[str]:
    rows = [
        [
            fit(row["task_name"] or row["task_id"], NAME_WIDTH), row["status"] or "unknown",
            duration(row["wall_s"]), lower_bound(row, cpu_time(row["cpu_s"])),
            cores(row["cores_mean"]), size(row["memory_peak_bytes"]), processes(row),
        ]
        for row in records(report.costliest)
    ]  # fmt: skip
    titles = ["task", "status", "wall", "CPU", "cores", "peak memory", "processes"]
    return _table(titles, rows, left=2, more=_more(report.totals["count"] - len(rows), "task"))


def _tools(report: RunReport) -> list[str]:
    titles, rows, rest = tool_table(report, MAX_TOOLS)
    named = [[name or "no named process", *cells] for name, *cells in rows]
    return _table(titles, named, more=_more(rest, "tool"))


def _table(
    titles: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    left: int = 1,
    more: Sequence[str] = (),
) -> list[str]:
    """A table whose first `left` columns are aligned left, the others right."""
    rule = [":--" if place < left else "--:" for place in range(len(titles))]
    body = [" | ".join(escaped(cell) for cell in row) for row in rows]
    return [f"| {line} |" for line in (" | ".join(titles), " | ".join(rule), *body)] + [
        *more, "",
    ]  # fmt: skip


def _more(rest: int, what: str) -> list[str]:
    return ["", f"and {count(rest)} more {what}{'s' if rest != 1 else ''}"] if rest > 0 else []
