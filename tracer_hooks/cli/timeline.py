"""A time series as one line of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 60

Point = tuple[float, "float | None"]


def sparkline(points: Sequence[Point], rate: bool, width: int = _WIDTH) -> tuple[str, float | None]:
    """The line, and the largest value in it (None if nothing was measured).

    `points`: seconds since the start and a value, in order of time. With `rate` the values are
    counters, and what is drawn is their growth per second. Each sign is the mean over its part of
    the time; a blank is a part without a reading.
    """
    known = [(at, float(value)) for at, value in points if value is not None]
    if len(known) < 2 or known[-1][0] <= known[0][0]:
        return "", None
    begin, end = (0.0 if rate else known[0][0]), known[-1][0]
    step = (end - begin) / width
    weights, sums = [0.0] * width, [0.0] * width
    before = (0.0, 0.0) if rate else known[0]
    for at, value in known:
        span = at - before[0]
        if span > 0:
            height = (value - before[1]) / span if rate else value
            _spread(weights, sums, (before[0] - begin) / step, (at - begin) / step, height)
            before = (at, value)
    means = [s / w if w > 0 else None for s, w in zip(sums, weights, strict=True)]
    most = max((m for m in means if m is not None), default=None)
    if most is None or most <= 0:
        return "", most
    return "".join(_bar(mean, most) for mean in means), most


def _spread(
    weights: list[float], sums: list[float], left: float, right: float, height: float
) -> None:
    """Add a height that held from `left` to `right` (in cells) to the cells that it covers."""
    for cell in range(max(0, int(left)), min(len(weights), int(right) + 1)):
        part = min(right, cell + 1) - max(left, cell)
        if part > 0:
            weights[cell] += part
            sums[cell] += part * height


def _bar(mean: float | None, most: float) -> str:
    if mean is None or mean <= 0:
        return " "
    return _BARS[min(8, max(1, round(8 * mean / most)))]
