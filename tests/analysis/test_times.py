"""Times as numbers."""

from __future__ import annotations

import datetime as dt

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_hooks.analysis.times import epoch_s

MOMENTS = st.datetimes(
    dt.datetime(1971, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.timezone.utc)
)


@given(st.lists(MOMENTS, min_size=1, max_size=5))
def test_to_the_microsecond(moments: list[dt.datetime]) -> None:
    column = pa.array(moments, pa.timestamp("us", "UTC"))
    rows = ibis.memtable(pa.table({"n": range(len(moments)), "at": column}))
    found = rows.select("n", at=epoch_s(rows.at)).order_by("n").to_pyarrow()["at"].to_pylist()
    assert found == pytest.approx([one.timestamp() for one in moments], abs=2e-6, rel=0)
