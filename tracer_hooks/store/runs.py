"""The runs of a store: what adapters recorded of them, and what follows from their tasks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tracer_hooks.store.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]

_LONGEST_S = 1e10

# All that is read of `tasks` to list the runs.
TASK_COLUMNS = [
    "task_id", "attempt", "started_at", "ended_at", "wall_s", "status", "cpu_s",
    "pipeline", "engine", "host", "user", "workdir",
]  # fmt: skip

RUNS = pa.schema(
    [
        pa.field("run_id", pa.string()),
        *(field for field in TABLES["runs"] if field.name != "spool"),
        pa.field("task_count", pa.int64()),
        pa.field("attempt_count", pa.int64()),
        pa.field("failed_count", pa.int64()),
        pa.field("cpu_s", pa.float64()),
        pa.field("hosts", pa.int64()),
    ]
)


def derive(records: pa.Table, tasks: pa.Table) -> pa.Table:
    """One row per run, by start, with the columns of `RUNS`.

    `records` is the table runs, `tasks` has `TASK_COLUMNS`. `failed_count` counts tasks whose last
    attempt failed or was lost, `hosts` the hosts that its tasks ran on.
    """
    recorded: dict[str, list[Row]] = {}
    for row in records.to_pylist(maps_as_pydicts="lossy"):
        recorded.setdefault(row["run_id"], []).append(row)
    derived = {row["run_id"]: row for row in _from_tasks(tasks)}
    rows = []
    for run_id in {**recorded, **derived}:
        of_tasks = derived.get(run_id, {"run_id": run_id, "task_count": 0, "attempt_count": 0})
        record = _one_record(recorded.get(run_id, []))
        known = {name: value for name, value in record.items() if value is not None}
        if known.get("status") in ("running", "lost"):
            # The record has no end, so what the tasks say of one does not hold for the run.
            of_tasks = {**of_tasks, "ended_at": None, "wall_s": None}
        rows.append({**of_tasks, **known})
    rows.sort(key=lambda row: (row.get("started_at") is not None, row.get("started_at")))
    return pa.Table.from_pylist([{n: r.get(n) for n in RUNS.names} for r in rows], schema=RUNS)


def _one_record(rows: list[Row]) -> Row:
    """A run that was resumed has several records: the first start, the last end and status."""
    if not rows:
        return {}
    never = datetime.min.replace(tzinfo=None)

    def moment(row: Row) -> datetime:
        at = row["ended_at"] or row["started_at"]
        return at.replace(tzinfo=None) if at else never

    rows = sorted(rows, key=moment)
    merged: Row = {}
    for row in rows:
        merged |= {name: value for name, value in row.items() if value not in (None, {})}
    merged["status"] = rows[-1]["status"]
    merged["started_at"] = min((r["started_at"] for r in rows if r["started_at"]), default=None)
    if merged["status"] in ("running", "lost"):
        merged["ended_at"] = None
    merged["wall_s"] = _seconds(merged.get("started_at"), merged.get("ended_at"))
    return merged


def _from_tasks(tasks: pa.Table) -> Iterable[Row]:
    if not tasks.num_rows:
        return []
    tasks = tasks.append_column("lasted_until", _last_seen(tasks))
    per_run = tasks.group_by("run_id").aggregate(
        [
            ("task_id", "count_distinct"),
            ("task_id", "count"),
            ("cpu_s", "sum"),
            ("host", "count_distinct"),
            ("started_at", "min"),
            ("lasted_until", "max"),
            *((name, "max") for name in ("pipeline", "engine", "host", "user", "workdir")),
        ]
    )
    statuses = _statuses(tasks)
    return [_run_row(row, statuses[row["run_id"]]) for row in per_run.to_pylist()]


def _run_row(row: Row, statuses: dict[str | None, int]) -> Row:
    running = statuses.get("running", 0)
    lost, failed = statuses.get("lost", 0), statuses.get("failed", 0)
    if running:
        status = "running"
    elif lost:
        status = "lost"
    elif failed:
        status = "failed"
    elif statuses.get("cancelled"):
        status = "cancelled"
    else:
        status = "succeeded"
    ended = None if running else row["lasted_until_max"]
    return {
        "run_id": row["run_id"],
        "pipeline": row["pipeline_max"],
        "engine": row["engine_max"],
        "started_at": row["started_at_min"],
        "ended_at": ended,
        "wall_s": _seconds(row["started_at_min"], ended),
        "status": status,
        "host": row["host_max"] if row["host_count_distinct"] == 1 else None,
        "user": row["user_max"],
        "workdir": row["workdir_max"],
        "task_count": row["task_id_count_distinct"],
        "attempt_count": row["task_id_count"],
        "failed_count": failed + lost,
        "cpu_s": row["cpu_s_sum"],
        "hosts": row["host_count_distinct"],
    }


def _statuses(tasks: pa.Table) -> dict[str, dict[str | None, int]]:
    """How many tasks have each status, by run; a task has that of its last attempt."""
    order = [(name, "ascending") for name in ("run_id", "task_id", "attempt", "started_at")]
    last = (
        tasks.select(["run_id", "task_id", "attempt", "started_at", "status"])
        .sort_by(order)
        .group_by(["run_id", "task_id"], use_threads=False)
        .aggregate([("status", "last")])
    )
    counts = last.group_by(["run_id", "status_last"]).aggregate([([], "count_all")])
    found: dict[str, dict[str | None, int]] = {}
    for row in counts.to_pylist():
        found.setdefault(row["run_id"], {})[row["status_last"]] = row["count_all"]
    return found


def _last_seen(tasks: pa.Table) -> pa.ChunkedArray:
    """When a task ended, or until when it was seen."""
    import pyarrow.compute as pc

    # A damaged figure (infinite, no number) must not keep the runs from being listed.
    sane = pc.fill_null(pc.less(pc.abs(tasks["wall_s"]), _LONGEST_S), False)
    seconds = pc.if_else(sane, tasks["wall_s"], 0.0)
    lasted = pc.round(pc.multiply(seconds, 1e6)).cast(pa.int64()).cast(pa.duration("us"))
    return pc.coalesce(tasks["ended_at"], pc.add(tasks["started_at"], lasted))


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start) / timedelta(seconds=1) if start and end else None
