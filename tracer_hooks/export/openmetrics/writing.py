"""A timeline as text, one metric after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from tracer_hooks.export.exposition import exposed
from tracer_hooks.export.families import Family, Point
from tracer_hooks.export.metrics import metric_table

if TYPE_CHECKING:
    from tracer_hooks.export.metrics import Labels, Metric
    from tracer_hooks.export.openmetrics.timeline import Series, Timeline

_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
_FORMAT = "application/openmetrics-text"
_END = b"# EOF\n"


def write(timeline: Timeline, file: BinaryIO) -> None:
    """Write every metric of which there is anything, then the end mark."""
    for metric in metric_table().metrics.values():
        text, _ = exposed([Family(metric, _points(timeline, metric))], _FORMAT)
        file.write(text.removesuffix(_END))
    file.write(_END)


def _points(timeline: Timeline, metric: Metric) -> list[Point]:
    together: dict[Labels, list[tuple[str, Series]]] = {}
    for suffix in _PARTS.get(metric.type, ("",)):
        counter = metric.type != "gauge"
        for series in timeline.series(metric.group.name, metric.name + suffix, counter=counter):
            key = tuple(label for label in series.labels if label[0] != "le")
            together.setdefault(key, []).append((suffix, series))
    points: list[Point] = []
    for parts in together.values():
        # The format asks for a histogram's parts moment by moment; they share the moments.
        columns = [(suffix, series.labels, series.values.tolist()) for suffix, series in parts]
        for place, at in enumerate(parts[0][1].at_s.tolist()):
            points += (Point(labels, values[place], s, at) for s, labels, values in columns)
    return points
