"""Figures as people read them."""

from __future__ import annotations

import datetime as dt
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_hooks.report import units

FORMATS = [units.number, units.count, units.duration, units.size, units.percent,
           units.whole_percent, units.cores, units.cpu_time]  # fmt: skip


@pytest.mark.parametrize("render", FORMATS)
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_unknown_is_a_dash(render: object, value: float | None) -> None:
    assert render(value) == units.UNKNOWN  # type: ignore[operator]


@pytest.mark.parametrize(
    ("render", "value", "expected"),
    [
        (units.number, 0, "0"), (units.number, 9.996, "10.0"), (units.number, 0.01234, "0.0123"),
        (units.number, 99.96, "100"), (units.number, 15210, "15,210"),
        (units.duration, 0, "0 s"), (units.duration, 2e-5, "20.0 µs"),
        (units.duration, 7e-15, "0 s"), (units.duration, -7e-15, "0 s"),
        (units.duration, 4e-8, "<1 µs"), (units.duration, 9.999e-7, "1.00 µs"),
        (units.percent, 1e-15, "0 %"), (units.whole_percent, 1e-15, "0 %"),
        (units.duration, 0.0723, "72.3 ms"), (units.duration, 0.9999, "1.00 s"),
        (units.duration, 59.96, "1m 00s"), (units.duration, 72, "1m 12s"),
        (units.duration, 3599.9, "1h 00m"), (units.duration, 7512, "2h 05m"),
        (units.duration, 86400 * 3 + 3600 * 4, "3d 04h"), (units.duration, -72, "-1m 12s"),
        (units.size, 0, "0 B"), (units.size, 999, "999 B"), (units.size, 1000, "0.977 KiB"),
        (units.size, 1536, "1.50 KiB"), (units.size, 1 << 30, "1.00 GiB"),
        (units.size, 1 << 62, "4.00 EiB"), (units.size, -2048, "-2.00 KiB"),
        (units.percent, 0, "0 %"), (units.percent, 0.0001, "<0.1 %"),
        (units.percent, 0.034, "3.4 %"), (units.percent, 0.0996, "10 %"),
        (units.percent, 0.714, "71 %"), (units.percent, 1.3, "130 %"),
        (units.whole_percent, 0.001, "<1 %"), (units.whole_percent, 0, "0 %"),
        (units.cores, 0.001, "<0.01"), (units.cores, 1.04, "1.04"), (units.cores, 63.5, "63.5"),
        (units.cpu_time, 5400, "1.50 h"), (units.cpu_time, 72, "1m 12s"),
        (units.asked, "8.00 GiB", "8 GiB"), (units.asked, "1.50", "1.5"),
        (units.asked, "100", "100"), (units.asked, units.UNKNOWN, units.UNKNOWN),
    ],
)  # fmt: skip
def test_examples(render: object, value: object, expected: str) -> None:
    assert render(value) == expected  # type: ignore[operator]


def test_moments_are_in_utc_whatever_their_zone() -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    at = dt.datetime(2026, 5, 1, 12, 11, 12, 345678, tzinfo=zone)
    assert units.moment(at) == "2026-05-01 10:11:12 UTC"
    assert units.moment(None) == units.UNKNOWN


def test_plurals() -> None:
    assert units.plural(1, "task") == "1 task"
    assert units.plural(0, "retry", "retries") == "0 retries"


@given(st.floats(1e-4, 1e12))
def test_numbers_have_three_digits_and_are_right(value: float) -> None:
    text = units.number(value)
    assert float(text.replace(",", "")) == pytest.approx(value, rel=5.1e-3)
    if value < 99:
        assert len(re.sub(r"^0\.0*|\.", "", text)) == 3


@given(st.floats(1e-6, 1e9))
def test_what_is_something_never_reads_as_nothing(value: float) -> None:
    for render in (units.duration, units.size, units.percent, units.whole_percent, units.cores):
        if render is not units.size or value >= 1:
            assert re.search(r"[1-9]", render(value)), render


_SECONDS = {"µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}


@given(st.floats(1e-6, 1e8))
def test_durations_are_right_to_their_last_part(value: float) -> None:
    parts = re.findall(r"([\d.,]+) ?(µs|ms|s|m|h|d)", units.duration(value))
    read = sum(float(number.replace(",", "")) * _SECONDS[unit] for number, unit in parts)
    assert read == pytest.approx(value, rel=0.03)
