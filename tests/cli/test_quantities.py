"""Sizes and durations, as people and schedulers write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_hooks.errors import UsageError
from tracer_hooks.quantities import parse_duration, parse_number, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4G", 4 * 1024**3),
        ("4g", 4 * 1024**3),
        ("512MiB", 512 * 1024**2),
        ("512 MiB", 512 * 1024**2),
        ("1.5GB", 1_500_000_000),
        ("1000000", 1_000_000),
        ("0", 0),
        ("7B", 7),
        ("2Gi", 2 * 1024**3),
        ("1T", 1024**4),
        (".5K", 512),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("90s", 90),
        ("30m", 1800),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1.5h", 5400),
        ("2d", 172800),
        ("2 days", 172800),
        ("250ms", 0.25),
        ("30:00", 1800),
        ("01:30:00", 5400),
        ("1-00:00:00", 86400),
        ("1-12", 129600),
        ("2-06:30", 196200),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "G", "4X", "4GG", "-4G", "four", "1e400", "nan", "inf", "4 4", "9" * 400]
)
def test_what_is_no_size_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size") as caught:
        parse_size(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ":",
        "1h30",
        "abc",
        "1:2:3:4",
        "-5",
        "1-",
        "-1:00",
        "1m30",
        "h",
        "nan",
        "1-2-3",
        "²:00",
        "9" * 400,
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "many", "1e30", ""])
def test_what_is_no_sensible_number_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_number(text)


@given(st.text(max_size=12))
def test_any_text_gives_a_finite_value_or_a_usage_error(text: str) -> None:
    for parse in (parse_size, parse_duration, parse_number):
        try:
            value = parse(text)
        except UsageError:
            continue
        assert 0 <= value < float("inf")


@given(st.integers(0, 10**7))
def test_slurm_clock_round_trip(seconds: int) -> None:
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    assert parse_duration(f"{days}-{hours:02}:{rest // 60:02}:{rest % 60:02}") == seconds
