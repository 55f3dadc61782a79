"""The table of metrics (`metrics.toml`) as objects: names, types, labels, sources."""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping

Type = Literal["counter", "gauge", "histogram", "summary"]
When = Literal["running", "ended", "now"]
Labels = tuple[tuple[str, str], ...]

# What a group's label values become when there are too many of them.
OTHER = "other"
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST = 120


@dataclass(frozen=True)
class Group:
    """The labels that tell figures of one kind apart, and how many sets of them there may be."""

    name: str
    labels: tuple[str, ...]
    most: int


@dataclass(frozen=True)
class Metric:
    """One metric. `values`: the labels besides those of its group, with all their values; `extra`:
    labels whose values are not known beforehand; `buckets`: upper bounds, in its unit."""

    name: str
    help: str
    type: Type
    unit: str
    group: Group
    when: When
    source: tuple[str, ...]
    otel: str | None
    values: Mapping[str, tuple[str, ...]]
    extra: tuple[str, ...]
    buckets: tuple[float, ...]

    @property
    def family(self) -> str:
        """Its name in OpenMetrics' `# TYPE` lines, which leave `_total` away."""
        return self.name.removesuffix("_total") if self.type == "counter" else self.name

    @property
    def label_names(self) -> tuple[str, ...]:
        """All its labels, in order: those of its group, its own, the extra ones."""
        return (*self.group.labels, *self.values, *self.extra)

    def series_per_group(self) -> int:
        """How many series one label set of its group has."""
        if self.type == "histogram":
            return len(self.buckets) + 3  # the bucket without a bound, sum and count
        return 2 if self.type == "summary" else len(self.own_labels())

    def own_labels(self) -> list[Labels]:
        """Every set of values of the labels besides its group's (one, empty, if it has none)."""
        names = list(self.values)
        sets = product(*(self.values[name] for name in names))
        return [tuple(zip(names, values, strict=True)) for values in sets]


@dataclass(frozen=True)
class MetricTable:
    """All metrics by name, with the version of the conventions that they follow."""

    metrics: Mapping[str, Metric]
    groups: Mapping[str, Group]
    attributes: Mapping[str, str]
    semantic_conventions: str
    schema_url: str

    def most_series(self, most: Mapping[str, int] | None = None) -> int:
        """How many series there can be, with at most so many label sets of each group (those of the
        table where it is not said) and the `other` of each. Labels of unknown values, such as a
        currency, count once."""
        bounds = {name: group.most for name, group in self.groups.items()} | dict(most or {})
        return sum(
            (bounds[m.group.name] + bool(m.group.labels)) * m.series_per_group()
            for m in self.metrics.values()
        )

    def of(self, group: str, when: When | None = None) -> list[Metric]:
        """The metrics of a group, in the table's order."""
        found = (m for m in self.metrics.values() if m.group.name == group)
        return [m for m in found if when is None or m.when == when]


def presentable(text: str) -> str:
    """A text as a label value: one line, valid, not too long."""
    text = _CONTROL.sub("�", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


@functools.cache
def metric_table() -> MetricTable:
    """The table, read once."""
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    groups = {
        name: Group(name, tuple(group["labels"]), group["most"])
        for name, group in data["groups"].items()
    }
    metrics = [_metric(entry, groups) for entry in data["metric"]]
    return MetricTable(
        {metric.name: metric for metric in metrics},
        groups,
        data["attributes"],
        data["convention"]["semantic_conventions"],
        data["convention"]["schema_url"],
    )


def _metric(entry: dict[str, Any], groups: Mapping[str, Group]) -> Metric:
    return Metric(
        name=entry["name"],
        help=entry["help"],
        type=entry["type"],
        unit=entry["unit"],
        group=groups[entry["group"]],
        when=entry["when"],
        source=tuple(entry["source"]),
        otel=entry.get("otel"),
        values={name: tuple(values) for name, values in entry.get("labels", {}).items()},
        extra=tuple(entry.get("extra", ())),
        buckets=tuple(float(bound) for bound in entry.get("buckets", ())),
    )
