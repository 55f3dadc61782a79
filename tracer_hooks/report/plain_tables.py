"""Tables that Markdown and a notebook show alike, as titles and rows of plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.headline import NETWORK, leftover, lower_bound, network_of, networked
from tracer_hooks.report.text import fit
from tracer_hooks.report.units import asked, cores, count, cpu_time, duration, number, percent, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.summary import RunReport

NAME_WIDTH = 80
TOOL_TITLES = ("tool", "ran", "CPU", "share", "peak memory")


class Table(NamedTuple):
    """`rest`: how many rows more there are."""

    titles: tuple[str, ...]
    rows: list[list[str]]
    rest: int


def step_table(report: RunReport, most: int, wall: str, column: str) -> Table:
    """The first `most` steps. `wall` is the title of the column of wall times, `column` where they
    are in `steps`: all tasks' together, or the longest's."""
    network = networked(report)
    shown = report.steps.head(most)
    rows = [
        [
            fit(row["step"], NAME_WIDTH), count(row["count"]), count(row["attempt_count"]),
            duration(row[column]), lower_bound(row, cpu_time(row["cpu_s"])),
            cores(row["cores_mean"]), asked(number(row["cpus_requested"])),
            size(row["memory_peak_bytes"]), asked(size(row["memory_requested_bytes"])),
            size(row["disk_read_bytes"]), size(row["disk_write_bytes"]),
            *(network_of(row) if network else []),
        ]
        for row in records(shown)
    ]  # fmt: skip
    titles = (
        "step", "tasks", "attempts", wall, "CPU", "cores used", "cores asked", "peak memory",
        "memory asked", "read", "written", *(NETWORK if network else ()),
    )  # fmt: skip
    return Table(titles, rows, len(report.steps) - len(shown))


def tool_table(report: RunReport, most: int) -> Table:
    """The first `most` tools, and all that no named process accounts for (its name is empty)."""
    named = report.tools[report.tools["kind"] == "tool"]
    rest = report.tools[report.tools["kind"] != "tool"]
    shown = [*records(named.head(most)), *records(rest)]
    return Table(TOOL_TITLES, [_tool(row) for row in shown], max(0, len(named) - most))


def _tool(row: Mapping[str, Any]) -> list[str]:
    return [
        fit(row["tool"], NAME_WIDTH) if row["kind"] == "tool" else "",
        count(row["count"]), duration(leftover(row["cpu_s"])), percent(leftover(row["cpu_share"])),
        size(row["memory_peak_bytes"]),
    ]  # fmt: skip
