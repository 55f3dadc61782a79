"""Values from JSON, gathered in columns and turned into Arrow.

A value of the wrong type is null, never a crash: a spool may come from another version, or from a
disk that was full. The quick way takes a whole column at once; only if something in it does not
fit is the column looked at value by value.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tracer_hooks.store.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LAST_TIME = 253_402_300_800.0  # the year 10000, where Python's datetime ends
_CHUNK_ROWS = 5_000
_NUMBERS = {int, float, type(None)}
_LIMITS = {pa.int32(): 1 << 31, pa.int64(): 1 << 63}


class Columns:
    """Rows of one table; turned into Arrow a few thousand at a time, so that memory is bounded."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows: list[Mapping[str, Any]] = []
        self._chunks: list[pa.RecordBatch] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row; a column that it lacks is null, a key that is no column is ignored."""
        self._rows.append(row)
        if len(self._rows) >= _CHUNK_ROWS:
            self._flush()

    def table(self) -> pa.Table:
        """All rows so far, with the schema's types."""
        if self._rows:
            self._flush()
        return pa.Table.from_batches(self._chunks, self._schema).combine_chunks()

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        arrays = [column([row.get(f.name) for row in rows], f.type) for f in self._schema]
        self._chunks.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))


def column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """`values` as an array of `kind`; what does not fit is null. Times come as UNIX seconds."""
    if not pa.types.is_nested(kind):
        try:
            return _quickly(values, kind)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            pass  # something does not fit: find out what
    return pa.array([value_of(value, kind) for value in values], _plain(kind)).cast(kind)


def value_of(value: Any, kind: pa.DataType) -> Any:
    """One value as `kind`, or None if it is not one. A time becomes microseconds."""
    if value is None:
        return None
    if pa.types.is_string(kind):
        return clean(value) if isinstance(value, str) else None
    if pa.types.is_boolean(kind):
        return value if isinstance(value, bool) else None
    if pa.types.is_map(kind):
        return _map(value)
    if pa.types.is_list(kind):
        if not isinstance(value, list):
            return None
        return [clean(v) if isinstance(v, str) else None for v in value]
    return _number(value, kind)


def _number(value: Any, kind: pa.DataType) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number):
        return None
    if pa.types.is_floating(kind):
        return number
    if pa.types.is_timestamp(kind):
        return round(number * 1e6) if 0 <= number < _LAST_TIME else None
    whole = value if isinstance(value, int) else round(value)
    limit = _LIMITS[kind]
    return whole if -limit <= whole < limit else None


def _map(value: Any) -> list[tuple[str, str | None]] | None:
    """Tags: text to text; what a tag holds that is not text is kept as its JSON."""
    if not isinstance(value, dict):
        return None
    return [
        (clean(str(key)), clean(item) if isinstance(item, str) else _json(item))
        for key, item in value.items()
    ]


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _quickly(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind) or pa.types.is_boolean(kind):
        return pa.array(values, kind)
    if not set(map(type, values)) <= _NUMBERS:  # to Arrow, True among floats is 1.0
        raise ValueError("not numbers")
    numbers = pa.array(values)
    if pa.types.is_null(numbers.type):
        return numbers.cast(kind)
    if pa.types.is_integer(kind):
        if not pa.types.is_signed_integer(numbers.type):
            raise ValueError("not whole numbers")
        return numbers.cast(kind)
    numbers = numbers.cast(pa.float64(), safe=False)
    if pa.types.is_timestamp(kind):
        known = pc.and_(pc.greater_equal(numbers, 0.0), pc.less(numbers, _LAST_TIME))
        numbers = pc.if_else(known, numbers, None)
        return pc.round(pc.multiply(numbers, 1e6)).cast(pa.int64()).cast(kind)
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.int64() if pa.types.is_timestamp(kind) else kind
