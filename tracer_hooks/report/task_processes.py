"""The processes of an attempt as a tree beside their lifetimes, and its tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.events import name_of
from tracer_hooks.report.layout import Cell, Column, Page
from tracer_hooks.report.process_tree import branches, most_telling
from tracer_hooks.report.text import fit
from tracer_hooks.report.units import UNKNOWN, count, duration, plural, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.task import TaskReport

    Row = Mapping[str, Any]

MAX_LINES = 40
MAX_TOOLS = 15
_NAME = 48
_REST_TOOLS = 4
_BYTES = ("disk_read_bytes", "disk_write_bytes", "network_rx_bytes", "network_tx_bytes")
_BYTES_TITLES = ("read", "written", "received", "sent")
# One process's life, and that of many one after the other or side by side.
_LIFE, _LIVES = "━", "┅"
_BAR = ((140, 40), (110, 28), (90, 20), (0, 14))  # from this width of the page, so many cells


def processes(page: Page, report: TaskReport) -> None:
    """The tree: what was started by what, when it lived, and what it used."""
    groups = records(report.processes)
    page.heading("Processes", "alike ones folded" if any(g["count"] > 1 for g in groups) else "")
    if not groups:
        page.line(("none was seen by name", "dim"))
        return
    cells = next(cells for width, cells in _BAR if page.width >= width)
    end = _end(report, groups)
    shown, rest = most_telling(groups, MAX_LINES)
    columns = [
        Column("", names=True, least=22), Column("pid", rank=3),
        Column(_axis(end, cells), rank=1), Column("began", rank=5), Column("lived"), Column("CPU"),
        Column("peak", rank=1), *(Column(title, rank=4) for title in _BYTES_TITLES),
        Column("", rank=2),
    ]  # fmt: skip
    page.table(
        columns,
        [_process(guide, group, report.attempt, end, cells) for guide, group in branches(shown)],
    )
    if rest:
        page.line((_summed(rest), "dim"))
    folded = [row for row in records(report.tools) if row["folded_count"]]
    if folded:
        what = _named((row["tool"], row["folded_count"]) for row in folded)
        page.line((f"and without a line of their own, counted in Tools: {what}", "dim"))


def _end(report: TaskReport, groups: list[dict[str, Any]]) -> float:
    """The length of the axis in seconds: the attempt's, or as far as anything is known."""
    wall, start = report.attempt["wall_s"], report.attempt["started_at"]
    ends = [g["ended_at"] or g["started_at"] for g in groups]
    known = [(at - start).total_seconds() for at in ends if at is not None and start is not None]
    return float(wall) if wall else max(known, default=0.0)


def _axis(end: float, cells: int) -> str:
    last = duration(end) if end else ""
    return "0" + last.rjust(cells - 1)


def _process(guide: str, group: Row, a: Row, end: float, cells: int) -> list[Cell]:
    name = Text(guide, style="dim").append(fit(group["tool"], _NAME), style="not dim")
    if group["forked"]:
        name.append(" worker", style="dim")
    if group["count"] > 1:
        name.append(f" \N{MULTIPLICATION SIGN}{count(group['count'])}", style="dim")
    began, ended, start = group["started_at"], group["ended_at"], a["started_at"]
    since = (began - start).total_seconds() if began is not None and start is not None else None
    over = group["alive_count"] == 0 and began is not None and ended is not None
    lived = (ended - began).total_seconds() if over else None
    return [
        name,
        str(group["pid"]) if group["count"] == 1 and group["pid"] is not None else "",
        _life(group, since, lived, end, cells),
        UNKNOWN if since is None else f"+{duration(max(0.0, since))}",
        duration(lived),
        duration(group["cpu_s"]),
        size(group["memory_peak_bytes"]),
        *(size(group[column]) for column in _BYTES),
        _bad_end(group),
    ]


def _life(group: Row, since: float | None, lived: float | None, end: float, cells: int) -> Text:
    """From start to end on the attempt's axis; to its end for what was never seen to end."""
    if since is None or not end:
        return Text(" " * cells)
    first = min(cells - 1, max(0, int(since / end * cells)))
    until = since + lived if lived is not None else end
    last = min(cells, max(first + 1, round(until / end * cells)))
    sign = _LIFE if group["count"] == 1 else _LIVES
    span = max(until - since, 1e-9) * group["count"]
    busy = group["cpu_s"] is not None and group["cpu_s"] >= 0.5 * span
    style = "red" if group["signal"] else "green" if busy else "bright_black"
    return Text(" " * first).append(sign * (last - first), style=style).append(" " * (cells - last))


def _bad_end(group: Row) -> Text:
    if group["signal"]:
        return Text(name_of(group["signal"]), style="red")
    return Text(f"exit {group['exit_code']}" if group["exit_code"] else "", style="red")


def _summed(rest: list[dict[str, Any]]) -> str:
    many = sum(group["count"] for group in rest)
    cpu = [group["cpu_s"] for group in rest if group["cpu_s"] is not None]
    text = f"and {plural(many, 'more process', 'more processes')}"
    text += f" with {duration(sum(cpu))} of CPU" if cpu else ""
    return f"{text}: {_named((group['tool'], group['count']) for group in rest)}"


def _named(counted: Any) -> str:
    """`gzip ×40, awk ×12 and 3 other tools`"""
    sums: dict[str, int] = {}
    for tool, many in counted:
        sums[tool] = sums.get(tool, 0) + many
    most = sorted(sums, key=lambda tool: -sums[tool])
    parts = [
        f"{fit(tool, 30)} \N{MULTIPLICATION SIGN}{count(sums[tool])}" for tool in most[:_REST_TOOLS]
    ]
    others = len(most) - len(parts)
    return ", ".join(parts) + (f" and {plural(others, 'other tool')}" if others else "")


def tools(page: Page, report: TaskReport) -> None:
    """What each program used, over all its processes; and what is no named process's."""
    rows = records(report.tools.head(MAX_TOOLS))
    if not rows:
        return
    page.heading("Tools")
    columns = [
        Column("", names=True, least=16), Column("ran"), Column("short", rank=3), Column("CPU"),
        Column("lifetimes", rank=2), Column("peak", rank=1), Column("read", rank=2),
        Column("written", rank=2),
    ]  # fmt: skip
    cells: list[list[Cell]] = [
        [
            fit(row["tool"], 60), count(row["count"]), count(row["short_count"]),
            duration(row["cpu_s"]), duration(row["wall_s"]), size(row["memory_peak_bytes"]),
            *(size(row[column]) for column in _BYTES[:2]),
        ]
        for row in rows
    ]  # fmt: skip
    nobody = report.attempt["cpu_unattributed_s"]
    if nobody and len(report.tools) == len(rows):
        text = Text("no named process", style="dim italic")
        cells.append([text, "", "", duration(nobody), "", "", "", ""])
    page.table(columns, cells)
    if len(report.tools) > len(rows):
        page.line((f"and {count(len(report.tools) - len(rows))} more", "dim"))
