"""Figures as people read them: three significant digits, one dash for what was not measured."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import TypeGuard

UNKNOWN = "\N{EN DASH}"
# No clock here counts less: what is left of sums and differences of many figures.
_NO_TIME_S = 1e-9
_NO_PERCENT = 1e-9
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def number(value: float | None) -> str:
    """Three significant digits: `0.0123`, `1.04`, `23.5`, `1,204`."""
    if not _known(value):
        return UNKNOWN
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(size)))
    if digits > 6:
        return f"{value:.0e}"
    text = f"{value:.{digits}f}"
    # Rounding can carry into the next power of ten: 9.996 is 10.0, not 10.00.
    return text if float(text) == 0 or digits == max(0, 2 - _power(float(text))) else text[:-1]


def count(value: float | None) -> str:
    """A whole number with thousands separated: `15,210`."""
    return f"{value:,.0f}" if _known(value) else UNKNOWN


def duration(seconds: float | None) -> str:
    """`<1 µs`, `180 µs`, `72 ms`, `3.41 s`, `1m 12s`, `2h 05m`, `3d 04h`."""
    if not _known(seconds):
        return UNKNOWN
    if abs(seconds) < _NO_TIME_S:
        return "0 s"
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 9.995e-7:
        return "<1 µs"
    if seconds < 0.0009995:
        return f"{number(seconds * 1e6)} µs"
    if seconds < 0.9995:
        return f"{number(seconds * 1e3)} ms"
    if seconds < 59.95:
        return f"{number(seconds)} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60}h {minutes % 60:02d}m"
    hours = round(seconds / 3600)
    return f"{hours // 24:,}d {hours % 24:02d}h"


def size(value: float | None) -> str:
    """Binary units: `512 B`, `1.50 KiB`, `3.12 GiB`."""
    if not _known(value):
        return UNKNOWN
    if value < 0:
        return "-" + size(-value)
    place = 0
    # 999.5 would be written with four digits, so the next unit begins there.
    while value >= 999.5 and place < len(_BINARY) - 1:
        value /= 1024
        place += 1
    return f"{value:.0f} B" if place == 0 else f"{number(value)} {_BINARY[place]}"


def percent(share: float | None) -> str:
    """`71 %`, `3.4 %`, `0 %`; what is not nothing never reads as nothing: `<0.1 %`."""
    if not _known(share):
        return UNKNOWN
    value = share * 100
    if abs(value) < _NO_PERCENT:
        return "0 %"
    if abs(value) < 0.05:
        return "<0.1 %" if value > 0 else "0 %"
    return f"{value:.1f} %" if abs(value) < 9.95 else f"{value:.0f} %"


def whole_percent(share: float | None) -> str:
    """For columns: `71 %`, `<1 %`, `0 %`."""
    if not _known(share):
        return UNKNOWN
    text = f"{share * 100:.0f} %"
    return "<1 %" if text == "0 %" and share * 100 >= _NO_PERCENT else text


def cores(value: float | None) -> str:
    """Two decimals and no more: `0.42`, `12.5`, `<0.01`."""
    if not _known(value):
        return UNKNOWN
    if 0 < value < 0.005:
        return "<0.01"
    return f"{value:.2f}" if value < 9.995 else number(value)


def asked(text: str) -> str:
    """A figure that a person chose, without the zeros that measuring adds: `8 GiB`, `1.5`."""
    return re.sub(r"(?<=\d)\.?0+(?= |$)", "", text) if "." in text else text


def cpu_time(seconds: float | None) -> str:
    """CPU hours where there are any, as bills count them; else a duration."""
    if not _known(seconds) or seconds < 3600:
        return duration(seconds)
    return f"{number(seconds / 3600)} h"


def moment(at: dt.datetime | None) -> str:
    """`2026-05-01 10:11:12 UTC`"""
    return UNKNOWN if at is None else f"{at.astimezone(dt.timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def plural(value: float | None, one: str, many: str | None = None) -> str:
    """`1 task`, `2 tasks`; a dash for a number that is not known."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _power(value: float) -> int:
    return math.floor(math.log10(abs(value)))
