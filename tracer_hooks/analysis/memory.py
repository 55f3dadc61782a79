"""Queries by DuckDB on tables in memory or in files; what is compiled once is kept.

Ibis needs longer to turn an expression into SQL than DuckDB to answer it, and the SQL depends on
the tables' types alone. So expressions are made of unbound tables of the schema, their SQL is kept
for the life of the process, and the tables are handed to DuckDB by name. Of a table that is in
files (an Arrow dataset) DuckDB reads the columns and the rows that a query needs.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from tracer_hooks.analysis import compiled as kept
from tracer_hooks.analysis.compiled import Compiled, name_of
from tracer_hooks.analysis.duckdb_tables import introduce
from tracer_hooks.analysis.later import ibis

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import ibis.expr.types as ir

    from tracer_hooks.analysis.duckdb_tables import Source

    Build = Callable[..., ir.Table]

# More rows than most runs have. What is derived from them would not fit into memory as a table, so
# it is computed within each query that needs it.
MANY_ROWS = 250_000
_ATTEMPTS = "tasks"  # has a row for each
# From here on running takes longer than planning, and more threads are worth starting.
_SOME_ROWS = 20_000
_MOST_THREADS = 4  # login nodes are shared


_COMPILED: dict[tuple[Hashable, ...], Compiled] = {}
_DERIVED: dict[str, Compiled] = {}  # relations that are made of the tables, by name


def compiled(expression: ir.Table) -> Compiled:
    """The expression, which is made of unbound tables, for DuckDB."""
    from ibis.expr.operations import UnboundTable

    tables = {node.name for node in expression.op().find(UnboundTable)}
    sql = str(ibis.to_sql(expression, dialect="duckdb", pretty=False))
    derived = {name: _DERIVED[name] for name in tables if name in _DERIVED}
    return Compiled(sql, tuple(sorted(tables)), expression.schema().to_pyarrow(), derived)


@lru_cache(maxsize=1)
def _database() -> duckdb.DuckDBPyConnection:
    """One for the process, which takes longer to open than most queries to answer; what is
    registered with a cursor of it is the cursor's own. One thread: planning takes longer than
    running, and login nodes are shared."""
    database = duckdb.connect(config={"threads": 1})
    database.execute("SET GLOBAL TimeZone = 'UTC'")  # as all times of the tables are
    return database


class Memory:
    """Answers queries on the tables that `load` gives by name, each loaded when first needed.

    `load(name, from_files)` gives an Arrow table, or what lies in files if `from_files` allows
    that. Files may go, or prove to be damaged, while they are read: then it is asked again.
    """

    def __init__(self, load: Callable[[str, bool], Source]) -> None:
        self._load = load
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._rows: dict[str, int] = {}  # of the tables that DuckDB knows
        self._files: set[str] = set()  # those of them that it reads from files
        self._derived: set[str] = set()  # and those that are made of others

    def derived(self, name: str, relations: Any, build: Build) -> ir.Table:
        """The result of `build(relations)` as an unbound table, computed when it is needed. It has
        a row for each attempt, or for some of them."""
        query = _DERIVED[name] = self._kept(relations, build, ())
        return ibis.table(ibis.Schema.from_pyarrow(query.schema), name=name)

    def answer(self, relations: Any, build: Build, arguments: tuple[Hashable, ...]) -> pa.Table:
        """The answer to `build(relations, *arguments)`, which is made but once in a process."""
        return self.run(self._kept(relations, build, arguments))

    def run(self, query: Compiled) -> pa.Table:
        """The answer, with the types that Ibis promises."""
        try:
            return self._run(query)
        except duckdb.Error:
            if not self._files:
                raise
        self._forget_files()
        try:
            return self._run(query)
        except duckdb.Error:
            self._forget_files()
            return self._run(query, from_files=False)

    def _run(self, query: Compiled, *, from_files: bool = True) -> pa.Table:
        if self._connection is None:
            self._connection = _database().cursor()
        for name in query.tables:
            self._prepare(self._connection, name, query.derived.get(name), from_files)
        answer = self._connection.sql(query.sql).to_arrow_table()
        if self._files:
            pa.default_memory_pool().release_unused()  # what reading ahead took
        return _promised(answer, query.schema)

    def _prepare(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        query: Compiled | None,
        from_files: bool,
    ) -> None:
        """Make a table, or what `query` derives under that name, known to DuckDB."""
        if name in self._rows:
            return
        if query is None:
            source = self._load(name, from_files)
            if not isinstance(source, pa.Table):
                self._files.add(name)
            self._rows[name] = rows = introduce(connection, name, source)
            if rows > _SOME_ROWS:
                threads = min(_MOST_THREADS, os.cpu_count() or 1)
                connection.execute(f"SET threads = {threads}")
            return
        for table in query.tables:
            self._prepare(connection, table, query.derived.get(table), from_files)
        rows = self._rows[_ATTEMPTS]
        if rows > MANY_ROWS:
            connection.execute(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {query.sql}')
        else:
            introduce(connection, name, self._run(query, from_files=from_files))
        self._rows[name] = rows
        self._derived.add(name)

    def _forget_files(self) -> None:
        for name in self._files | self._derived:  # what is made of them may be but a view
            self._rows.pop(name, None)
        self._files.clear()
        self._derived.clear()

    def _kept(self, relations: Any, build: Build, arguments: tuple[Hashable, ...]) -> Compiled:
        key = (build, *arguments)
        if key not in _COMPILED:
            _COMPILED[key] = _recalled(build, arguments) or _new(relations, build, arguments)
        return _COMPILED[key]


def _recalled(build: Build, arguments: tuple[Hashable, ...]) -> Compiled | None:
    name = name_of(build, arguments)
    return kept.keeper.recall(name) if kept.keeper is not None and name else None


def _new(relations: Any, build: Build, arguments: tuple[Hashable, ...]) -> Compiled:
    query, name = compiled(build(relations, *arguments)), name_of(build, arguments)
    if kept.keeper is not None and name:
        kept.keeper.keep(name, query)
    return query


def _promised(answer: pa.Table, schema: pa.Schema) -> pa.Table:
    """The answer with the types that Ibis promises: sums come with more digits than that."""
    if answer.schema == schema:
        return answer
    columns = [answer[one.name].cast(one.type) for one in schema]
    return pa.Table.from_arrays(columns, schema=schema)
