"""A timeline as text, one metric after the other, by Prometheus' own client library."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from tracer_hooks.errors import TracerError
from tracer_hooks.export.metrics import metric_table

try:
    from prometheus_client.core import Metric as ClientMetric
    from prometheus_client.openmetrics.exposition import generate_latest
except ImportError as missing:
    raise TracerError(
        "openmetrics needs prometheus-client: pip install 'tracer-hooks[serve]'"
    ) from missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer_hooks.export.metrics import Labels, Metric
    from tracer_hooks.export.openmetrics.timeline import Series, Timeline

_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
_UNITS = {"s": "seconds", "By": "bytes", "1": "ratio"}
_END = b"# EOF\n"


class _One:
    """A registry with one metric, as prometheus_client takes it."""

    def __init__(self, metric: ClientMetric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[ClientMetric]:
        yield self._metric


def write(timeline: Timeline, file: BinaryIO) -> None:
    """Write every metric of which there is anything, then the end mark."""
    for metric in metric_table().metrics.values():
        written = _filled(timeline, metric)
        if written.samples:
            text: bytes = generate_latest(_One(written))  # type: ignore[no-untyped-call]
            file.write(text.removesuffix(_END))
    file.write(_END)


def _filled(timeline: Timeline, metric: Metric) -> ClientMetric:
    unit = _UNITS.get(metric.unit, "")
    if not metric.family.endswith("_" + unit):
        unit = ""
    written = ClientMetric(metric.family, metric.help, metric.type, unit)
    together: dict[Labels, list[Series]] = {}
    for suffix in _PARTS.get(metric.type, ("",)):
        counter = metric.type != "gauge"
        for series in timeline.series(metric.group.name, metric.name + suffix, counter=counter):
            key = tuple(label for label in series.labels if label[0] != "le")
            together.setdefault(key, []).append(series)
    for parts in together.values():
        # The format asks for a histogram's parts moment by moment; they share the moments.
        columns = [(series.name, dict(series.labels), series.values.tolist()) for series in parts]
        for place, at in enumerate(parts[0].at_s.tolist()):
            for name, labels, values in columns:
                written.add_sample(name, labels, values[place], at)
    return written
