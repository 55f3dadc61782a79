"""How DuckDB gets to know the store's tables: from memory, from Parquet files, from a dataset.

Times reach it without a zone, and all of them are UTC: to compute with zones takes it ten times as
long, and the answer would depend on where the computer stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import pyarrow.dataset as ds

    from tracer_hooks.store.scanning import Located

# Each reads ahead what memory has to hold: Arrow's eight take a hundred MiB more, and no less time.
_READERS = 2
_PATTERN = frozenset("*?[")


@dataclass(frozen=True)
class ParquetRows:
    """The rows of one run: those in `files` (paths), which have no column `run_id`, and `rows`,
    which have all columns; of both only rows whose columns have the values in `only`."""

    run_id: str
    files: tuple[str, ...]
    rows: pa.Table
    only: Mapping[str, Any] = field(default_factory=dict)


Source: TypeAlias = "pa.Table | ds.Dataset | ParquetRows"


def in_files(located: Located) -> ParquetRows | ds.Dataset:
    """What is stored as DuckDB is to read it: from files that are here and of one run by itself,
    which takes half the memory; from others by way of Arrow."""
    runs = {run_id for _, run_id in located.files}
    paths = tuple(str(path) for path, _ in located.files if isinstance(path, Path))
    # It would take others for patterns.
    plain = len(paths) == len(located.files) and all(map(_PATTERN.isdisjoint, paths))
    if len(runs) == 1 and plain:
        return ParquetRows(runs.pop(), paths, located.rows)
    return located.dataset()


def introduce(connection: duckdb.DuckDBPyConnection, name: str, source: Source) -> int:
    """Make a table known by a name. Returns how many rows it has; of files as their footers say,
    without what `only` leaves. Raises duckdb.Error where files are gone or damaged."""
    if isinstance(source, pa.Table):
        connection.register(name, _without_zones(source))
        return int(source.num_rows)
    if not isinstance(source, ParquetRows):
        pa.set_io_thread_count(_READERS)
        connection.register(_part(name), source)
        _view(connection, name, source.schema, f"FROM {_quoted(_part(name))}")
        return int(source.count_rows())
    files = f"read_parquet([{', '.join(map(_literal, source.files))}], hive_partitioning = false"
    files += ", union_by_name = true)" if len(source.files) > 1 else ")"
    schema = source.rows.schema
    parts = [_of_files(connection, files, schema, source.run_id)]
    known = connection.sql(parts[0])
    whole = connection.from_arrow(schema.empty_table())
    if source.rows.num_rows or (known.columns, known.types) != (whole.columns, whole.types):
        # Beside these the columns that an older file lacks are null.
        connection.register(_part(name), source.rows)
        parts.append(f"SELECT * FROM {_quoted(_part(name))}")
    found = f"FROM ({' UNION ALL BY NAME '.join(parts)})"
    tests = [f"{_quoted(column)} = {_literal(value)}" for column, value in source.only.items()]
    _view(connection, name, schema, found + (f" WHERE {' AND '.join(tests)}" if tests else ""))
    counted = connection.execute(f"SELECT count(*) FROM {files}").fetchall()
    return int(source.rows.num_rows) + int(counted[0][0])


def _of_files(
    connection: duckdb.DuckDBPyConnection, files: str, schema: pa.Schema, run_id: str
) -> str:
    there = set(connection.sql(f"SELECT * FROM {files}").columns) - {"run_id"}
    columns = [_quoted(name) for name in schema.names if name in there]
    return f"SELECT {', '.join([f'{_literal(run_id)} AS run_id', *columns])} FROM {files}"


def _view(connection: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, found: str) -> None:
    columns = [
        f"make_timestamp(epoch_us({_quoted(one.name)})) AS {_quoted(one.name)}"
        if pa.types.is_timestamp(one.type) and one.type.tz
        else _quoted(one.name)
        for one in schema
    ]
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {_quoted(name)} AS SELECT {', '.join(columns)} {found}"
    )


def _without_zones(table: pa.Table) -> pa.Table:
    """The same table, which shares its memory, with times that say nothing of UTC."""
    for place, one in enumerate(table.schema):
        if pa.types.is_timestamp(one.type) and one.type.tz:
            naive = table.column(place).cast(pa.timestamp(one.type.unit))
            table = table.set_column(place, one.name, naive)
    return table


def _part(name: str) -> str:
    return name + " (part)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: Any) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
