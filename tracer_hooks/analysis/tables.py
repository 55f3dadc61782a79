"""The store's tables as Ibis relations, and expressions as pandas frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import ibis
import pandas as pd
import pyarrow as pa

from tracer_hooks.store.schema import TABLES

if TYPE_CHECKING:
    import ibis.expr.types as ir

_NULLABLE = {
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


class TableReader(Protocol):
    """What hands out tables when they are needed: a `Store` is one."""

    def table(self, name: str, run_id: str | None = None) -> pa.Table:
        """The table `name`, with `run_id` as a column; only rows of that run, if one is given."""


class Relations:
    """The store's tables as Ibis relations, each prepared when it is first asked for."""

    def __init__(self, source: Mapping[str, Any] | TableReader, run_id: str | None) -> None:
        self._source = source
        self._run_id = run_id
        self._prepared: dict[str, ir.Table] = {}
        self.in_memory = not isinstance(source, Mapping) or all(
            isinstance(table, pa.Table) for table in source.values()
        )
        self.attempts: ir.Table | None = None  # see `attempts.attempts`

    def __getitem__(self, name: str) -> ir.Table:
        """The table `name` with all columns of its schema, `run_id` first.

        A table that is absent is empty, a column that an older store lacks is null.
        """
        if name not in self._prepared:
            raw = (
                self._source.get(name)
                if isinstance(self._source, Mapping)
                else self._source.table(name, self._run_id)
            )
            self._prepared[name] = _relation(raw, name, self._run_id)
        return self._prepared[name]


# What an analysis takes: a store, or tables by the names of `store.schema.TABLES`. A pyarrow table
# is analysed by DuckDB in memory, an Ibis table by the backend that it belongs to.
Tables: TypeAlias = Mapping[str, Any] | TableReader | Relations


def relations(tables: Tables, run_id: str | None = None) -> Relations:
    """The tables, prepared; only rows of one run, if given. `Relations` pass through as they are,
    so that analyses can be chained without preparing twice."""
    return tables if isinstance(tables, Relations) else Relations(tables, run_id)


def frame(expression: ir.Table) -> pd.DataFrame:
    """Run the expression. Integers and booleans are nullable, a missing float is NaN."""
    arrow = expression.to_pyarrow()
    data: pd.DataFrame = arrow.to_pandas(types_mapper=_NULLABLE.get, maps_as_pydicts="lossy")
    for name in data.columns:
        if isinstance(data[name].dtype, pd.DatetimeTZDtype):
            # A backend answers in its session's time zone.
            data[name] = data[name].dt.tz_convert("UTC")
    return data


def records(data: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dicts of plain Python values, with None for what is missing."""
    columns = [_values(data[name]) for name in data.columns]
    names = [str(name) for name in data.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def record(expression: ir.Table) -> dict[str, Any]:
    """The one row of an aggregate, as a dict of plain Python values."""
    return records(frame(expression))[0]


def attempt_key(relation: ir.Table) -> list[str]:
    """The columns that tell one attempt from another (a rerun may repeat task and attempt)."""
    return [name for name in ("run_id", "task_id", "attempt", "spool") if name in relation.columns]


def _relation(raw: pa.Table | ir.Table | None, name: str, run_id: str | None) -> ir.Table:
    schema = TABLES[name]
    if raw is None:
        raw = schema.empty_table()
    relation = ibis.memtable(raw) if isinstance(raw, pa.Table) else raw
    if "run_id" not in relation.columns:
        relation = relation.mutate(run_id=ibis.literal(run_id, type="string"))
    elif run_id is not None:
        relation = relation.filter(relation.run_id == run_id)
    types = ibis.Schema.from_pyarrow(schema)
    missing = {n: ibis.null(t) for n, t in types.items() if n not in relation.columns}
    if missing:
        relation = relation.mutate(**missing)
    return relation.select("run_id", *types.names)


def _values(column: pd.Series[Any]) -> list[Any]:
    values = column.astype(object)
    return list(values.where(values.notna(), None))
