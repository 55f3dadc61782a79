"""How verdicts read: a label's name, the numbers behind it, the headline of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from tracer_hooks.analysis.tables import records
from tracer_hooks.analysis.thresholds import threshold
from tracer_hooks.report.text import fit
from tracer_hooks.report.units import (
    UNKNOWN,
    asked,
    cores,
    count,
    duration,
    number,
    percent,
    plural,
    size,
)

if TYPE_CHECKING:
    from tracer_hooks.analysis.summary import RunReport

Evidence: TypeAlias = Mapping[str, Any]
_NAME = 40
_ALL = 0.9995
_OURS = 0.5

TITLES = {
    "cpu_bound": "CPU-bound",
    "cpu_underused": "cores unused",
    "cpu_contended": "short of cores",
    "disk_bound": "disk-bound",
    "network_bound": "network-bound",
    "memory_bound": "memory-bound",
    "process_churn": "process churn",
    "idle": "idle",
    "too_short": "too short to tell",
    "uncertain": "uncertain",
}


def titled(label: str | None) -> str:
    """A label as people read it."""
    return UNKNOWN if label is None else TITLES.get(label, label)


def why(label: str, e: Evidence) -> str:
    """The numbers that decided, as a clause; `e` as `Verdicts.verdict` gives it."""
    return _WHY[label](e)


def run_sentences(report: RunReport) -> list[str]:
    """What held the run back, what to do, and whether others had the hosts; may be empty."""
    run = report.verdicts.run
    e = run["evidence"]
    if not e["path_attempt_count"]:
        return []
    said = (_headline(report, run, e), _sums(run, e), _others(report))
    return [line for line in said if line]


@dataclass(frozen=True)
class StepVerdict:
    """A step's verdict as it is shown; `share`: of its wall time whose attempts say so."""

    step: str | None
    label: str
    title: str
    confidence: float | None
    share: float | None
    why: str
    advice: str


def step_verdicts(report: RunReport, most: int) -> list[StepVerdict]:
    """The verdicts of the first `most` steps, in the order of `report.steps`."""
    found = {row["step"]: row for row in records(report.verdicts.steps)}
    return [
        _shown(found[row["step"]], report.verdicts.verdict(found[row["step"]]))
        for row in records(report.steps.head(most))
    ]


def _shown(row: Mapping[str, Any], told: Mapping[str, Any]) -> StepVerdict:
    label = told["label"]
    clause = why(label, told["evidence"])
    return StepVerdict(row["step"], label, titled(label), told["confidence"], row["label_share"],
                       clause, told["advice"])  # fmt: skip


def dashboard_sentence(d: Mapping[str, Any]) -> str:
    """What the host showed and what the tasks did, in one line; '' where either is not known.

    `d`: `analysis.dashboard.dashboard`. Helpers are spoken of where they took a tenth.
    """
    if d["host_busy_share"] is None or d["tasks_cpu_share"] is None:
        return ""
    many = d["host_count"] or 1
    text = (
        "host" if many == 1 else plural(many, "host")
    ) + f" {percent(d['host_busy_share'])} busy"
    if (d["host_iowait_share"] or 0.0) >= 0.1:
        text += f", {percent(d['host_iowait_share'])} in iowait"
    text += f"; tasks on CPU {percent(d['tasks_cpu_share'])}"
    for part, said in (("runnable", "waiting for a core"), ("disk", "blocked on disk"),
                       ("network", "waiting for the network"), ("idle", "idle")):  # fmt: skip
        share = d[f"tasks_{part}_share"]
        if share is not None and share >= 0.1:
            text += f", {said} {percent(share)}"
    helpers, share = d["helper_count"], d["helper_share"]
    if helpers and share is not None and share >= 0.1:
        least = "" if d["helpers_exact"] else "at least "
        text += (
            f"; {least}{plural(helpers, 'helper')} shorter than a scrape ({d['scrape_s']:g} s)"
            f" took {least}{percent(share)} of execution time"
        )
    return _capital(text) + "."


def _chain(e: Evidence) -> str:
    """`5 tasks in a row`; where some were tried again, `6 attempts at 5 tasks in a row`."""
    many, tasks = e["path_attempt_count"], e["path_task_count"]
    tried = f"{plural(many, 'attempt')} at " if many > tasks else ""
    return f"{tried}{plural(tasks, 'task')}{' in a row' if many > 1 else ''}"


def _headline(report: RunReport, run: Mapping[str, Any], e: Evidence) -> str:
    path = f"the critical path ({duration(e['path_s'])}, {_chain(e)})"
    share = percent(e["label_share"])
    if run["label"] == "idle" and (e["between_share"] or 0.0) > 0.5:
        return (
            f"For {percent(e['between_share'])} of {path} no task of it ran: the engine or a queue"
            " was waited for."
        )
    if run["label"] != "uncertain":
        text = f"{_capital(titled(run['label']))} for {share} of {path}"
    elif e["largest_label"] == "uncertain":
        text = f"In {share} of {path} no one thing stands out"
    else:
        between = e["between_share"] if e["largest_label"] == "idle" else None
        rest = f" ({percent(between)} between tasks)" if (between or 0.0) >= 0.1 else ""
        text = (
            f"No one thing dominates {path}: the most is {titled(e['largest_label'])},"
            f" {share} of it{rest}"
        )
    return text + _of_step(report, run, e)


