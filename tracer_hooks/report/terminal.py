"""The report of a run as text, for a terminal or a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.brief import summary_lines
from tracer_hooks.report.headline import facts, lower_bound, outcome, title
from tracer_hooks.report.layout import GAP, INDENT, MIN_WIDTH, Column, Page, bar
from tracer_hooks.report.palette import PARTS, STATUS_STYLES
from tracer_hooks.report.provenance import how_we_know
from tracer_hooks.report.sentences import sentence
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
    whole_percent,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.summary import RunReport
    from tracer_hooks.report.layout import Cell

__all__ = ["render", "summary_lines"]

MAX_STEPS = 15
MAX_TASKS = 10
MAX_TOOLS = 12
MAX_FINDINGS = 10
_MAX_WIDTH = 140
_TILE_GAP = 3
_SHARE = 6
_TITLES = {"runnable": "ready", "network": "net"}


def render(report: RunReport, *, color: bool = False, width: int = 100) -> str:
    """The report; without `color` it holds no escape sequence, and no line exceeds `width`."""
    page = Page(max(MIN_WIDTH, min(width, _MAX_WIDTH)))
    _headline(page, report)
    if report.totals["count"]:
        _where_time_went(page, report)
        _steps(page, report)
        _tasks(page, report)
        _tools(page, report)
        _findings(page, report)
    _how_we_know(page, report)
    return page.render(color=color)


def _headline(page: Page, report: RunReport) -> None:
    status = report.run["status"]
    name, rest = title(report)
    page.line(
        (fit(name, page.width // 2), "bold"), *((f" · {part}", "") for part in rest),
        (" · " + (status or "status unknown"), STATUS_STYLES.get(status or "", "")), indent=0,
    )  # fmt: skip
    page.line((outcome(report), "dim"), indent=0)
    page.blank()
    _tiles(page, facts(report))


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


def _where_time_went(page: Page, report: RunReport) -> None:
    totals = report.totals
    page.heading("Where the time went", f"{duration(totals['wall_s'])} of wall time in tasks")
    steps = records(report.steps.head(MAX_STEPS))
    longest = steps[0]["wall_s"] or 0.0
    titles = [_TITLES.get(part.name, part.name) for part in PARTS]
    figures_width = (8 + GAP) + _SHARE * len(PARTS)
    name_width = min(max(len("step"), *(len(fit(s["step"], 28)) for s in steps)), 28)
    if page.width < 90:
        name_width = min(name_width, 18)
    bar_width = page.width - INDENT - name_width - GAP - figures_width - GAP
    page.line(
        Text(
            f"{'step':<{name_width}}{'':{GAP}}{'wall':>8}{'':{GAP}}{'':{bar_width}}"
            + "".join(f"{name:>{_SHARE}}" for name in titles),
            style="dim",
        )
    )
    for row in steps:
        filled = (row["wall_s"] or 0.0) / longest if longest else 0.0
        page.line(
            _padded(fit(row["step"], name_width), name_width),
            f"{'':{GAP}}{duration(row['wall_s']):>8}{'':{GAP}}",
            _wait_bar(row, bar_width, filled),
            _wait_shares(row),
        )
    rest = len(report.steps) - len(steps)
    if rest > 0:
        wall = report.steps["wall_s"].iloc[MAX_STEPS:].sum(min_count=1)
        page.line((f"and {count(rest)} more steps, {duration(_plain(wall))}", "dim"))
    if len(steps) > 1:
        page.line(
            _padded("all", name_width),
            f"{'':{GAP}}{duration(totals['wall_s']):>8}{'':{GAP}}",
            " " * bar_width,
            _wait_shares(totals),
        )
    page.line(*_legend())
    known = totals["wall_known_share"]
    if known is not None and known < 0.9995:
        page.line((f"Shares are of the {percent(known)} of wall time that is explained.", "dim"))


def _legend() -> list[Text]:
    pieces = []
    for part in PARTS:
        pieces.append(Text(part.sign * 2, style=part.style))
        pieces.append(Text(f" {part.title}   ", style="dim"))
    return pieces


def _wait_bar(row: Mapping[str, Any], width: int, filled: float) -> Text:
    if row["cpu_share"] is None:
        return Text("?".ljust(width), style="dim")
    return bar([(row[f"{p.name}_share"], p.sign, p.style) for p in PARTS], width, filled)


def _wait_shares(row: Mapping[str, Any]) -> Text:
    text = Text()
    for part in PARTS:
        share = row[f"{part.name}_share"]
        # What is nothing, or next to it, steps back.
        style = part.style if share is not None and share >= 0.1 else "dim"
        text.append(f"{whole_percent(share):>{_SHARE}}", style=style)
    return text


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
        ]
        for row in records(report.steps.head(MAX_STEPS))
    ]
    page.table(columns, rows)
    _more(page, len(report.steps) - len(rows), "step")


def _tasks(page: Page, report: RunReport) -> None:
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
            count(row["process_count"]),
        ]
        for row in records(report.by_task.head(MAX_TASKS))
    ]
    page.table(columns, rows)
    _more(page, len(report.by_task) - len(rows), "task")


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
    return [
        name,
        count(row["count"]),
        count(row["short_count"]),
        duration(row["cpu_s"]),
        percent(row["cpu_share"]),
        duration(row["wall_s"]),
        size(row["memory_peak_bytes"]),
        size(row["disk_read_bytes"]),
        size(row["disk_write_bytes"]),
    ]


def _findings(page: Page, report: RunReport) -> None:
    page.heading("What stands out")
    if not report.findings:
        page.paragraph("Nothing beyond the usual.", style="dim")
    for finding in report.findings[:MAX_FINDINGS]:
        subject, said = sentence(finding)
        page.paragraph(said, bold=subject, bullet="•")
    _more(page, len(report.findings) - MAX_FINDINGS, "finding")


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


def _padded(name: str, width: int) -> Text:
    text = Text(name)
    return text.append(" " * max(0, width - text.cell_len))


def _plain(value: Any) -> float | None:
    return None if value != value else float(value)
