"""The store's tables as Ibis relations, and what is expressed with them as pandas frames."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, runtime_checkable

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tracer_hooks.analysis.duckdb_tables import ParquetRows, Source, in_files
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.memory import Memory, compiled
from tracer_hooks.store.schema import TABLES

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow.dataset as ds

    from tracer_hooks.store.scanning import Located

_NULLABLE = {
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


class TableReader(Protocol):
    """What hands out tables when they are needed: a `Store` is one.

    It may also have `stored(name, run_id)`, which gives a `StoredTable`.
    """

    def table(self, name: str, run_id: str | None = None) -> pa.Table:
        """The table `name`, with `run_id` as a column; only rows of that run, if one is given."""


@runtime_checkable
class StoredTable(Protocol):
    """A table that lies in files, with `run_id` and the columns of its schema."""

    def scan(self) -> ds.Dataset:
        """The table to be read in parts; its files may go while it is."""

    def locate(self) -> Located:
        """The same in two parts: files, which may go, and rows that are in none."""

    def table(self) -> pa.Table:
        """The whole table, in memory."""


class Relations:
    """The store's tables as Ibis relations, each prepared when it is first asked for."""

    def __init__(
        self,
        source: Mapping[str, Any] | TableReader,
        run_id: str | None,
        only: Mapping[str, Any] | None = None,
    ) -> None:
        """`only`: values that columns must have, in the tables that have such a column."""
        self._source = source
        self._run_id = run_id
        self._only = dict(only or {})
        self._prepared: dict[str, ir.Table] = {}
        in_memory = not isinstance(source, Mapping) or all(
            isinstance(table, (pa.Table, StoredTable)) for table in source.values()
        )
        self._memory = Memory(self._load) if in_memory else None

    def __getitem__(self, name: str) -> ir.Table:
        """The table `name` with all columns of its schema, `run_id` first.

        A table that is absent is empty, a column that an older store lacks is null.
        """
        if name not in self._prepared:
            self._prepared[name] = (
                self._elsewhere(name)
                if self._memory is None
                else ibis.table(ibis.Schema.from_pyarrow(_with_run_id(name)), name=name)
            )
        return self._prepared[name]

    def derived(self, name: str, build: Query) -> ir.Table:
        """What `build` makes of these tables, as a relation that others can be made from; it is
        computed once. Without that a planner would meet it again and again, each time in full."""
        if name not in self._prepared:
            self._prepared[name] = (
                build(self).cache()
                if self._memory is None
                else self._memory.derived(name, self, build)
            )
        return self._prepared[name]

    def of(self, **only: Any) -> Relations:
        """The same tables with only the rows in which these columns have these values."""
        return Relations(self._source, self._run_id, {**self._only, **only})

    def frame(self, build: Query, *arguments: Hashable) -> pd.DataFrame:
        """Run what `build(self, *arguments)` expresses.

        `build` must be a function of a module, whose expression depends on nothing else: it is
        compiled once in a process for all tables in memory.
        """
        return _frame(self._answer(build, arguments))

    def record(self, build: Query, *arguments: Hashable) -> dict[str, Any]:
        """The one row of an aggregate, as a dict of plain Python values."""
        # Not by way of pandas, which takes longer for one row than the query.
        row = self._answer(build, arguments).to_pylist()[0]
        return {name: _plain(value) for name, value in row.items()}

    def arrow(self, build: Query, *arguments: Hashable) -> pa.Table:
        """As `frame`, but the answer stays what a table of the store is: Arrow."""
        return self._answer(build, arguments)

    def run(self, expression: ir.Table) -> pd.DataFrame:
        """Run an expression of these relations that will hardly be needed again."""
        if self._memory is None:
            return _frame(expression.to_pyarrow())
        return _frame(self._memory.run(compiled(expression)))

    def _answer(self, build: Query, arguments: tuple[Hashable, ...]) -> pa.Table:
        if self._memory is None:
            return build(self, *arguments).to_pyarrow()
        return self._memory.answer(self, build, arguments)

    def _raw(self, name: str) -> Any:
        if isinstance(self._source, Mapping):
            return self._source.get(name)
        read = getattr(self._source, "stored", self._source.table)
        return read(name, self._run_id)

    def _elsewhere(self, name: str) -> ir.Table:
        relation = _relation(self._raw(name), name, self._run_id)
        for column, value in self._only.items():
            if column in relation.columns:
                relation = relation.filter(relation[column] == value)
        return relation

    def _load(self, name: str, from_files: bool) -> Source:
        """The table as DuckDB gets it: the schema's columns and no others, of one run."""
        schema, raw = _with_run_id(name), self._raw(name)
        if raw is None:
            return schema.empty_table()
        if isinstance(raw, StoredTable):
            raw = in_files(raw.locate()) if from_files else raw.table()
        only = {
            name: value
            for name, value in {"run_id": self._run_id, **self._only}.items()
            if value is not None
        }
        if isinstance(raw, ParquetRows):
            return replace(raw, only={name: only[name] for name in schema.names if name in only})
        known = set(raw.schema.names)
        for column, value in only.items():
            if column in known:
                raw = raw.filter(pc.field(column) == pc.scalar(value))
        if not isinstance(raw, pa.Table):
            return raw
        constant = {"run_id": self._run_id}
        columns = [
            raw[field.name].cast(field.type) if field.name in known
            else pa.repeat(pa.scalar(constant.get(field.name), field.type), raw.num_rows)
            for field in schema
        ]  # fmt: skip
        return pa.Table.from_arrays(columns, schema=schema)


Query: TypeAlias = "Callable[..., ir.Table]"


# What an analysis takes: a store, or tables by the names of `store.schema.TABLES`. A pyarrow table
# is analysed by DuckDB in memory, an Ibis table by the backend that it belongs to.
Tables: TypeAlias = Mapping[str, Any] | TableReader | Relations


def relations(tables: Tables, run_id: str | None = None) -> Relations:
    """The tables, prepared; only rows of one run, if given. `Relations` pass through as they are,
    so that analyses can be chained without preparing twice."""
    return tables if isinstance(tables, Relations) else Relations(tables, run_id)


def loaded(table: Any, column: str | None = None, values: Iterable[Any] = ()) -> pa.Table:
    """A table of any kind in memory; with `column` only rows in which it has one of `values`."""
    wanted = list(values)
    if isinstance(table, StoredTable):
        if column is None:
            return table.table()
        try:
            return table.scan().to_table(filter=pc.field(column).isin(wanted))
        except (OSError, pa.ArrowException):  # a file was compacted away meanwhile, or is damaged
            table = table.table()
    if isinstance(table, pa.Table):
        if column is None:
            return table
        return table.filter(pc.is_in(table[column], value_set=pa.array(wanted, pa.string())))
    return (table if column is None else table.filter(table[column].isin(wanted))).to_pyarrow()


def _frame(arrow: pa.Table) -> pd.DataFrame:
    """Integers and booleans are nullable, a missing float is NaN, times are UTC."""
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


def attempt_key(relation: ir.Table) -> list[str]:
    """The columns that tell one attempt from another (a rerun may repeat task and attempt)."""
    return [name for name in ("run_id", "task_id", "attempt", "spool") if name in relation.columns]


def _with_run_id(name: str) -> pa.Schema:
    return TABLES[name].insert(0, pa.field("run_id", pa.string()))


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
    return list(column.to_numpy(dtype=object, na_value=cast("Any", None)))


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.timezone.utc)
    return None if value != value else value  # what is not itself is NaN
