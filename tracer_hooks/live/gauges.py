"""What runs now, in figures: a gauge is there while something of its group runs, and no longer."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tracer_hooks.live.attempt import WAITS, Attempt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracer_hooks.alert.rules import Measure
    from tracer_hooks.live.ledger import Ledger, Series
    from tracer_hooks.live.runs import Run

# Gauges of a group that are those of its worst task; all others are sums.
_WORST = frozenset(
    {
        "tracer_task_memory_limit_ratio",
        "tracer_task_memory_projected_ratio",
        "tracer_task_progress_age_seconds",
        "tracer_task_elapsed_seconds",
        "tracer_task_slowness_sigma",
    }
)
OwnLabels = tuple[str, ...]


def task_figures(
    attempt: Attempt, ledger: Ledger, measure: Measure, now: float
) -> dict[tuple[str, OwnLabels], float]:
    """The figures of one running attempt, by gauge; what is not known is not there."""
    limit, memory = attempt.limit_bytes(), attempt.memory_bytes()
    known: dict[str, float | None] = {
        "tracer_task_active": 1.0,
        "tracer_task_requested_cores": attempt.cores_requested,
        "tracer_task_used_cores": attempt.cores_used(),
        "tracer_task_idle_cores": attempt.idle_cores(measure),
        "tracer_task_memory_usage_bytes": memory,
        "tracer_task_requested_memory_bytes": attempt.memory_requested_bytes,
        "tracer_task_memory_limit_ratio": memory / limit if limit and memory is not None else None,
        "tracer_task_memory_projected_ratio": attempt.memory_projected_ratio(measure),
        "tracer_task_progress_age_seconds": progress_age_s(attempt, now),
        "tracer_task_elapsed_seconds": attempt.elapsed_s(now),
        "tracer_task_slowness_sigma": ledger.slowness(attempt, now),
        "tracer_task_capture_degraded": float(bool(attempt.degraded)),
    }
    found: dict[tuple[str, OwnLabels], float] = {
        (name, ()): value for name, value in known.items() if value is not None
    }
    waits = attempt.waits_for()
    for wait in WAITS:
        found["tracer_task_waiting", (wait,)] = float(wait == waits)
    return found


def progress_age_s(attempt: Attempt, now: float) -> float | None:
    """How long ago it last made progress; since its start, if it never did."""
    since = attempt.progress.at if attempt.progress is not None else attempt.started_at
    return None if since is None else max(0.0, now - since)


def task_gauges(
    running: Iterable[Attempt], ledger: Ledger, measure: Measure, now: float
) -> dict[Series, float]:
    """The gauges of steps."""
    found: dict[Series, float] = {}
    for attempt in running:
        group = ledger.group_of(attempt, now)
        for (name, own), value in task_figures(attempt, ledger, measure, now).items():
            key = ("step", group, name, own)
            before = found.get(key)
            if before is None:
                found[key] = value
            else:
                found[key] = max(before, value) if name in _WORST else before + value
    return found


def run_gauges(
    runs: Iterable[Run],
    running: Iterable[Attempt],
    ledger: Ledger,
    budgets: Mapping[str, float],
    now: float,
) -> dict[Series, float]:
    """The gauges of runs that go on. `budgets`: an amount by pipeline, `*` for any other."""
    costs: defaultdict[tuple[str, str], float] = defaultdict(float, ledger.run_costs)
    for attempt in running:
        if (cost := ledger.cost_so_far(attempt, now)) is not None:
            costs[attempt.run_id, cost[0]] += cost[1]
    found: dict[Series, float] = {}

    def raise_to(key: Series, value: float) -> None:
        found[key] = max(found.get(key, 0.0), value)

    for run in runs:
        group = ledger.groups["run"].of((run.pipeline, run.engine), now)
        active: Series = ("run", group, "tracer_run_active", ())
        found[active] = found.get(active, 0.0) + 1.0
        if run.started_at is not None:
            elapsed = max(0.0, now - run.started_at)
            raise_to(("run", group, "tracer_run_elapsed_seconds", ()), elapsed)
        budget = budgets.get(run.pipeline, budgets.get("*"))
        for (run_id, currency), amount in costs.items():
            if run_id != run.run_id:
                continue
            raise_to(("run", group, "tracer_run_cost", (currency,)), amount)
            if budget:
                raise_to(("run", group, "tracer_run_budget_ratio", ()), amount / budget)
    return found
