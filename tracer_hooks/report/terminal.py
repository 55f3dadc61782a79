"""The report of a run as text, for a terminal or a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.cost import cost_section
from tracer_hooks.report.failures import what_failed
from tracer_hooks.report.headline import (
    NETWORK,
    leftover,
    lower_bound,
    network_of,
    networked,
    processes,
)
from tracer_hooks.report.layout import INDENT, MIN_WIDTH, Column, Page
from tracer_hooks.report.opening import opening
from tracer_hooks.report.palette import STATUS_STYLES
from tracer_hooks.report.points import points
from tracer_hooks.report.provenance import how_we_know
from tracer_hooks.report.text import fit
from tracer_hooks.report.units import (
    UNKNOWN,
    asked,
    cores,
    count,
    cpu_time,
    duration,
    number,
    percent,
    size,
)
from tracer_hooks.report.where import MAX_STEPS, where_time_went

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.summary import RunReport
    from tracer_hooks.report.layout import Cell

MAX_TOOLS = 12
MAX_POINTS = 8
_MAX_WIDTH = 140
_TILE_GAP = 3


def render(report: RunReport, *, color: bool = False, width: int = 100) -> str:
    """The report; without `color` it holds no escape sequence, and no line exceeds `width`."""
    page = Page(max(MIN_WIDTH, min(width, _MAX_WIDTH)))
    _headline(page, report)
    if report.totals["count"]:
        _findings(page, report)
        what_failed(page, report)
        where_time_went(page, report)
        _steps(page, report)
        _tasks(page, report)
        _tools(page, report)
        cost_section(page, report)
    _how_we_know(page, report)
    return page.render(color=color)


def _headline(page: Page, report: RunReport) -> None:
    begins = opening(report)
    page.line(
        (fit(begins.name, page.width // 2), "bold"),
        (f" · {begins.engine}" if begins.engine else "", ""),
        (" · " + begins.status, STATUS_STYLES.get(begins.status, "")), indent=0,
    )  # fmt: skip
    page.line((begins.outcome, "dim"), indent=0)
    page.blank()
    _tiles(page, begins.facts)
    if begins.said:
        page.heading("What held it back")
        for line in begins.said:
            page.paragraph(line)


def _tiles(page: Page, tiles: list[tuple[str, str]]) -> None:
    """Figures over their names, in as many rows as the page's width asks for."""
    while tiles:
        widths: list[int] = []
        used = INDENT
        for value, label in tiles:
            width = max(len(value), len(label))
            if widths and used + width > page.width:
                break
            widths.append(width)
            used += width + _TILE_GAP
        for place, style in ((0, "bold"), (1, "dim")):
            cells = [
                Text(tile[place].ljust(width), style=style)
                for tile, width in zip(tiles, widths, strict=False)
            ]
            page.line(Text(" " * _TILE_GAP).join(cells))
        tiles = tiles[len(widths) :]
        if tiles:
            page.blank()


def _steps(page: Page, report: RunReport) -> None:
    page.heading("Steps")
    retried = report.totals["attempt_count"] > report.totals["count"]
    columns = [
        Column("step", names=True, least=14),
        Column("tasks"),
        Column("tries", rank=1),
        Column("wall"),
        Column("longest", rank=3),
        Column("CPU"),
        Column("cores used", rank=1),
        Column("peak memory", rank=2),
        Column("read", rank=4),
        Column("written", rank=4),
        *(Column(title, rank=5) for title in NETWORK if networked(report)),
    ]
    rows: list[list[Cell]] = [
        [
            fit(row["step"], 60),
            _tasks_of(row),
            count(row["attempt_count"]) if retried else "",
            duration(row["wall_s"]),
            duration(row["wall_max_s"]),
            lower_bound(row, cpu_time(row["cpu_s"])),
            _of(cores(row["cores_mean"]), number(row["cpus_requested"])),
            _of(size(row["memory_peak_bytes"]), size(row["memory_requested_bytes"])),
            size(row["disk_read_bytes"]),
            size(row["disk_write_bytes"]),
            *(network_of(row) if networked(report) else []),
        ]
        for row in records(report.steps.head(MAX_STEPS))
    ]
    page.table(columns, rows)
    _more(page, len(report.steps) - len(rows), "step")


