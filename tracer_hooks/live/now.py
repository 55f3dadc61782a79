"""What runs now as rows for people: runs, tasks, and what each waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer_hooks.live.gauges import progress_age_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracer_hooks.live.attempt import Attempt
    from tracer_hooks.live.runs import Run


@dataclass(frozen=True)
class TaskNow:
    """A running task attempt. Seconds, bytes, cores; None: not known."""

    run_id: str
    task_id: str
    stem: str
    pipeline: str
    step: str
    name: str
    attempt: int
    host: str
    elapsed_s: float | None
    waits: str | None
    cores_used: float | None
    cores_requested: float | None
    cpu_s: float | None
    memory_bytes: float | None
    memory_limit_bytes: float | None
    progress_age_s: float | None
    cost: float | None


@dataclass(frozen=True)
class RunNow:
    """A run, as far as it was followed."""

    run_id: str
    pipeline: str
    engine: str
    started_at: float | None
    elapsed_s: float | None
    active: bool
    running: int
    ended: Mapping[str, int]
    cores_used: float | None
    cores_requested: float | None
    memory_bytes: float | None


def task_now(attempt: Attempt, now: float, cost: float | None = None) -> TaskNow:
    """The row of a running attempt."""
    return TaskNow(
        attempt.run_id,
        attempt.task_id,
        attempt.stem,
        attempt.pipeline,
        attempt.step,
        attempt.name,
        attempt.number,
        attempt.host,
        attempt.elapsed_s(now),
        attempt.waits_for(),
        attempt.cores_used(),
        attempt.cores_requested,
        attempt.totals.get("cpu_s"),
        attempt.memory_bytes(),
        attempt.limit_bytes(),
        progress_age_s(attempt, now),
        cost,
    )


def run_now(run: Run, tasks: list[TaskNow], now: float) -> RunNow:
    """The row of a run; `tasks`: its running tasks."""
    return RunNow(
        run.run_id,
        run.pipeline,
        run.engine,
        run.started_at,
        None if run.started_at is None else max(0.0, now - run.started_at),
        run.active,
        run.running,
        dict(run.ended),
        total(task.cores_used for task in tasks),
        total(task.cores_requested for task in tasks),
        total(task.memory_bytes for task in tasks),
    )


def total(figures: Iterable[float | None]) -> float | None:
    """The sum of those that are known; None if none is."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None
