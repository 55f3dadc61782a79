"""Columns into tables of the store's schema; what is not given is null."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracer_hooks.store.schema import TABLES


def table(name: str, rows: int, **columns: Any) -> pa.Table:
    """The table `name` from arrays of `rows` values, and single values that all rows have.

    Numbers are rounded where the schema has whole ones; ValueError if there is no such column.
    """
    schema = TABLES[name]
    unknown = set(columns) - set(schema.names)
    if unknown:
        raise ValueError(f"table {name} has no columns {unknown}")
    made = [_column(columns.get(field.name), field.type, rows) for field in schema]
    return pa.Table.from_arrays(made, schema=schema)


def where(condition: npt.NDArray[np.bool_], values: npt.NDArray[Any]) -> pa.Array:
    """`values` where the condition holds, else null."""
    return pa.array(values, mask=~condition)


def _column(values: Any, kind: pa.DataType, rows: int) -> pa.Array:
    if values is None:
        return pa.nulls(rows, kind)
    if isinstance(values, (str, int, float)):
        return pa.repeat(pa.scalar(values, kind), rows)
    if isinstance(values, np.ndarray):
        values = pa.array(values)
    if not pa.types.is_floating(kind) and pa.types.is_floating(values.type):
        values = values.cast(pa.int64(), safe=False)
    return values.cast(kind)
