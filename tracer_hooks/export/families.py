"""Figures ready to be shown: a metric of the table, and its points."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tracer_hooks.export.metrics import Labels, Metric


class Point(NamedTuple):
    """One figure. `suffix`: `_bucket`, `_sum` or `_count` of a histogram or summary, else empty;
    `at`: UNIX seconds, None: now."""

    labels: Labels
    value: float
    suffix: str = ""
    at: float | None = None


class Family(NamedTuple):
    """All points of one metric."""

    metric: Metric
    points: list[Point]
