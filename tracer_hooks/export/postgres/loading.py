"""A run's rows into the tables, in one transaction.

An attempt that had ended when it was loaded never changes again, so it is left as it is. All
others, and what belongs to the run as a whole, are replaced. So a run can be loaded while it is on,
again after it, and again after the database was away, by several at once, from stores that each
hold a part of it: each attempt is there once.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tracer_hooks.analysis.tables import StoredTable
from tracer_hooks.export.postgres.derived import load_derived
from tracer_hooks.export.postgres.migrations import SCHEMA
from tracer_hooks.export.postgres.rows import copy_batch, copy_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from tracer_hooks.export.sender import RunToSend

_OF_ATTEMPTS = ("tasks", "processes", "tools", "readings", "events")
_BATCH_ROWS = 10_000
_RUN_TYPES = {
    "run_id": "text", "pipeline": "text", "engine": "text", "engine_version": "text",
    "started_at": "timestamptz", "ended_at": "timestamptz", "wall_s": "float8", "status": "text",
    "host": "text", "user": "text", "workdir": "text", "command": "text", "tags": "jsonb",
    "total_tasks": "int8", "task_count": "int8", "attempt_count": "int8", "failed_count": "int8",
    "cpu_s": "float8", "hosts": "int8",
}  # fmt: skip


def load(connection: Connection, run: RunToSend) -> str | None:
    """Load the run; returns what was loaded, in words, or None if the database had it all."""
    basis = hashlib.sha256(repr(run.pricing).encode()).hexdigest()
    with connection.transaction():
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{SCHEMA} {run.run_id}"]
        )
        if _same(connection, run, basis):
            return None
        final = _final(connection, run.run_id)
        new = 0
        for name in _OF_ATTEMPTS:
            rows = _load_table(connection, run, name, "spool", final)
            new += rows if name == "tasks" else 0
        _load_table(connection, run, "hosts", "host", set())
        load_derived(connection, run, basis)
        connection.execute(f"DELETE FROM {SCHEMA}.runs WHERE run_id = %s", [run.run_id])
        record = {name: run.record.get(name) for name in _RUN_TYPES}
        copy_records(connection, "runs", _RUN_TYPES, [{**record, "run_id": run.run_id}])
    return f"{new} new attempt{'' if new == 1 else 's'}"


def _same(connection: Connection, run: RunToSend, basis: str) -> bool:
    """Whether the run is over, and was loaded with just these figures and prices."""
    if run.record.get("status") in ("running", None):
        return False
    names = ("status", "ended_at", "attempt_count", "failed_count", "cpu_s", "total_tasks")
    columns = ", ".join(f"runs.{name}" for name in names)
    found = connection.execute(
        f"SELECT {columns}, basis FROM {SCHEMA}.runs LEFT JOIN {SCHEMA}.run_costs USING (run_id)"
        " WHERE run_id = %s",
        [run.run_id],
    ).fetchone()
    return found is not None and tuple(found) == (*map(run.record.get, names), basis)


def _final(connection: Connection, run_id: str) -> set[str]:
    """The attempts that are loaded for good."""
    rows = connection.execute(
        f"SELECT spool FROM {SCHEMA}.tasks WHERE run_id = %s AND status NOT IN ('running', 'lost')",
        [run_id],
    )
    return {row[0] for row in rows}


def _load_table(
    connection: Connection, run: RunToSend, name: str, key: str, final: set[str]
) -> int:
    """Replace the rows of this table of every `key` that is not final; returns how many."""
    replaced: set[str] = set()
    count = 0
    for batch in _batches(run, name, final):
        old = {value for value in pc.unique(batch[key]).to_pylist() if value is not None}
        if new := sorted(old - replaced):
            replaced.update(new)
            connection.execute(
                f"DELETE FROM {SCHEMA}.{name} WHERE run_id = %s AND {key} = ANY(%s)",
                [run.run_id, new],
            )
        copy_batch(connection, name, batch)
        count += batch.num_rows
    return count


def _batches(run: RunToSend, name: str, final: set[str]) -> Iterator[pa.RecordBatch]:
    """The rows of a table that are not of final attempts, a few at a time."""
    table = run.tables.get(name)
    if table is None:
        return
    open_ended = ~pc.is_in(
        pc.coalesce(pc.field("spool"), pc.scalar("")),
        value_set=pa.array(sorted(final), pa.string()),
    )
    if isinstance(table, StoredTable):
        batches = table.scan().to_batches(filter=open_ended, batch_size=_BATCH_ROWS)
    else:
        batches = table.filter(open_ended).to_batches(max_chunksize=_BATCH_ROWS)
    for batch in batches:
        if batch.num_rows:
            spool = batch.schema.get_field_index("spool")
            yield batch.set_column(spool, "spool", pc.fill_null(batch.column(spool), ""))
