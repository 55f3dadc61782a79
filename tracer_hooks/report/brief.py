"""A run in about ten plain lines, for an engine to print when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.headline import busy, ended, lower_bound, network_of, networked
from tracer_hooks.report.sentences import plain
from tracer_hooks.report.text import fit
from tracer_hooks.report.units import (
    cores,
    count,
    cpu_time,
    duration,
    percent,
    plural,
    size,
    whole_percent,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.summary import RunReport

_STEPS = 3
_TOOLS = 3
_FINDINGS = 4
# Said in the line on where the time went.
_SAID = "waited_for_core"
_WIDTH = 110
_NAME = 28


def summary_lines(report: RunReport) -> list[str]:
    """About ten lines of plain text, none longer than 110 cells, without line breaks."""
    totals = report.totals
    if not totals["count"]:
        return [f"tracer-hooks: run {fit(report.run['run_id'], 60)} has no task on record."]
    tasks = f"{plural(totals['count'], 'task')} ({ended(totals)})"
    lines = [
        f"tracer-hooks: {tasks} in {duration(report.run['wall_s'])}",
        _line("CPU", lower_bound(totals, cpu_time(totals["cpu_s"])) + _cores_busy(report)),
        _line("memory, disk", f"{_peak(report)}; {_moved(report)}"),
        _line("time in tasks", f"{duration(totals['wall_s'])}: {_waits(totals)}"),
        _line("longest steps", _named(records(report.steps.head(_STEPS)), "step", "wall_s")),
        _line("busiest tools", _tools(report)),
    ]
    told = [finding for finding in report.findings if finding.kind != _SAID]
    for place, finding in enumerate(told[:_FINDINGS]):
        lines.append(_line("stands out" if place == 0 else "", plain(finding)))
    return [fit(line, _WIDTH) if len(line) > _WIDTH else line for line in lines if line]


def _line(name: str, said: str) -> str:
    return f"  {name:<14} {_cut(said, _WIDTH - 17)}" if said else ""


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _cores_busy(report: RunReport) -> str:
    mean = busy(report)
    return "" if mean is None else f", {cores(mean)} cores busy on average"


def _peak(report: RunReport) -> str:
    peak = report.totals["memory_peak_bytes"]
    if peak is None:
        return f"peak {size(peak)}"
    top = records(report.by_task[report.by_task["memory_peak_bytes"] == peak].head(1))
    where = f" ({fit(top[0]['task_name'] or top[0]['task_id'], 40)})" if top else ""
    return f"peak {size(peak)}{where}"


def _moved(report: RunReport) -> str:
    read, written = report.totals["disk_read_bytes"], report.totals["disk_write_bytes"]
    text = f"{size(read)} read, {size(written)} written"
    if networked(report):
        received, sent = network_of(report.totals)
        text += f"; network {received} in, {sent} out"
    return text


def _waits(row: Mapping[str, Any]) -> str:
    titles = {
        "cpu": "on CPU", "runnable": "waiting for a core", "disk": "disk",
        "network": "network", "idle": "idle",
    }  # fmt: skip
    return ", ".join(f"{whole_percent(row[f'{k}_share'])} {title}" for k, title in titles.items())


def _named(rows: list[dict[str, Any]], name: str, figure: str) -> str:
    return ", ".join(f"{fit(row[name], _NAME)} {duration(row[figure])}" for row in rows)


def _tools(report: RunReport) -> str:
    rows = records(report.tools[report.tools["kind"] == "tool"].head(_TOOLS))
    said = [
        f"{fit(row['tool'], _NAME)} {duration(row['cpu_s'])}"
        + (f" (\N{MULTIPLICATION SIGN}{count(row['count'])})" if (row["count"] or 0) > 1 else "")
        for row in rows
        if row["cpu_s"] is not None
    ]
    rest = report.coverage["cpu_unattributed_share"]
    if said and rest is not None and rest >= 0.01:
        said.append(f"of no named process {percent(rest)}")
    return ", ".join(said)
