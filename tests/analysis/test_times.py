"""Times as numbers."""

from __future__ import annotations

import datetime as dt
import time

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.synthetic import RUN, table, task
from tracer_hooks.analysis import memory
from tracer_hooks.analysis.tables import relations
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


def test_where_the_computer_stands_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this hour the clocks of Berlin were put forward: by them it took two."""
    start = dt.datetime(2025, 3, 30, 0, 30, tzinfo=dt.timezone.utc)
    row = {**task(), "started_at": start, "ended_at": start + dt.timedelta(hours=1)}
    memory._database.cache_clear()
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        found = relations({"tasks": table("tasks", [row])}, RUN).record(_hour)
    time.tzset()
    memory._database.cache_clear()
    assert found == {"took_s": 3600.0, "started_at": start}


def _hour(t):  # type: ignore[no-untyped-def]
    a = t["tasks"]
    return a.select("started_at", took_s=epoch_s(a.ended_at) - epoch_s(a.started_at))
