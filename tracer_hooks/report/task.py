"""One attempt of a task as text: what it asked and used, its processes, its course over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from rich.text import Text

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.course import LABEL, course
from tracer_hooks.report.events import (
    ELSEWHERE,
    delays,
    detail_of,
    ending,
    limits,
    name_of,
    sentence,
    unattributed_network,
)
from tracer_hooks.report.layout import INDENT, MIN_WIDTH, Cell, Column, Page, bar
from tracer_hooks.report.palette import PARTS, STATUS_STYLES
from tracer_hooks.report.process_tree import walk
from tracer_hooks.report.provenance import degraded_line, network_blind_spot
from tracer_hooks.report.text import clean, fit
from tracer_hooks.report.units import (
    UNKNOWN,
    asked,
    cores,
    count,
    duration,
    moment,
    number,
    percent,
    plural,
    size,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.task import TaskReport

Happened: TypeAlias = "list[tuple[str, Mapping[str, Any]]]"

MAX_LINES = 40
MAX_TOOLS = 15
MAX_EVENTS = 15
_MAX_WIDTH = 140
_MAX_DEPTH = 12
_BYTES = ("disk_read_bytes", "disk_write_bytes", "network_rx_bytes", "network_tx_bytes")
_BYTES_TITLES = ("read", "written", "received", "sent")
_CAUSES = {"oom": "out of memory", "timeout": "out of time", "unknown": "cause unknown"}


def render(report: TaskReport, *, color: bool = False, width: int = 100) -> str:
    """The page of one attempt; without `color` it holds no escape sequence."""
    page = Page(max(MIN_WIDTH, min(width, _MAX_WIDTH)))
    happened = [(row["kind"] or "", detail_of(row)) for row in records(report.events)]
    _head(page, report, happened)
    _use(page, report.attempt, happened)
    _waits(page, report.attempt, happened)
    course(page, report.timeline)
    _processes(page, report)
    _tools(page, report)
    _events(page, report)
    _how_we_know(page, report.attempt, happened)
    return page.render(color=color)


def _head(page: Page, report: TaskReport, happened: Happened) -> None:
    a, tries = report.attempt, len(report.attempts)
    name = a["task_name"] or a["task_id"]
    page.line(
        (fit(name, page.width * 3 // 5), "bold"),
        (f" · {_ended(a)}", STATUS_STYLES.get(a["status"] or "", "")),
        (f" · attempt {a['attempt']} of {tries}" if tries > 1 else "", "dim"),
        indent=0,
    )
    page.blank()
    facts = {
        "task": a["task_id"] if a["task_id"] != name else None,
        "step": a["step"],
        "sample": a["sample"],
        "tags": ", ".join(f"{key}={value}" for key, value in (a["tags"] or {}).items()),
        "run": " · ".join(clean(a[key]) for key in ("run_id", "pipeline", "engine") if a[key]),
        "started": _started(a),
        "container": a["container_image"],
        "folder": a["workdir"],
        "command": a["command"],
    }
    for label, value in facts.items():
        if value:
            shown = fit(value, page.width - INDENT - LABEL)
            page.line((label.ljust(LABEL), "dim"), shown)
    evidence = ending(a, happened)
    if evidence:
        page.heading("How it ended")
        for line in evidence:
            page.paragraph(line)


def _ended(a: Mapping[str, Any]) -> str:
    text = a["status"] or "status unknown"
    if a["wall_s"] is not None:
        text += f" after {duration(a['wall_s'])}"
    cause = a["failure_cause"]
    if cause and cause not in ("exit_code", "signal", "cancelled"):
        text += f", {_CAUSES.get(cause) or clean(cause)}"
    if a["signal"] is not None:
        text += f", {name_of(a['signal'])}"
    elif a["exit_code"]:
        text += f", exit status {a['exit_code']}"
    return text


def _started(a: Mapping[str, Any]) -> str | None:
    if a["started_at"] is None:
        return None
    text = moment(a["started_at"]) + (f" on {clean(a['host'])}" if a["host"] else "")
    if a["submitted_at"] is not None:
        waited = (a["started_at"] - a["submitted_at"]).total_seconds()
        text += f", {duration(max(0.0, waited))} after it was submitted"
    return text


def _use(page: Page, a: Mapping[str, Any], happened: Happened) -> None:
    page.heading("Asked for and used")
    note = f"{duration(a['cpu_s'])} of CPU time"
    if a["cpu_unattributed_s"] and a["cpu_s"]:
        note += f", {percent(a['cpu_unattributed_s'] / a['cpu_s'])} of no named process"
    source = f" ({clean(a['memory_source'])})" if a["memory_source"] else ""
    blind = network_blind_spot(a["network_source"] or "")
    allowed = limits(next((detail for kind, detail in happened if kind == "limit"), {}))
    estimated = a["process_count_source"] in (None, "estimated")
    most = "at most " if estimated and a["process_count"] is not None else ""
    figures = (
        ("cores", asked(number(a["cpus_requested"])), cores(a["cores_mean"]), note),
        ("memory", asked(size(a["memory_requested_bytes"])), size(a["memory_peak_bytes"]),
         f"peak, all processes at one moment{source}"),
        ("time", asked(duration(a["time_requested_s"])), duration(a["wall_s"]), ""),
        ("read", UNKNOWN, size(a["disk_read_bytes"]), _with_cache(a["io_read_chars"])),
        ("written", UNKNOWN, size(a["disk_write_bytes"]), _with_cache(a["io_write_chars"])),
        ("received", UNKNOWN, size(a["network_rx_bytes"]), blind),
        ("sent", UNKNOWN, size(a["network_tx_bytes"]), ""),
        ("processes", UNKNOWN, most + count(a["process_count"]), _short(a, most)),
    )  # fmt: skip
    rows: list[list[Cell]] = [
        [Text(name, style="dim"), request if request != UNKNOWN else "", allowed.get(name, ""),
         used, Text(said, "dim")]
        for name, request, used, said in figures
        if request != UNKNOWN or used != UNKNOWN
    ]  # fmt: skip
    columns = [
        Column("", names=True, least=9), Column("asked"), Column("allowed", rank=1),
        Column("used"),
        Column("", names=True, least=10),
    ]  # fmt: skip
    page.table(columns, rows)


def _with_cache(chars: int | None) -> str:
    return "" if chars is None else f"{size(chars)} with the page cache"


def _short(a: Mapping[str, Any], most: str) -> str:
    short = a["short_process_count"]
    text = "" if short is None else f"{most}{count(short)} shorter than one polling interval"
    # What is no count is said so already.
    source = "" if most else a["process_count_source"]
    return text + (f" ({clean(source)})" if source else "")


def _waits(page: Page, a: Mapping[str, Any], happened: Happened) -> None:
    parts = [(a[f"wall_{part.name}_s"], part) for part in PARTS]
    page.heading("Where the wall time went")
    known = [seconds for seconds, _ in parts if seconds is not None]
    whole = sum(known)
    if len(known) < len(parts) or not whole:
        page.line(("not measured", "dim"))
        return
    shares = [(seconds / whole, part.sign, part.style) for seconds, part in parts]
    page.line(bar(shares, page.width - INDENT))
    for seconds, part in parts:
        page.line(
            (part.sign * 2, part.style),
            f" {part.title:<26}{duration(seconds):>9}{percent(seconds / whole):>8}",
        )
    for kind, detail in happened:
        if kind == "delays" and (text := delays(detail)):
            page.paragraph(text, style="dim")


def _processes(page: Page, report: TaskReport) -> None:
    groups = records(report.processes)
    page.heading("Processes", "alike ones folded" if any(g["count"] > 1 for g in groups) else "")
    if not groups:
        page.line(("none was seen by name", "dim"))
        return
    columns = [
        Column("", names=True, least=24), Column("pid", rank=3), Column("began", rank=1),
        Column("lived"), Column("CPU"), Column("peak", rank=1),
        *(Column(title, rank=2) for title in _BYTES_TITLES), Column("", rank=1),
    ]  # fmt: skip
    rows: list[list[Cell]] = []
    for depth, group in walk(groups):
        if len(rows) == MAX_LINES:
            break
        rows.append(_process(depth, group, report.attempt))
    page.table(columns, rows)
    rest = sum(group["count"] for group in groups) - sum(
        group["count"] for (_, group), _ in zip(walk(groups), rows, strict=False)
    )
    if rest > 0:
        page.line((f"and {plural(rest, 'more process', 'more processes')}", "dim"))


def _process(depth: int, group: Mapping[str, Any], a: Mapping[str, Any]) -> list[Cell]:
    name = Text("  " * min(depth, _MAX_DEPTH) + fit(group["tool"], 48))
    if group["forked"]:
        name.append(" worker", style="dim")
    if group["count"] > 1:
        name.append(f" \N{MULTIPLICATION SIGN}{count(group['count'])}", style="dim")
    began, ended, start = group["started_at"], group["ended_at"], a["started_at"]
    since = (began - start).total_seconds() if began is not None and start is not None else None
    over = group["alive_count"] == 0 and began is not None and ended is not None
    return [
        name,
        str(group["pid"]) if group["count"] == 1 and group["pid"] is not None else "",
        UNKNOWN if since is None else f"+{duration(max(0.0, since))}",
        duration((ended - began).total_seconds()) if over else UNKNOWN,
        duration(group["cpu_s"]),
        size(group["memory_peak_bytes"]),
        *(size(group[column]) for column in _BYTES),
        _bad_end(group),
    ]


def _bad_end(group: Mapping[str, Any]) -> Text:
    if group["signal"]:
        return Text(name_of(group["signal"]), style="red")
    return Text(f"exit {group['exit_code']}" if group["exit_code"] else "", style="red")


def _tools(page: Page, report: TaskReport) -> None:
    tools = records(report.tools.head(MAX_TOOLS))
    if not tools:
        return
    page.heading("Tools")
    columns = [
        Column("", names=True, least=16), Column("ran"), Column("short", rank=3), Column("CPU"),
        Column("lifetimes", rank=2), Column("peak", rank=1), Column("read", rank=2),
        Column("written", rank=2),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [
            fit(row["tool"], 60), count(row["count"]), count(row["short_count"]),
            duration(row["cpu_s"]), duration(row["wall_s"]), size(row["memory_peak_bytes"]),
            *(size(row[column]) for column in _BYTES[:2]),
        ]
        for row in tools
    ]  # fmt: skip
    page.table(columns, rows)
    if len(report.tools) > len(tools):
        page.line((f"and {count(len(report.tools) - len(tools))} more", "dim"))


def _events(page: Page, report: TaskReport) -> None:
    events = [row for row in records(report.events) if row["kind"] not in ELSEWHERE]
    if not events:
        return
    page.heading("Events")
    start = report.attempt["started_at"]
    for row in events[:MAX_EVENTS]:
        known = row["at"] is not None and start is not None
        since = (row["at"] - start).total_seconds() if known else None
        when = UNKNOWN if since is None else f"+{duration(max(0.0, since))}"
        said = sentence(row["kind"], detail_of(row))
        page.line(f"{when:>9}  ", (clean(row["kind"]), "bold"), "  ", said)
    if len(events) > MAX_EVENTS:
        page.line((f"and {count(len(events) - MAX_EVENTS)} more", "dim"))


def _how_we_know(page: Page, a: Mapping[str, Any], happened: Happened) -> None:
    page.heading("How we know")
    seen = f"Seen by {clean(a['capture'])}" if a["capture"] else "How it was seen is unknown"
    text = f"{seen}; {plural(a['reading_count'], 'reading')}"
    text += f"; network by {clean(a['network_source'])}" if a["network_source"] else ""
    if a["events_lost"]:
        text += f"; {plural(a['events_lost'], 'kernel event')} lost"
    text += f". Observing cost {duration(a['observer_cpu_s'])} of CPU"
    text += f" and {size(a['observer_memory_bytes'])} of memory."
    page.paragraph(text, style="dim")
    for kind, detail in happened:
        if kind == "network_unattributed" and (text := unattributed_network(detail)):
            page.paragraph(text, style="dim")
    refused = [detail for kind, detail in happened if kind == "degraded"]
    lines = dict.fromkeys(degraded_line(_text(d.get("what")), _text(d.get("why"))) for d in refused)
    for line in list(lines)[:MAX_EVENTS]:
        page.paragraph(line, style="dim")
    if a["status"] in ("running", "lost"):
        page.paragraph(
            f"The task is {a['status']}: the figures go up to the last that was written."
        )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
