"""Runs as they are sent to a database, and what the database then holds."""

from __future__ import annotations

from typing import Any

import psycopg
import pyarrow as pa
from psycopg.rows import dict_row

from tracer_hooks.analysis.tables import records
from tracer_hooks.export.postgres import connect
from tracer_hooks.export.postgres.rows import SCHEMA
from tracer_hooks.export.sender import RunToSend
from tracer_hooks.prices.choose import pricing
from tracer_hooks.store.runs import TASK_COLUMNS, derive
from tracer_hooks.store.schema import TABLES

Tables = dict[str, pa.Table]


def run_to_send(tables: Tables, *prices: str) -> RunToSend:
    """The run in these tables, with the row that the store would list it with."""
    whole = {name: tables.get(name, _empty(name)) for name in TABLES}
    listed = derive(whole["runs"], whole["tasks"].select(["run_id", *TASK_COLUMNS]))
    [record] = records(listed.to_pandas(types_mapper=_NULLABLE.get, maps_as_pydicts="lossy"))
    return RunToSend(record["run_id"], record, whole, pricing(prices or ["generic"]))


def sent(url: str, *runs: RunToSend, patience_s: float = 0.0) -> list[str | None]:
    """Send them; what was said of each."""
    destination = connect(url, patience_s=patience_s, tell=lambda text: None)
    try:
        return [destination.send(run) for run in runs]
    finally:
        destination.close()


def rows(url: str, query: str, *parameters: Any) -> list[dict[str, Any]]:
    """What the database answers."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(query.encode(), parameters or None).fetchall()


def counts(url: str) -> dict[str, int]:
    """How many rows each of the store's tables has."""
    queries = (f"SELECT '{name}' AS name, count(*) AS n FROM {SCHEMA}.{name}" for name in TABLES)
    return {row["name"]: row["n"] for row in rows(url, " UNION ALL ".join(queries))}


def _empty(name: str) -> pa.Table:
    return TABLES[name].insert(0, pa.field("run_id", pa.string())).empty_table()


def _nullable() -> dict[pa.DataType, Any]:
    import pandas as pd

    return {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


_NULLABLE = _nullable()
