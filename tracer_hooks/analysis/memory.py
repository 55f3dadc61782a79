"""Queries on tables in memory: DuckDB runs them, and what is compiled once is kept.

Ibis needs longer to turn an expression into SQL than DuckDB to answer it, and the SQL depends on
the tables' types alone. So expressions are made of unbound tables of the schema, their SQL is kept
for the life of the process, and the tables are handed to DuckDB by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import ibis.expr.operations as ops
from ibis.formats.pyarrow import PyArrowData

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import ibis.expr.types as ir
    import pyarrow as pa

    Build = Callable[..., ir.Table]


@dataclass(frozen=True)
class Compiled:
    """SQL, the tables that it names, and what comes out."""

    sql: str
    tables: tuple[str, ...]
    schema: ibis.Schema


_COMPILED: dict[tuple[Hashable, ...], Compiled] = {}
_DERIVED: dict[str, Compiled] = {}  # relations that are made of the tables, by name


def compiled(expression: ir.Table) -> Compiled:
    """The expression, which is made of unbound tables, for DuckDB."""
    tables = {node.name for node in expression.op().find(ops.UnboundTable)}
    sql = str(ibis.to_sql(expression, dialect="duckdb", pretty=False))
    return Compiled(sql, tuple(sorted(tables)), expression.schema())


@lru_cache(maxsize=1)
def _database() -> duckdb.DuckDBPyConnection:
    """One for the process, which takes longer to open than most queries to answer; what is
    registered with a cursor of it is the cursor's own. One thread: planning takes longer than
    running, and login nodes are shared."""
    return duckdb.connect(config={"threads": 1})


class Memory:
    """Answers queries on the tables that `load` gives by name, each loaded when first needed."""

    def __init__(self, load: Callable[[str], pa.Table]) -> None:
        self._load = load
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._known: set[str] = set()

    def derived(self, name: str, relations: Any, build: Build) -> ir.Table:
        """The result of `build(relations)` as an unbound table, computed when it is needed."""
        query = _DERIVED[name] = self._kept(relations, build, ())
        return ibis.table(query.schema, name=name)

    def answer(self, relations: Any, build: Build, arguments: tuple[Hashable, ...]) -> pa.Table:
        """The answer to `build(relations, *arguments)`, which is made but once in a process."""
        return self.run(self._kept(relations, build, arguments))

    def run(self, query: Compiled) -> pa.Table:
        """The answer, with the types that Ibis promises."""
        if self._connection is None:
            self._connection = _database().cursor()
        for name in query.tables:
            if name not in self._known:
                self._known.add(name)
                needed = _DERIVED.get(name)
                table = self._load(name) if needed is None else self.run(needed)
                self._connection.register(name, table)
        answer = self._connection.sql(query.sql).to_arrow_table()
        return PyArrowData.convert_table(answer, query.schema)

    def _kept(self, relations: Any, build: Build, arguments: tuple[Hashable, ...]) -> Compiled:
        key = (build, *arguments)
        if key not in _COMPILED:
            _COMPILED[key] = compiled(build(relations, *arguments))
        return _COMPILED[key]
