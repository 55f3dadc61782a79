"""How each kind of finding reads: a subject, what was measured, and what can be done about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from tracer_hooks.analysis.thresholds import threshold
from tracer_hooks.hint import hint
from tracer_hooks.report.text import clean, fit
from tracer_hooks.report.units import asked, cores, count, duration, number, percent, plural, size

if TYPE_CHECKING:
    from tracer_hooks.analysis.findings import Finding
    from tracer_hooks.analysis.summary import RunReport

Evidence: TypeAlias = Mapping[str, Any]
_NAME_WIDTH = 40
_LONGEST_ID = 200  # its beginning names a task too, where no other begins so
_TIMES = 2  # from here on a share of what was asked for reads better as a multiple
_TO_SPARE = 1.25  # what a request for memory should leave above the peak


def sentence(finding: Finding) -> tuple[str, str]:
    """The subject ('' for the run as a whole) and the rest; together one sentence: the fact."""
    said = SENTENCES[finding.kind](finding.evidence)
    return ("", said) if finding.of_run else (fit(finding.step, _NAME_WIDTH), " " + said)


def advice(finding: Finding, report: RunReport) -> str:
    """What the author of the pipeline can do about it, as a sentence."""
    run = {"run_id": report.run["run_id"], "store": report.store}
    return ADVICE[finding.kind]({**finding.evidence, **run})


def plain(finding: Finding) -> str:
    """The fact as one line of plain text."""
    return "".join(sentence(finding))


def _ended(said: str) -> Callable[[Evidence], str]:
    def say(e: Evidence) -> str:
        attempts = plural(e["attempt_count"], "attempt")
        where = fit(e["step"], _NAME_WIDTH) if e["step_count"] == 1 else f"{e['step_count']} steps"
        named = (("oom", "out of memory"), ("timeout", "out of time"), ("signal", "by a signal"))
        causes = [f"{count(e[f'{cause}_count'])} {one}" for cause, one in named
                  if e[f"{cause}_count"]]  # fmt: skip
        text = f"{attempts} {said}"
        text += f" in {where}" if e["step_count"] else ""
        text += f" ({', '.join(causes)})" if causes else ""
        lasting = e["unrecovered_count"]
        text += (
            f"; {plural(lasting, 'task')} never succeeded" if lasting else "; all made good later"
        )
        return f"{text}. They took {duration(e['wall_s'])}, {duration(e['cpu_s'])} of CPU."

    return say


def _see(e: Evidence) -> str:
    command = hint("show", e["run_id"], clean(e["task_id"])[:_LONGEST_ID], store=e["store"])
    return f"`{clean(command)}` shows how it ended."


def _out_of_memory(e: Evidence) -> str:
    times = plural(e["event_count"], "time")
    return f"Memory ran out {times}; {plural(e['failed_attempt_count'], 'attempt')} failed of it."


def _cores(e: Evidence) -> str:
    free = f", {cores(e['cores_when_free'])} while it had them" if _contended(e) else ""
    return (
        f"asked for {asked(number(e['cpus_requested']))} cores and used {cores(e['cores_mean'])}"
        f" on average{free} ({plural(e['count'], 'task')}, {duration(e['wall_s'])} of wall time)."
    )


def _contended(e: Evidence) -> bool:
    return (e["runnable_share"] or 0.0) >= threshold("wall_runnable")


def _fewer_cores(e: Evidence) -> str:
    # 1.04 is one core that was kept busy and a little beside it.
    enough = max(1, math.ceil(e["cores_when_free"] - 0.2))
    return f"Ask for {enough}, or give the tool its threads."


def _waiting(part: str, said: str) -> Callable[[Evidence], str]:
    def say(e: Evidence) -> str:
        share, seconds = percent(e[f"{part}_share"]), duration(e[f"wall_{part}_s"])
        if _contended(e):
            free = percent(e[f"{part}_share_when_free"])
            return f"{said} for {seconds}: {free} of its wall time less the waits for a core."
        return f"{said} for {share} of its wall time ({seconds} of {duration(e['wall_s'])})."

    return say


def _contention(e: Evidence) -> str:
    share, seconds = percent(e["runnable_share"]), duration(e["wall_runnable_s"])
    worst = fit(e["worst_step"], _NAME_WIDTH)
    if e["step_count"] == 1:
        return (
            f"{worst} was ready to run but waited for a free core for {share} of its wall time"
            f" ({seconds})."
        )
    return (
        f"{e['step_count']} steps were ready to run but waited for a free core for {share} of their"
        f" wall time ({seconds}), {worst} longest ({percent(e['worst_runnable_share'])})."
    )


def _less_at_once(e: Evidence) -> str:
    held = e["throttled_attempt_count"]
    if held:
        return f"A CPU quota held back {plural(held, 'attempt')}: raise it, or run fewer at once."
    return "Run fewer tasks or threads at once, or on more cores."


def _helpers(e: Evidence) -> str:
    most = "at most " if e["process_estimated_count"] else ""
    text = (
        f"started {most}{count(e['process_count'])} processes, {most}"
        f"{count(e['short_process_count'])} shorter than one polling interval"
    )
    names = ", ".join(fit(tool, 24) for tool in e["helpers"])
    if e["helper_cpu_s"] is not None and 2 * e["helper_count"] >= e["short_process_count"]:
        share, seconds = percent(e["helper_cpu_share"]), duration(e["helper_cpu_s"])
        more = " and others" if e["helper_kinds"] > len(e["helpers"]) else ""
        text += f"; {names}{more} took {share} of its CPU ({seconds})"
    elif e["cpu_unattributed_s"] is not None:
        share, seconds = percent(e["cpu_unattributed_share"]), duration(e["cpu_unattributed_s"])
        text += f"; {share} of its CPU ({seconds}) is of none that was seen by name"
    return text + "."


def _memory_unused(e: Evidence) -> str:
    request, peak = asked(size(e["memory_requested_bytes"])), size(e["memory_peak_bytes"])
    return f"asked for {request} of memory and peaked at {peak} ({percent(e['used_share'])})."


def _less_memory(e: Evidence) -> str:
    enough = size(_TO_SPARE * e["memory_peak_bytes"])
    return f"{enough} would leave a quarter to spare, and room for more tasks."


def _memory_tight(e: Evidence) -> str:
    request, peak = asked(size(e["memory_requested_bytes"])), size(e["memory_peak_bytes"])
    share = e["used_share"]
    if share >= _TIMES:
        return f"peaked at {peak} of memory, {number(share)} times the {request} asked for."
    if share > 1:
        return (
            f"peaked at {peak} of memory, {percent(share - 1)} more than the {request} asked for."
        )
    return f"peaked at {peak} of memory, {percent(share)} of the {request} asked for."


def _more_memory(e: Evidence) -> str:
    return f"Ask for {size(_TO_SPARE * e['memory_peak_bytes'])} before a larger input fails."


def _unattributed(e: Evidence) -> str:
    share, seconds = percent(e["cpu_unattributed_share"]), duration(e["cpu_unattributed_s"])
    return f"{share} of the CPU ({seconds}) was used by processes that nobody saw by name."


def _hosts(e: Evidence) -> str:
    hosts = "The host was" if e["host_count"] == 1 else f"{plural(e['host_count'], 'host')} were"
    waits = (("disk", "blocked on disk"), ("network", "waiting for the network"), ("idle", "idle"))
    share, doing = max((e[f"tasks_{part}_share"] or 0.0, said) for part, said in waits)
    text = (
        f"{hosts} {percent(e['busy_share'])} busy, while tasks were on CPU for"
        f" {percent(e['tasks_cpu_share'])} of their wall time"
    )
    return text + (f" and {doing} for {percent(share)}." if share >= 0.1 else ".")


def _look_at_tasks(e: Evidence) -> str:
    if e["busy_share"] < e["tasks_cpu_share"]:
        return "Cores were free: run more tasks at once, or with more threads."
    part = e["tasks_of_busy_share"]
    if part is not None and part < 0.5:
        return f"Only {percent(part)} of that was this run's: look for what else runs there."
    return "What tasks waited for, not the host's load, says what to speed up."


def _less_network(e: Evidence) -> str:
    moved = e["network_bytes_per_s"]
    if moved is not None and moved < threshold("network_bytes_per_s"):
        return "It waits for answers, not for bytes: ask for many at once, or outside of a task."
    return "Fetch once and keep a copy near, or fetch several at once."


def _fixed(said: str) -> Callable[[Evidence], str]:
    return lambda _: said


SENTENCES: dict[str, Callable[[Evidence], str]] = {
    "attempts_failed": _ended("failed"),
    "attempts_lost": _ended("lost"),
    "attempts_cancelled": _ended("cancelled"),
    "out_of_memory": _out_of_memory,
    "cores_unused": _cores,
    "blocked_on_disk": _waiting("disk", "was blocked on disk"),
    "waited_for_network": _waiting("network", "waited for the network"),
    "idle": _waiting("idle", "was idle"),
    "waited_for_core": _contention,
    "short_helpers": _helpers,
    "memory_unused": _memory_unused,
    "memory_tight": _memory_tight,
    "cpu_unattributed": _unattributed,
    "host_against_tasks": _hosts,
}

ADVICE: dict[str, Callable[[Evidence], str]] = {
    "attempts_failed": _see,
    "attempts_lost": _see,
    "attempts_cancelled": _see,
    "out_of_memory": _fixed("Ask for more memory where a task's own events say so."),
    "cores_unused": _fewer_cores,
    "blocked_on_disk": _fixed("Sync less often, write larger pieces, or use a disk of the node."),
    "waited_for_network": _less_network,
    "idle": _fixed("Find what it waits for; until then its cores could serve other tasks."),
    "waited_for_core": _less_at_once,
    "short_helpers": _fixed("Do the loop in one program."),
    "memory_unused": _less_memory,
    "memory_tight": _more_memory,
    "cpu_unattributed": _fixed("`tracer-hooks doctor` says which setting would name them."),
    "host_against_tasks": _look_at_tasks,
}
