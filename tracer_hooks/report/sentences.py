"""How each kind of finding reads: a subject, and what is to be said of it, with its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from tracer_hooks.report.text import fit
from tracer_hooks.report.units import asked, cores, count, duration, number, percent, plural, size

if TYPE_CHECKING:
    from tracer_hooks.analysis.findings import Finding

Evidence: TypeAlias = Mapping[str, Any]
_NAME_WIDTH = 40


def sentence(finding: Finding) -> tuple[str, str]:
    """The subject ('' for the run as a whole) and the rest; together one sentence."""
    said = SENTENCES[finding.kind](finding.evidence)
    return ("", said) if finding.of_run else (fit(finding.step, _NAME_WIDTH), " " + said)


def plain(finding: Finding) -> str:
    """The sentence as one line of plain text."""
    return "".join(sentence(finding))


def _ended(said: str) -> Callable[[Evidence], str]:
    def say(e: Evidence) -> str:
        attempts = plural(e["attempt_count"], "attempt")
        where = fit(e["step"], _NAME_WIDTH) if e["step_count"] == 1 else f"{e['step_count']} steps"
        causes = [
            plural(e[f"{cause}_count"], one, one)
            for cause, one in (("oom", "out of memory"), ("timeout", "over the time limit"))
            if e[f"{cause}_count"]
        ]
        text = f"{attempts} {said}"
        text += f" in {where}" if e["step_count"] else ""
        text += f" ({', '.join(causes)})" if causes else ""
        lasting = e["unrecovered_count"]
        if lasting:
            text += f", the last one for {plural(lasting, 'task')}"
        else:
            text += ", made good later"
        return f"{text}: {duration(e['wall_s'])} of wall time, {duration(e['cpu_s'])} of CPU."

    return say


def _out_of_memory(e: Evidence) -> str:
    times = plural(e["event_count"], "time")
    return f"Memory ran out {times}; {plural(e['failed_attempt_count'], 'attempt')} failed of it."


def _cores(e: Evidence) -> str:
    return (
        f"asked for {asked(number(e['cpus_requested']))} cores and used {cores(e['cores_mean'])}"
        f" on average ({plural(e['count'], 'task')}, {duration(e['wall_s'])} of wall time)."
    )


def _waiting(part: str, said: str) -> Callable[[Evidence], str]:
    def say(e: Evidence) -> str:
        share, seconds = percent(e[f"{part}_share"]), duration(e[f"wall_{part}_s"])
        return f"{said} for {share} of its wall time ({seconds} of {duration(e['wall_s'])})."

    return say


def _helpers(e: Evidence) -> str:
    about = "an estimated " if e["process_estimated_count"] else ""
    text = (
        f"started {about}{count(e['process_count'])} processes,"
        f" {count(e['short_process_count'])} of them shorter than one polling interval"
    )
    names = ", ".join(fit(tool, 24) for tool in e["helpers"])
    if e["helper_cpu_s"] is not None and 2 * e["helper_count"] >= e["short_process_count"]:
        share, seconds = percent(e["helper_cpu_share"]), duration(e["helper_cpu_s"])
        text += f"; such helpers ({names}) took {share} of its CPU ({seconds})"
    elif e["cpu_unattributed_s"] is not None:
        share, seconds = percent(e["cpu_unattributed_share"]), duration(e["cpu_unattributed_s"])
        text += f"; few were seen by name, and {share} of its CPU ({seconds}) is of none that was"
    return text + "."


def _memory_unused(e: Evidence) -> str:
    request, peak = asked(size(e["memory_requested_bytes"])), size(e["memory_peak_bytes"])
    return f"asked for {request} of memory and peaked at {peak} ({percent(e['used_share'])})."


def _memory_tight(e: Evidence) -> str:
    request, peak = asked(size(e["memory_requested_bytes"])), size(e["memory_peak_bytes"])
    return f"peaked at {peak} of memory, {percent(e['used_share'])} of the {request} asked for."


def _unattributed(e: Evidence) -> str:
    share, seconds = percent(e["cpu_unattributed_share"]), duration(e["cpu_unattributed_s"])
    return f"{share} of the CPU ({seconds}) was used by processes that nobody saw by name."


def _hosts(e: Evidence) -> str:
    hosts = "The host was" if e["host_count"] == 1 else f"{plural(e['host_count'], 'host')} were"
    text = (
        f"{hosts} {percent(e['busy_share'])} busy and {percent(e['iowait_share'])} in I/O wait;"
        f" tasks were on CPU for {percent(e['tasks_cpu_share'])} of their wall time, blocked on"
        f" disk for {percent(e['tasks_disk_share'])} and idle for {percent(e['tasks_idle_share'])}"
    )
    part = e["tasks_of_busy_share"]
    return text + (
        f". They used {percent(part)} of the CPU that was busy." if part is not None else "."
    )


SENTENCES: dict[str, Callable[[Evidence], str]] = {
    "attempts_failed": _ended("failed"),
    "attempts_lost": _ended("lost"),
    "attempts_cancelled": _ended("cancelled"),
    "out_of_memory": _out_of_memory,
    "cores_unused": _cores,
    "blocked_on_disk": _waiting("disk", "was blocked on disk"),
    "waited_for_network": _waiting("network", "waited for the network"),
    "idle": _waiting("idle", "was idle"),
    "waited_for_core": _waiting("runnable", "was ready to run but waited for a free core"),
    "short_helpers": _helpers,
    "memory_unused": _memory_unused,
    "memory_tight": _memory_tight,
    "cpu_unattributed": _unattributed,
    "host_against_tasks": _hosts,
}