def _tasks(page: Page, report: RunReport) -> None:
    if report.totals["count"] == len(report.steps):
        return  # one task each: the table of steps has said it
    page.heading("Costliest tasks", "by CPU")
    columns = [
        Column("task", names=True, least=16),
        Column("step", rank=4, names=True, style="dim", least=8),
        Column("status", names=True, least=9),
        Column("wall"),
        Column("CPU"),
        Column("cores", rank=1),
        Column("peak", rank=1),
        Column("read", rank=3),
        Column("written", rank=3),
        *(Column(title, rank=5) for title in NETWORK if networked(report)),
        Column("processes", rank=2),
    ]
    rows: list[list[Cell]] = [
        [
            fit(row["task_name"] or row["task_id"], 80),
            fit(row["step"], 40),
            _status(row),
            duration(row["wall_s"]),
            lower_bound(row, cpu_time(row["cpu_s"])),
            cores(row["cores_mean"]),
            size(row["memory_peak_bytes"]),
            size(row["disk_read_bytes"]),
            size(row["disk_write_bytes"]),
            *(network_of(row) if networked(report) else []),
            processes(row),
        ]
        for row in records(report.costliest)
    ]
    page.table(columns, rows)
    _more(page, report.totals["count"] - len(rows), "task")


def _tools(page: Page, report: RunReport) -> None:
    named = report.tools[report.tools["kind"] == "tool"]
    rest = records(report.tools[report.tools["kind"] != "tool"])
    page.heading("Tools", "programs as they ran, wherever they were called from")
    columns = [
        Column("tool", names=True, least=16),
        Column("ran"),
        Column("short", rank=3),
        Column("CPU"),
        Column("share"),
        Column("lifetimes", rank=2),
        Column("peak", rank=1),
        Column("read", rank=4),
        Column("written", rank=4),
    ]
    shown = records(named.head(MAX_TOOLS))
    rows = [_tool_row(row, fit(row["tool"], 60)) for row in shown]
    rows += [_tool_row(row, Text("no named process", style="dim italic")) for row in rest]
    page.table(columns, rows)
    _more(page, len(named) - len(shown), "tool")


def _tool_row(row: Mapping[str, Any], name: str | Text) -> list[str | Text]:
    named = row["kind"] == "tool"
    cpu_s, share = (
        figure if named else leftover(figure) for figure in (row["cpu_s"], row["cpu_share"])
    )
    return [
        name,
        count(row["count"]),
        count(row["short_count"]),
        duration(cpu_s),
        percent(share),
        duration(row["wall_s"]),
        size(row["memory_peak_bytes"]),
        size(row["disk_read_bytes"]),
        size(row["disk_write_bytes"]),
    ]


def _findings(page: Page, report: RunReport) -> None:
    page.heading("What stands out")
    listed = points(report)
    if not listed:
        page.paragraph("Nothing beyond the usual.", style="dim")
    for point in listed[:MAX_POINTS]:
        page.paragraph(f"{point.said} {point.advice}", bold=point.subject, bullet="•")
    _more(page, len(listed) - MAX_POINTS, "point")


def _how_we_know(page: Page, report: RunReport) -> None:
    page.heading("How we know")
    for line in how_we_know(report):
        page.paragraph(line, style="dim")


def _tasks_of(row: Mapping[str, Any]) -> Text:
    text = Text(count(row["count"]))
    bad = row["failed_count"] + row["lost_count"]
    return text.append(f" ({count(bad)} failed)", style="bold red") if bad else text


def _status(row: Mapping[str, Any]) -> Text:
    status = row["status"] or "unknown"
    text = Text(status, style=STATUS_STYLES.get(status, ""))
    if row["attempt_count"] > 1:
        text.append(f" \N{MULTIPLICATION SIGN}{row['attempt_count']}", style="dim")
    return text


def _of(used: str, requested: str) -> str:
    """`1.04 of 4`; only what was used where nothing is known of a request."""
    return used if requested == UNKNOWN else f"{used} of {asked(requested)}"


def _more(page: Page, rest: int, what: str) -> None:
    if rest > 0:
        page.line((f"and {count(rest)} more {what}{'s' if rest != 1 else ''}", "dim"))
