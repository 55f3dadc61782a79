"""Metrics of the table as OpenTelemetry has them: dotted names, full attribute names, units."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

from tracer_hooks.export.metrics import metric_table
from tracer_hooks.export.otlp.spans import RESOURCE, SCOPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracer_hooks.export.families import Family, Point
    from tracer_hooks.export.metrics import Labels
    from tracer_hooks.export.metrics import Metric as Described

_UNITS = ("_seconds", "_bytes", "_ratio")
_DIRECTIONS = {"disk": "disk.io.direction", "network": "network.io.direction"}


def dotted(metric: Described) -> str:
    """`tracer.task.cpu.time` of `tracer_task_cpu_time_seconds_total`: the unit stands elsewhere."""
    name = metric.family
    for suffix in _UNITS:
        name = name.removesuffix(suffix)
    return name.replace("_", ".")


def metrics_data(families: Iterable[Family], began: float, now: float) -> MetricsData:
    """All figures at `now`; counters have counted since `began` (UNIX seconds)."""
    times = round(began * 1e9), round(now * 1e9)
    metrics = [
        written
        for metric, points in families
        if points
        for written in _metrics(metric, points, times)
    ]
    scope = ScopeMetrics(SCOPE, metrics, metric_table().schema_url)
    return MetricsData([ResourceMetrics(RESOURCE, [scope], metric_table().schema_url)])


def _metrics(
    metric: Described, points: Sequence[Point], times: tuple[int, int]
) -> Iterable[Metric]:
    name = dotted(metric)
    if metric.type == "histogram":
        data: Any = Histogram(_histograms(metric, points, times), AggregationTemporality.CUMULATIVE)
        yield Metric(name, metric.help, metric.unit, data)
    elif metric.type == "summary":
        # The SDK writes no summaries: its two counters, as Prometheus shows them.
        for suffix in ("_sum", "_count"):
            mine = [point for point in points if point.suffix == suffix]
            unit = metric.unit if suffix == "_sum" else "1"
            yield Metric(
                name + suffix.replace("_", "."), metric.help, unit, _sum(metric, mine, times)
            )
    elif metric.type == "counter":
        yield Metric(name, metric.help, metric.unit, _sum(metric, points, times))
    else:
        yield Metric(name, metric.help, metric.unit, Gauge(_numbers(metric, points, times)))


def _sum(metric: Described, points: Sequence[Point], times: tuple[int, int]) -> Sum:
    return Sum(_numbers(metric, points, times), AggregationTemporality.CUMULATIVE, True)


def _numbers(
    metric: Described, points: Iterable[Point], times: tuple[int, int]
) -> list[NumberDataPoint]:
    return [NumberDataPoint(_attributes(metric, p.labels), *times, p.value) for p in points]


def _histograms(
    metric: Described, points: Iterable[Point], times: tuple[int, int]
) -> list[HistogramDataPoint]:
    found: dict[Labels, dict[str, float]] = {}
    for point in points:
        labels = tuple(pair for pair in point.labels if pair[0] != "le")
        key = dict(point.labels).get("le", point.suffix)
        found.setdefault(labels, {})[key] = point.value
    written = []
    for labels, values in found.items():
        upto = [0.0, *(v for k, v in values.items() if k not in ("_sum", "_count"))]
        written.append(
            HistogramDataPoint(
                _attributes(metric, labels),
                *times,
                int(values["_count"]),
                values["_sum"],
                [int(after - before) for before, after in pairwise(upto)],
                list(metric.buckets),
                min=float("nan"),
                max=float("nan"),
            )
        )
    return written


def _attributes(metric: Described, labels: Labels) -> dict[str, str]:
    names = metric_table().attributes
    kind = metric.name.split("_")[2]
    return {
        _DIRECTIONS.get(kind, "tracer.io.direction")
        if label == "direction"
        else names.get(label, f"tracer.{label}"): value
        for label, value in labels
    }
