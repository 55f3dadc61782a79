"""Arrow's columns as PostgreSQL takes them: a statement COPY for each batch of rows, in binary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from psycopg.types.json import Jsonb

from tracer_hooks.export.postgres.migrations import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from psycopg import Connection

# Text may hold anything but the character 0, which is written as a program would show it.
_ZERO, _SHOWN_ZERO = "\x00", "\\x00"


def copy_batch(connection: Connection, table: str, batch: pa.RecordBatch | pa.Table) -> None:
    """Append the rows of `batch` to `table`, which has columns of these names."""
    names = [field.name for field in batch.schema]
    columns = [_plain(batch.column(name)) for name in names]
    types = [_type(field.type) for field in batch.schema]
    _copy(connection, table, names, types, zip(*columns, strict=True))


def copy_records(
    connection: Connection, table: str, types: Mapping[str, str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Append plain rows to `table`; `types`: PostgreSQL's type of each column, in order."""
    values = ([_value(row[name]) for name in types] for row in rows)
    _copy(connection, table, list(types), list(types.values()), values)


def _copy(
    connection: Connection,
    table: str,
    names: Sequence[str],
    types: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> None:
    quoted = ", ".join(f'"{name}"' for name in names)
    statement = f"COPY {SCHEMA}.{table} ({quoted}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamptz"
    if pa.types.is_map(kind):
        return "jsonb"
    if pa.types.is_list(kind):
        return "text[]"
    return {pa.string(): "text", pa.float64(): "float8", pa.int64(): "int8", pa.int32(): "int4",
            pa.bool_(): "bool"}[kind]  # fmt: skip


def _plain(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    if pa.types.is_string(column.type):
        column = pc.replace_substring(column, _ZERO, _SHOWN_ZERO)
        return list(column.to_pylist())
    if pa.types.is_map(column.type):
        return [_value(value) for value in column.to_pylist(maps_as_pydicts="lossy")]
    if pa.types.is_list(column.type):
        return [_value(value) for value in column.to_pylist()]
    return list(column.to_pylist())


def _value(value: Any) -> Any:
    """A value without the character 0; a dict as JSON."""
    return Jsonb(_clean(value)) if isinstance(value, dict) else _clean(value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_ZERO, _SHOWN_ZERO)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