def _of_step(report: RunReport, run: Mapping[str, Any], e: Evidence) -> str:
    """Which step the path is for the most part, what its numbers say of it, and what to do."""
    step = next((r for r in records(report.verdicts.steps) if r["step"] == run["step"]), None)
    if step is None:
        return "."
    told = report.verdicts.verdict(step)
    name, share = fit(run["step"], _NAME), percent(e["step_share"])
    because = f"{why(step['label'], told['evidence'])}. {told['advice']}"
    if step["label"] == run["label"] and run["label"] != "uncertain":
        chiefly = "all of it" if e["step_share"] > _ALL else "chiefly"
        of_it = "" if e["step_share"] > _ALL else f" ({share} of the path)"
        return f", {chiefly} in {name}{of_it}: {because}"
    return f". {share} of it is {name}, {titled(step['label'])}: {because}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sums(run: Mapping[str, Any], e: Evidence) -> str:
    """Where all the tasks' time together says something else than the critical path."""
    same = e["sum_label"] in (run["label"], e["largest_label"], None)
    if same or (e["sum_share"] or 0.0) <= 0.5:
        return ""
    return (
        f"Of the time of all tasks together {percent(e['sum_share'])} is {titled(e['sum_label'])},"
        " which costs more than it delays."
    )


def _others(report: RunReport) -> str:
    """Where it waited for cores that this run's tasks did not keep busy."""
    d = report.dashboard
    part, waited = d["tasks_of_busy_share"], d["tasks_runnable_share"]
    if part is None or part >= _OURS or (waited or 0.0) < threshold("wall_runnable"):
        return ""
    return (
        f"Only {percent(part)} of the hosts' busy time was this run's: look for what else runs"
        " there first."
    )


def _share(e: Evidence, name: str, said: str) -> str:
    return f"{said} {percent(e[name])}" if name in e else ""


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _cores(e: Evidence) -> str:
    if "cores_mean" not in e:
        return ""
    used, of = cores(e["cores_mean"]), e.get("cpus_requested")
    if of is None:
        return f"{used} cores busy"
    return f"{used} of {asked(number(of))} {'core' if of == 1 else 'cores'} busy"


def _computing(e: Evidence) -> str:
    return _joined(_share(e, "cpu_share", "on CPU"), _cores(e))


def _contended(e: Evidence) -> str:
    held = e.get("throttled_s")
    quota = f"held back by a quota for {duration(held)}" if held else ""
    return _joined(_share(e, "runnable_share", "ready but not running"),
                   _share(e, "cpu_share", "on CPU"), quota)  # fmt: skip


def _disk(e: Evidence) -> str:
    kernel = min(e.get("kernel_share", 0.0), e["disk_work_share"] - e["disk_share"])
    path = f"{percent(kernel)} in the kernel for it" if kernel >= 0.05 else ""
    return _joined(_share(e, "disk_share", "blocked on disk"), path)


def _network(e: Evidence) -> str:
    speed = f"{size(e['network_bytes_per_s'])}/s meanwhile" if "network_bytes_per_s" in e else ""
    return _joined(_share(e, "network_share", "waiting for the network"), speed)


def _memory(e: Evidence) -> str:
    killed = f"out of memory {plural(e['oom_count'], 'time')}" if e.get("oom_count") else ""
    peak = f"peak {size(e['memory_peak_bytes'])}" if "memory_peak_bytes" in e else ""
    if peak and "memory_limit_share" in e:
        peak += f", {percent(e['memory_limit_share'])} of the limit"
    faults = e.get("major_faults", 0)
    paging = f"{count(faults)} pages read again" if faults >= threshold("major_faults") else ""
    return _joined(killed, peak, paging, _share(e, "memory_stall_share", "stalled for memory"))


def _churn(e: Evidence) -> str:
    lived = f", {duration(e['helper_lifetime_s'])} each" if "helper_lifetime_s" in e else ""
    most = f"{count(e['short_process_count'])} short processes{lived}"
    return _joined(most, f"they took {percent(e['helper_share'])}")


def _idle(e: Evidence) -> str:
    if e.get("network_share", 0.0) > e.get("idle_share", 0.0):
        return _network(e)
    return _joined(_share(e, "idle_share", "asleep"), _share(e, "cpu_share", "on CPU"))


def _short(e: Evidence) -> str:
    return duration(e.get("wall_s")) + " in all" if "wall_s" in e else ""


def _mixed(e: Evidence) -> str:
    if "cpu_share" not in e:
        return "not measured"
    named = (("cpu", "CPU"), ("runnable", "ready"), ("disk", "disk"), ("network", "network"),
             ("idle", "idle"))  # fmt: skip
    return _joined(*(_share(e, f"{part}_share", said) for part, said in named
                     if e.get(f"{part}_share", 0.0) >= 0.1))  # fmt: skip


_WHY: dict[str, Callable[[Evidence], str]] = {
    "cpu_bound": _computing,
    "cpu_underused": _computing,
    "cpu_contended": _contended,
    "disk_bound": _disk,
    "network_bound": _network,
    "memory_bound": _memory,
    "process_churn": _churn,
    "idle": _idle,
    "too_short": _short,
    "uncertain": _mixed,
}
