"""JSON values become Arrow: quickly where all is well, null where a value does not fit."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_hooks.store.columns import column, value_of
from tracer_hooks.store.schema import TABLES
from tracer_hooks.store.text import clean

KINDS = sorted({field.type for schema in TABLES.values() for field in schema}, key=str)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(1 << 70), max_value=1 << 70)
    | st.floats()
    | st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF))
    | st.characters(categories=["Cs"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(values=st.lists(json_values, max_size=8), kind=st.sampled_from(KINDS))
def test_any_json_fits_any_column(values: list[Any], kind: pa.DataType) -> None:
    array = column(values, kind)
    array.validate(full=True)
    assert array.type == kind
    assert len(array) == len(values)


@given(
    values=st.lists(st.none() | st.booleans() | st.integers() | st.floats(), max_size=8),
    kind=st.sampled_from([k for k in KINDS if not pa.types.is_nested(k)]),
)
def test_the_quick_way_gives_what_the_slow_way_gives(values: list[Any], kind: pa.DataType) -> None:
    # A column that holds text as well is looked at value by value.
    slow = column([*values, "text"], kind)[:-1]
    if pa.types.is_string(kind):
        slow = column([*values, True], kind)[:-1]
    assert column(values, kind).to_pylist() == slow.to_pylist()


def test_a_value_of_the_wrong_type_is_null_and_the_others_stay() -> None:
    assert column([1, "2", True, 3.0, None, 1 << 63], pa.int64()).to_pylist() == [
        1, None, None, 3, None, None,
    ]  # fmt: skip
    assert column([1, math.nan, math.inf, 10**400, 2.5], pa.float64()).to_pylist() == [
        1.0, None, None, None, 2.5,
    ]  # fmt: skip
    assert column(["a", 1, ["b"]], pa.string()).to_pylist() == ["a", None, None]
    assert column([1 << 31, 5], pa.int32()).to_pylist() == [None, 5]


def test_times_are_utc_with_microseconds() -> None:
    kind = pa.timestamp("us", tz="UTC")
    at = dt.datetime(2023, 11, 14, 22, 13, 20, 123457, tzinfo=dt.timezone.utc)
    for others in ([], ["text"]):
        found = column([1_700_000_000.123457, -1, 1e18, *others], kind).to_pylist()
        assert found == [at, None, None, *([None] * len(others))]


@pytest.mark.parametrize(
    ("given_text", "stored"),
    [
        ("plain é 😀\n", "plain é 😀\n"),
        ("bad \udcff byte", "bad \\xff byte"),
        ("lone \ud800", "lone \\ud800"),
    ],
)
def test_text_that_is_not_unicode_is_escaped(given_text: str, stored: str) -> None:
    assert clean(given_text) == stored
    assert column([given_text], pa.string()).to_pylist() == [stored]


def test_tags_are_text() -> None:
    kind = TABLES["tasks"].field("tags").type
    assert value_of({"a": "b", "n": 1, "x": None}, kind) == [("a", "b"), ("n", "1"), ("x", None)]
    assert column([{"\udcff": "\udcfe"}, [1], None], kind).to_pylist() == [
        [("\\xff", "\\xfe")], None, None,
    ]  # fmt: skip
