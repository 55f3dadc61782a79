"""How we know, in sentences: what was seen by what means, what is missing, what looking cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.report.text import fit
from tracer_hooks.report.units import count, duration, percent, plural, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.summary import RunReport

_FIGURES = {
    "cpu": "CPU time",
    "wall_parts": "where wall time went",
    "memory": "peak memory",
    "disk": "bytes on disk",
    "network": "bytes on the network",
    "processes": "number of processes",
}
_MAX_DEGRADED = 5


def how_we_know(report: RunReport) -> list[str]:
    """Sentences in plain text, none of them about what was not asked of the machine."""
    c = report.coverage
    lines = [_captured(c), _processes(c), _looking(c)]
    if c["lost_count"]:
        lines.append(
            f"{plural(c['lost_count'], 'attempt')} lost: the supervisor ended without a last word;"
            " the figures stand as they were last written."
        )
    if c["running_count"]:
        lines.append(f"{plural(c['running_count'], 'attempt')} still running: figures so far.")
    expected, seen = report.run.get("total_tasks"), report.totals["count"]
    if expected is not None and expected > seen:
        lines.append(f"The engine counted {plural(expected, 'task')}; {count(seen)} were seen.")
    if c["events_lost"]:
        lines.append(f"{plural(c['events_lost'], 'kernel event')} lost: short processes may miss.")
    lines += [_missing(c), *_degraded(c)]
    return [line for line in lines if line]


def _captured(c: Mapping[str, Any]) -> str:
    attempts = plural(c["attempt_count"], "attempt")
    text = f"{attempts} seen by {_tally(c['capture']) or 'means unknown'}"
    if c["reading_count"] is not None:
        text += f"; {plural(c['reading_count'], 'reading')}"
        if c["without_readings_count"]:
            text += f", none of {plural(c['without_readings_count'], 'attempt')} that ended sooner"
    return text + "."


def _processes(c: Mapping[str, Any]) -> str:
    if c["process_count"] is None:
        return ""
    text = plural(c["process_count"], "process", "processes")
    if c["process_count_source"]:
        text += f", {_tally(c['process_count_source'])}"
    if c["short_process_count"] is not None:
        text += f", {count(c['short_process_count'])} shorter than one polling interval"
    if c["folded_process_count"]:
        text += f", {count(c['folded_process_count'])} kept only as sums"
    if c["cpu_unattributed_s"] is not None:
        text += (
            f"; CPU of no named process: {duration(c['cpu_unattributed_s'])}"
            f" ({percent(c['cpu_unattributed_share'])})"
        )
    return text + "."


def _looking(c: Mapping[str, Any]) -> str:
    if c["observer_cpu_s"] is None:
        return "What observing cost is unknown."
    text = (
        f"Observing cost {duration(c['observer_cpu_s'])} of CPU,"
        f" {percent(c['observer_cpu_share'])} of what the tasks used"
    )
    if c["observer_memory_bytes"] is not None:
        text += f", and at most {size(c['observer_memory_bytes'])} of memory a task"
    return text + "."


def _missing(c: Mapping[str, Any]) -> str:
    whole = c["attempt_count"]
    parts = [
        _FIGURES[figure] + ("" if missing == whole else f" ({plural(missing, 'attempt')})")
        for figure, missing in c["missing"].items()
        if missing
    ]
    return f"Not measured: {', '.join(parts)}." if parts else ""


def _degraded(c: Mapping[str, Any]) -> list[str]:
    said = [
        f"Not available: {fit(d['what'] or 'something', 60)}"
        + (f", {fit(d['why'], 120)}" if d["why"] else "")
        + f" ({plural(d['attempt_count'], 'attempt')})."
        for d in c["degraded"][:_MAX_DEGRADED]
    ]
    more = len(c["degraded"]) - _MAX_DEGRADED
    return said + ([f"Not available: {plural(more, 'other thing')}."] if more > 0 else [])


def _tally(tally: Mapping[str, int]) -> str:
    """`poll`, or `perf (48), poll (4)` where there are several."""
    if len(tally) == 1:
        return fit(next(iter(tally)), 30)
    return ", ".join(f"{fit(name, 30)} ({count(many)})" for name, many in tally.items())
