"""A run at a glance: what an engine prints when it is done, from the table `tasks` alone.

Arrow only. The end of a run is no time to load what the whole report needs (DuckDB, Ibis, pandas:
more than a second of CPU): nobody pays for looking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping

# The parts of wall time, and how a task ends: the columns and values of the table `tasks`.
PARTS = ("cpu", "runnable", "disk", "network", "idle")
STATUSES = ("succeeded", "failed", "cancelled", "lost", "running")
MAX_STEPS = 3
MAX_FAILURES = 3
_SUMS = (
    "wall_s",
    "cpu_s",
    "disk_read_bytes",
    "disk_write_bytes",
    "occupied_s",
    "timed_cpu_s",
    "timed_wall_s",
    "asked_cpu_s",
    "asked_wall_s",
    *(f"known_{part}_s" for part in PARTS),
    "known_s",
)


@dataclass(frozen=True)
class StepGlance:
    """One step: all attempts of its tasks. None is not measured, or not known."""

    step: str | None
    wall_s: float | None  # the sum over attempts
    cores_used: float | None  # CPU seconds per second of wall
    cpus_requested: float | None  # the mean over wall time
    wait: str | None  # the longest of PARTS but `cpu`; None where there was no waiting
    wait_share: float | None  # of the wall time whose parts are known


@dataclass(frozen=True)
class Glance:
    """One run. Sums are over what was measured, of all attempts; None where nothing was."""

    task_count: int
    attempt_count: int
    status_count: Mapping[str, int]  # tasks, by the status of their last attempt
    elapsed_s: float | None  # from the first start to the last end; None while a task runs
    wall_s: float | None
    cpu_s: float | None
    cpu_measured_count: int  # attempts; fewer than attempt_count: cpu_s is a lower bound
    memory_peak_bytes: int | None
    memory_peak_task: str | None
    disk_read_bytes: int | None
    disk_write_bytes: int | None
    shares: Mapping[str, float | None]  # of the wall time whose parts are known, by PARTS
    steps: tuple[StepGlance, ...]  # the costliest: most time that they held the cores asked for
    failures: tuple[tuple[str, str | None], ...]  # a few failed tasks by end, and why

    @property
    def cores_busy(self) -> float | None:
        """How many cores the run kept busy on average."""
        return _ratio(self.cpu_s, self.elapsed_s)


def glance(tasks: pa.Table) -> Glance:
    """Sum up one run; `tasks` is the store's table, one row per attempt."""
    steps = _by_step(tasks)
    total = {name: _plain(pc.sum(steps[name])) for name in _SUMS}
    last = _last_attempts(tasks)
    peak = pc.max(tasks["memory_peak_bytes"])
    return Glance(
        task_count=last.num_rows,
        attempt_count=tasks.num_rows,
        status_count={s: _plain(pc.sum(pc.equal(last["status"], s))) or 0 for s in STATUSES},
        elapsed_s=_elapsed(tasks, last),
        wall_s=total["wall_s"],
        cpu_s=total["cpu_s"],
        cpu_measured_count=_plain(pc.count(tasks["cpu_s"])),
        memory_peak_bytes=_plain(peak),
        memory_peak_task=_name_where(tasks, pc.equal(tasks["memory_peak_bytes"], peak)),
        disk_read_bytes=total["disk_read_bytes"],
        disk_write_bytes=total["disk_write_bytes"],
        shares={part: _ratio(total[f"known_{part}_s"], total["known_s"]) for part in PARTS},
        steps=tuple(_step(row) for row in steps.slice(0, MAX_STEPS).to_pylist()),
        failures=_failures(last),
    )


