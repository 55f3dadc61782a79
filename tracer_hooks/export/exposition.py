"""Figures as text: OpenMetrics 1.0, or the older text format of Prometheus, as the reader asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.errors import TracerError

try:
    from prometheus_client import exposition
    from prometheus_client.core import Metric as ClientMetric
    from prometheus_client.openmetrics import exposition as openmetrics
except ImportError as missing:
    raise TracerError(
        "metrics need prometheus-client: pip install 'tracer-hooks[serve]'"
    ) from missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracer_hooks.export.families import Family

_UNITS = {"s": "seconds", "By": "bytes", "1": "ratio"}


class _Registry:
    """What prometheus_client writes out."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[ClientMetric]:
        for metric, points in self._families:
            if not points:
                continue
            unit = _UNITS.get(metric.unit, "")
            if not metric.family.endswith("_" + unit):
                unit = ""
            written = ClientMetric(metric.family, metric.help, metric.type, unit)
            suffix = "_total" if metric.type == "counter" else ""
            for point in points:
                name = metric.family + (point.suffix or suffix)
                written.add_sample(name, dict(point.labels), point.value, point.at)
            yield written


def exposed(families: Iterable[Family], accept: str = "") -> tuple[bytes, str]:
    """The text and its content type; `accept` is the request's header. OpenMetrics if that is
    asked for, as Prometheus does, else the text format that every older reader knows."""
    if "application/openmetrics-text" in accept:
        written = openmetrics.generate_latest(_Registry(families))  # type: ignore[no-untyped-call]
        return written, openmetrics.CONTENT_TYPE_LATEST
    text = exposition.generate_latest(_Registry(families))
    return text, exposition.CONTENT_TYPE_LATEST
