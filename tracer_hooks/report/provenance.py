"""How we know, in sentences: what was seen by what means, what is missing, what looking cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.report.headline import leftover
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
# By `network_source`.
_BLIND = {
    "sock_diag": "only TCP, and not what a connection moved after its last reading",
    "sock_diag+destroy": "only TCP: no UDP",
    "sock_diag+destroy+bpf": "TCP and UDP",
}


def how_we_know(report: RunReport) -> list[str]:
    """Sentences in plain text, none of them about what was not asked of the machine."""
    c = report.coverage
    lines = [_captured(c), _processes(c), _rows(c), _network(c), _looking(c)]
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


def network_blind_spot(source: str) -> str:
    """What a `network_source` cannot see, as a clause; empty if nothing, or if it is not known."""
    return _BLIND.get(source, "")


def _captured(c: Mapping[str, Any]) -> str:
    attempts = plural(c["attempt_count"], "attempt")
    text = f"{attempts} seen by {_tally(c['capture']) or 'means unknown'}"
    if c["reading_count"] is not None:
        text += f"; {plural(c['reading_count'], 'reading')}"
        if c["without_readings_count"]:
            text += f", none of {plural(c['without_readings_count'], 'attempt')} that ended sooner"
    return text + "."


def _processes(c: Mapping[str, Any]) -> str:
    parts = []
    if c["process_exact_count"] is not None:
        text = f"{plural(c['process_exact_count'], 'process', 'processes')} counted"
        if c["short_process_exact_count"]:
            short = count(c["short_process_exact_count"])
            text += f", {short} shorter than one polling interval"
        parts.append(text)
    if c["process_bound_count"] is not None:
        bound = count(c["process_bound_count"])
        attempts = plural(c["process_estimated_count"], "attempt")
        # The host's fork counter bounds each: where tasks ran side by side it bounds both at once.
        more = ", some perhaps counted twice" if c["process_estimated_count"] > 1 else ""
        parts.append(f"at most {bound} in {attempts} that nobody counted{more}")
    if c["folded_process_count"]:
        parts.append(f"{count(c['folded_process_count'])} kept only as sums")
    unnamed_s = leftover(c["cpu_unattributed_s"])
    if unnamed_s is not None:
        share = percent(c["cpu_unattributed_share"])
        named = f"CPU of no named process: {duration(unnamed_s)} ({share})"
        parts.append(named if unnamed_s else "all CPU is of processes known by name")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else ""


def _rows(c: Mapping[str, Any]) -> str:
    """Of the single processes: CPU that was not measured for each, names without arguments."""
    parts = []
    whole = sum(c["cpu_source_s"].values())
    shared_out = c["cpu_source_s"].get("apportioned", 0.0)
    if shared_out > 0.0005 * whole:
        parts.append(f"{percent(shared_out / whole)} of the CPU of single processes is apportioned")
    if c["only_name_count"]:
        named, rows = count(c["only_name_count"]), count(c["process_row_count"])
        parts.append(f"only the name is known, no argument, of {named} of {rows} processes")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else ""


def _network(c: Mapping[str, Any]) -> str:
    if not c["network_source"]:
        return ""
    text = f"Network bytes by {_tally(c['network_source'])}"
    blind = dict.fromkeys(filter(None, map(network_blind_spot, c["network_source"])))
    text += "".join(f"; {clause}" for clause in blind)
    lost = [c[f"network_unattributed_{way}_bytes"] for way in ("rx", "tx")]
    if any(lost):
        text += f"; {size(lost[0])} in and {size(lost[1])} out are of no process that was seen"
    doubtful = [c[f"network_not_counted_{way}_bytes"] for way in ("rx", "tx")]
    if any(doubtful):
        received, sent = size(doubtful[0]), size(doubtful[1])
        text += f"; not counted: {received} in and {sent} out of connections that may be others'"
    return text + "."


def _looking(c: Mapping[str, Any]) -> str:
    if c["observer_cpu_s"] is None:
        return "What observing cost is unknown."
    text = (
        f"Observing cost {duration(c['observer_cpu_s'])} of CPU,"
        f" {duration(c['observer_cpu_mean_s'])} an attempt:"
        f" {percent(c['observer_core_share'])} of a core while tasks ran"
    )
    if c["observer_cpu_share"] is not None:
        text += f", {percent(c['observer_cpu_share'])} of the CPU that they used"
    if c["observer_memory_bytes"] is not None:
        text += f"; at most {size(c['observer_memory_bytes'])} of memory a task"
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
    said = [degraded_line(**d) for d in c["degraded"]]
    more = len(said) - _MAX_DEGRADED
    if more > 0:
        said = [*said[:_MAX_DEGRADED], f"Not seen in full: {plural(more, 'other thing')}."]
    return said


def degraded_line(
    kind: str, what: str | None, why: str | None, attempt_count: int | None = None
) -> str:
    """What could not be observed, or was observed more cheaply by design, and why; the reason as
    a rule names the setting that permits it."""
    text = "Stepped down by design" if kind == "stepped_down" else "Degraded"
    text += f" in {plural(attempt_count, 'attempt')}" if attempt_count is not None else ""
    text += f": {fit(what or 'something', 60)}"
    # The whole reason: its end is as a rule what would permit it.
    return text + (f": {fit(why, 300)}" if why else "") + "."


def _tally(tally: Mapping[str, int]) -> str:
    """`poll`, or `perf (48), poll (4)` where there are several."""
    if len(tally) == 1:
        return fit(next(iter(tally)), 30)
    return ", ".join(f"{fit(name, 30)} ({count(many)})" for name, many in tally.items())