def _by_step(tasks: pa.Table) -> pa.Table:
    """One row per step with the columns of _SUMS, the costliest first; unknown is null."""
    wall, cpu, asked = tasks["wall_s"], tasks["cpu_s"], tasks["cpus_requested"]
    parts = {part: tasks[f"wall_{part}_s"] for part in PARTS}
    known: Any = None  # the sum of the parts; a null in one of them makes it null
    for part in parts.values():
        known = part if known is None else pc.add(known, part)
    asked_cpu = pc.multiply(asked, wall)
    columns = {
        "step": tasks["step"],
        "wall_s": wall,
        "cpu_s": cpu,
        "disk_read_bytes": tasks["disk_read_bytes"],
        "disk_write_bytes": tasks["disk_write_bytes"],
        "occupied_s": pc.multiply(pc.coalesce(asked, pa.scalar(1.0)), wall),
        "timed_cpu_s": _where_valid(wall, cpu),
        "timed_wall_s": _where_valid(cpu, wall),
        "asked_cpu_s": asked_cpu,
        "asked_wall_s": _where_valid(asked_cpu, wall),
        **{f"known_{name}_s": _where_valid(known, part) for name, part in parts.items()},
        "known_s": known,
    }
    sums = pa.table(columns).group_by("step").aggregate([(name, "sum") for name in _SUMS])
    named = sums.rename_columns([name.removesuffix("_sum") for name in sums.column_names])
    order = [("occupied_s", "descending"), ("wall_s", "descending"), ("step", "ascending")]
    return named.sort_by(order)


def _step(row: Mapping[str, Any]) -> StepGlance:
    waits = {part: row[f"known_{part}_s"] or 0.0 for part in PARTS[1:]}
    wait = max(waits, key=lambda part: waits[part])
    return StepGlance(
        step=row["step"],
        wall_s=row["wall_s"],
        cores_used=_ratio(row["timed_cpu_s"], row["timed_wall_s"]),
        cpus_requested=_ratio(row["asked_cpu_s"], row["asked_wall_s"]),
        wait=wait if waits[wait] > 0 else None,
        wait_share=_ratio(waits[wait], row["known_s"]) if waits[wait] > 0 else None,
    )


def _last_attempts(tasks: pa.Table) -> pa.Table:
    """The row of each task that decides how it ended."""
    # A rerun may repeat the attempt number: then the one that started last counts.
    keys = ("task_id", "attempt", "started_at", "spool")
    rows = tasks.sort_by([(key, "ascending") for key in keys if key in tasks.column_names])
    if rows.num_rows < 2:
        return rows
    task_id = rows["task_id"].combine_chunks()
    ends = pc.fill_null(pc.not_equal(task_id[1:], task_id[:-1]), fill_value=True)
    return pa.concat_tables([rows.slice(0, rows.num_rows - 1).filter(ends), rows.slice(len(ends))])


def _failures(last: pa.Table) -> tuple[tuple[str, str | None], ...]:
    failed = last.filter(pc.is_in(last["status"], value_set=_texts("failed", "lost")))
    rows = failed.sort_by([("ended_at", "ascending"), ("task_id", "ascending")])
    shown = rows.select(["task_id", "task_name", "status", "failure_cause"]).slice(0, MAX_FAILURES)
    return tuple(
        (row["task_name"] or row["task_id"], row["failure_cause"] or _lost(row["status"]))
        for row in shown.to_pylist()
    )


def _lost(status: str) -> str | None:
    return "lost" if status == "lost" else None


def _elapsed(tasks: pa.Table, last: pa.Table) -> float | None:
    if _plain(pc.any(pc.equal(last["status"], "running"))):
        return None
    begin, end = _plain(pc.min(tasks["started_at"])), _plain(pc.max(tasks["ended_at"]))
    return None if begin is None or end is None else float((end - begin).total_seconds())


def _name_where(tasks: pa.Table, condition: Any) -> str | None:
    for row in tasks.select(["task_name", "task_id"]).filter(condition).slice(0, 1).to_pylist():
        return str(row["task_name"] or row["task_id"])
    return None


def _where_valid(known: Any, values: Any) -> Any:
    """`values` where `known` is, else null."""
    return pc.if_else(pc.is_valid(known), values, pa.scalar(None, values.type))


def _texts(*values: str) -> pa.Array:
    return pa.array(values, pa.string())


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def _plain(scalar: Any) -> Any:
    return scalar.as_py()
