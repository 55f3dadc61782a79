"""What stands out: facts with numbers, in the order of the time that is at stake.

A finding says what was measured and draws no conclusion about the cause. Its `kind` is a stable
name, its `evidence` holds plain numbers; how it reads as a sentence, and what can be done about
it, is the report's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tracer_hooks.analysis.thresholds import threshold

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """One fact. `weight`: the share of the run's time, CPU or memory that it concerns, 0 to 1;
    a failure weighs 1 more, so that failures come first. `step` is null for the whole run."""

    kind: str
    step: str | None
    weight: float
    evidence: Mapping[str, Any]
    of_run: bool = False


@dataclass(frozen=True)
class Measured:
    """What findings are made from: plain rows of the other analyses."""

    totals: Row
    steps: list[dict[str, Any]]
    tools_of_steps: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    hosts: Row
    coverage: Row


# What concerns no task's time, or no one step, comes after what a step's author can change.
_LAST = ("memory_unused", "cpu_unattributed", "host_against_tasks")


# What a verdict explains otherwise: whoever reads pages again for want of memory has no slow disk,
# and no thread would use the cores of a step that sleeps.
_EXPLAINED = {
    "memory_bound": ("blocked_on_disk",),
    "idle": ("cores_unused",),
    "elsewhere": ("idle", "waited_for_network", "cores_unused"),
    # Of a moment the start itself is a part, and the rest is too little to go by.
    "too_short": ("idle", "blocked_on_disk", "waited_for_network"),
}


def findings(
    measured: Measured, verdicts: Mapping[str | None, str] | None = None
) -> tuple[Finding, ...]:
    """All findings: failures, then by weight; equal weights in the order of kind and step.

    `verdicts`: labels of steps, or `elsewhere` for those whose work ran where nothing was
    observed; what they explain otherwise is not said.
    """
    labels = verdicts or {}
    found = [finding for rule in RULES for finding in rule(measured)]
    least = threshold("finding_weight")
    # A shell that starts helpers looks idle while helpers that no reading saw wait: one habit.
    storms = {finding.step for finding in found if finding.kind == "short_helpers"}
    kept = (
        finding
        for finding in found
        if finding.weight >= least
        and not (finding.kind == "idle" and finding.step in storms)
        and finding.kind not in _EXPLAINED.get(labels.get(finding.step, ""), ())
    )
    return tuple(sorted(kept, key=lambda f: (f.kind in _LAST, -f.weight, f.kind, f.step or "")))


def _failures(measured: Measured) -> Iterator[Finding]:
    run_wall = measured.totals["wall_s"]
    for row in measured.failures:
        share = _ratio(row["wall_s"], run_wall)
        # Attempts that a later one made good weigh less than a task that never ended well.
        weight = (2.0 if row["unrecovered_count"] else 1.0) + (share or 0.0)
        evidence = {**row, "wall_share": share}
        yield Finding(f"attempts_{row['status']}", None, weight, evidence, of_run=True)
    explained = sum(row["oom_count"] for row in measured.failures)
    if measured.coverage["oom_count"] > explained:
        evidence = {
            "event_count": measured.coverage["oom_count"],
            "failed_attempt_count": explained,
        }
        yield Finding("out_of_memory", None, 1.5, evidence, of_run=True)


def _cores(measured: Measured) -> Iterator[Finding]:
    for row in measured.steps:
        asked, share = row["cpus_requested"], _free_share(row, measured)
        used = _cores_when_free(row)
        if asked is None or used is None or share is None:
            continue
        if asked < threshold("cores_asked"):
            continue
        if used < threshold("cores_used") * asked and asked - used >= threshold("cores_idle"):
            evidence = {
                **_pick(row, "count", "cpus_requested", "cores_mean", "cpu_s", "wall_s"),
                **_pick(row, "runnable_share"),
                "cores_when_free": used,
            }
            yield Finding("cores_unused", row["step"], share * (1 - used / asked), evidence)


def _waiting(part: str, kind: str) -> Callable[[Measured], Iterator[Finding]]:
    def rule(measured: Measured) -> Iterator[Finding]:
        for row in measured.steps:
            seconds = row[f"wall_{part}_s"]
            share, weight = _ratio(seconds, _free_s(row)), _ratio(seconds, _free_s(measured.totals))
            if share is None or weight is None:
                continue
            # What waited and then never succeeded is told of as a failure.
            if part == "idle" and not (row["succeeded_count"] or row["running_count"]):
                continue
            least = threshold(f"wall_{part}")
            if row[f"{part}_share"] >= least or share >= threshold("when_free") * least:
                evidence = {
                    **_pick(row, "count", f"{part}_share", f"wall_{part}_s", "wall_s"),
                    **_pick(row, "runnable_share"),
                    f"{part}_share_when_free": share,
                }
                if part == "network":
                    moved = _both(row["network_rx_bytes"], row["network_tx_bytes"])
                    evidence["network_bytes_per_s"] = _ratio(moved, seconds)
                yield Finding(kind, row["step"], weight, evidence)

    return rule


def _contention(measured: Measured) -> Iterator[Finding]:
    """One for the whole run: tasks that compete make each other wait, and no step is the cause."""
    least = threshold("wall_runnable")
    waited = [r for r in measured.steps if (r["runnable_share"] or 0.0) >= least]
    seconds = _total(row["wall_runnable_s"] for row in waited)
    weight = _ratio(seconds, measured.totals["wall_s"])
    if weight is None:
        return
    worst = max(waited, key=lambda row: (row["wall_runnable_s"], row["step"] or ""))
    evidence = {
        "step_count": len(waited),
        "wall_runnable_s": seconds,
        "runnable_share": _ratio(seconds, _total(row["wall_known_s"] for row in waited)),
        "worst_step": worst["step"],
        "worst_runnable_share": worst["runnable_share"],
        "worst_wall_runnable_s": worst["wall_runnable_s"],
        "throttled_attempt_count": measured.coverage["throttled_count"],
    }
    yield Finding("waited_for_core", None, weight, evidence, of_run=True)


def _short_helpers(measured: Measured) -> Iterator[Finding]:
    run_cpu = measured.totals["cpu_s"]
    for row in measured.steps:
        short, every = row["short_process_count"], row["process_count"]
        if not short or not every or short < threshold("short_count"):
            continue
        if short < threshold("short_share") * every:
            continue
        helpers = [t for t in measured.tools_of_steps if t["step"] == row["step"]]
        cpu = _total(t["cpu_s"] for t in helpers)
        # Helpers that nobody saw by name are in what is left over.
        most = _total((cpu, row["cpu_unattributed_s"]))
        # A bound on the number alone proves nothing: on a busy host others' processes are in it.
        if (_ratio(most, row["cpu_s"]) or 0.0) < threshold("short_cpu"):
            continue
        evidence = {
            **_pick(row, "count", "process_count", "process_estimated_count"),
            **_pick(row, "short_process_count", "cpu_s", "cpu_unattributed_s"),
            "cpu_unattributed_share": _ratio(row["cpu_unattributed_s"], row["cpu_s"]),
            "helper_count": _total(t["count"] for t in helpers),
            "helper_cpu_s": cpu,
            "helper_cpu_share": _ratio(cpu, row["cpu_s"]),
            "helper_kinds": len(helpers),
            "helpers": [t["tool"] for t in helpers[:3]],
        }
        # Starting processes makes a step slow in wall time as well: the larger of both counts.
        stake = max(_ratio(most, run_cpu) or 0.0, _share_of_wall(most, row))
        yield Finding("short_helpers", row["step"], min(1.0, stake), evidence)


def _memory(measured: Measured) -> Iterator[Finding]:
    for row in measured.steps:
        asked, peak = row["memory_requested_bytes"], row["memory_peak_bytes"]
        if not asked or peak is None:
            continue
        evidence = {
            **_pick(row, "count", "memory_requested_bytes", "memory_peak_bytes"),
            "used_share": peak / asked,
        }
        weight = (row["wall_share"] or 0.0) * abs(1 - peak / asked)
        if peak >= threshold("memory_tight") * asked:
            # A request that is nearly or wholly used up is a risk whatever the step's share.
            yield Finding("memory_tight", row["step"], max(weight, 0.05), evidence)
        elif peak < threshold("memory_used") * asked and (
            asked - peak >= threshold("memory_idle_bytes")
        ):
            yield Finding("memory_unused", row["step"], weight / 2, evidence)


def _unattributed(measured: Measured) -> Iterator[Finding]:
    share = measured.coverage["cpu_unattributed_share"]
    if share is not None and share >= threshold("cpu_unattributed"):
        evidence = _pick(measured.coverage, "cpu_unattributed_s", "cpu_unattributed_share")
        yield Finding("cpu_unattributed", None, min(share, 1.0), evidence, of_run=True)


def _hosts(measured: Measured) -> Iterator[Finding]:
    host, totals = measured.hosts, measured.totals
    busy, on_cpu = host["busy_share"], totals["cpu_share"]
    if busy is None or on_cpu is None:
        return
    gap = abs(busy - on_cpu)
    evidence = {
        **_pick(host, "host_count", "busy_share", "iowait_share", "cpu_busy_s"),
        "tasks_of_busy_share": _ratio(totals["cpu_s"], host["cpu_busy_s"]),
        **{f"tasks_{p}_share": totals[f"{p}_share"] for p in ("cpu", "disk", "network", "idle")},
    }
    if gap >= threshold("host_gap"):
        yield Finding("host_against_tasks", None, min(gap, 1.0), evidence, of_run=True)


RULES: tuple[Callable[[Measured], Iterable[Finding]], ...] = (
    _failures,
    _cores,
    _waiting("disk", "blocked_on_disk"),
    _waiting("network", "waited_for_network"),
    _waiting("idle", "idle"),
    _contention,
    _short_helpers,
    _memory,
    _unattributed,
    _hosts,
)


def _share_of_wall(cpu_s: float | None, row: Row) -> float:
    """The share of the run's wall time that a part of a step's CPU stands for."""
    return (
        min(1.0, _ratio(cpu_s, row["cpu_s"]) or 0.0)
        * (row["cpu_share"] or 0.0)
        * (row["wall_share"] or 0.0)
    )


def _free_s(row: Row) -> float | None:
    """Wall time less the wait for a core: a busy host makes a habit's share of the wall time
    smaller, and the habit no better."""
    known: float | None = row["wall_known_s"]
    waited: float | None = row["wall_runnable_s"]
    return None if known is None or waited is None else known - waited


def _free_share(row: Row, measured: Measured) -> float | None:
    """A step's share of the run, without the wait for cores where that is known."""
    free = _ratio(_free_s(row), _free_s(measured.totals))
    return row["wall_share"] if free is None else free


def _cores_when_free(row: Row) -> float | None:
    """Cores used while the step did not wait for one."""
    used: float | None = row["cores_mean"]
    waited: float | None = row["runnable_share"]
    return used if used is None or waited is None or waited >= 1 else used / (1 - waited)


def _both(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _pick(row: Row, *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
