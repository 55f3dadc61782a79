"""Figures as text: OpenMetrics 1.0, or the older text format of Prometheus, as the reader asks.

https://prometheus.io/docs/specs/om/open_metrics_spec/. Written here because `serve` writes tens of
thousands of lines a second where somebody scrapes that often: the beginning of a line, which holds
its labels, is made once. The official client's parser reads what is written in the tests.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracer_hooks.export.families import Family, Point
    from tracer_hooks.export.metrics import Labels, Metric

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"

_UNITS = {"s": "seconds", "By": "bytes", "1": "ratio"}
_LABEL_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


def exposed(families: Iterable[Family], accept: str = "") -> tuple[bytes, str]:
    """The text and its content type; `accept` is the request's header. OpenMetrics if that is
    asked for, as Prometheus does, else the text format that every older reader knows."""
    modern = "application/openmetrics-text" in accept
    lines: list[str] = []
    for metric, points in families:
        if points:
            lines += _head(metric, modern)
            lines += _samples(metric, points, modern)
    if modern:
        lines.append("# EOF")
    text = "\n".join(lines) + "\n" if lines else ""
    return text.encode(), OPENMETRICS if modern else TEXT


def _head(metric: Metric, modern: bool) -> list[str]:
    help_text = metric.help.translate(_HELP_ESCAPES)
    if not modern:
        return [f"# HELP {metric.name} {help_text}", f"# TYPE {metric.name} {metric.type}"]
    name = metric.family
    lines = [f"# TYPE {name} {metric.type}", f"# HELP {name} {help_text}"]
    unit = _UNITS.get(metric.unit)
    if unit is not None and name.endswith("_" + unit):
        lines.append(f"# UNIT {name} {unit}")
    return lines


def _samples(metric: Metric, points: Iterable[Point], modern: bool) -> Iterator[str]:
    for labels, value, suffix, at in points:
        line = f"{_beginning(metric.name + suffix, labels)} {_number(value)}"
        if at is not None:
            line += f" {at!r}" if modern else f" {round(at * 1000)}"
        yield line


@lru_cache(maxsize=100_000)
def _beginning(name: str, labels: Labels) -> str:
    """A line without its figure."""
    if not labels:
        return name
    pairs = ",".join(f'{key}="{value.translate(_LABEL_ESCAPES)}"' for key, value in labels)
    return f"{name}{{{pairs}}}"


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
