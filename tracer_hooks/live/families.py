"""A snapshot as metrics of the table: every series that its group has, also those that are 0."""

from __future__ import annotations

import os
import resource
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING

from tracer_hooks.export.families import Family, Point
from tracer_hooks.export.metrics import Labels, Metric, metric_table
from tracer_hooks.live.amounts import bucket_label
from tracer_hooks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracer_hooks.live.groups import Groups
    from tracer_hooks.live.state import State
    from tracer_hooks.live.watcher import Snapshot

_KINDS = ("step", "tool", "run")


def families(snapshot: Snapshot, groups: Mapping[str, Groups], hold_s: float) -> Iterator[Family]:
    """Every metric of tasks, tools and runs.

    The counters of a group are shown as 0 for its first `hold_s` seconds: Prometheus can only tell
    how much a counter grew from when it first saw it, and a step whose first tasks fail within a
    scrape interval would never have failed. What happened meanwhile comes right after.
    """
    values: dict[tuple[str, tuple[str, ...]], dict[tuple[str, ...], float]] = defaultdict(dict)
    for figures in (snapshot.counters, snapshot.gauges):
        for (_, group, name, own), value in figures.items():
            values[name, group][own] = value
    for kind in _KINDS:
        born = groups[kind].born
        for metric in metric_table().of(kind):
            points: list[Point] = []
            for group, since in born.items():
                if metric.type == "gauge" or metric.extra:
                    held = metric.type != "gauge" and snapshot.at - since < hold_s
                    known = {} if held else values.get((metric.name, group), {})
                    points += _points(metric, group, known)
                else:
                    held = snapshot.at - since < hold_s
                    points += _counted(metric, group, {} if held else values)
            yield Family(metric, points)


def _points(
    metric: Metric, group: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> Iterator[Point]:
    labels = tuple(zip(metric.group.labels, group, strict=True))
    names = (*metric.values, *metric.extra)
    for own, value in values.items():
        yield Point((*labels, *zip(names, own, strict=True)), value)


def _counted(
    metric: Metric,
    group: tuple[str, ...],
    values: Mapping[tuple[str, tuple[str, ...]], Mapping[tuple[str, ...], float]],
) -> Iterator[Point]:
    for suffix, known, labels in _places(metric.name, group):
        found = values.get((metric.name + suffix, group))
        yield Point(labels, found.get(known, 0.0) if found else 0.0, suffix)


@lru_cache(maxsize=20_000)
def _places(name: str, group: tuple[str, ...]) -> list[tuple[str, tuple[str, ...], Labels]]:
    """Every point that a counter of a group has: its suffix, the metric's own label values as they
    are counted, and all its labels."""
    metric = metric_table().metrics[name]
    labels = tuple(zip(metric.group.labels, group, strict=True))
    if metric.type == "counter":
        return [
            ("", tuple(value for _, value in own), (*labels, *own)) for own in metric.own_labels()
        ]
    bounds = (*metric.buckets, float("inf")) if metric.buckets else ()
    buckets = [
        ("_bucket", (bucket_label(bound),), (*labels, ("le", bucket_label(bound))))
        for bound in bounds
    ]
    return [*buckets, ("_sum", (), labels), ("_count", (), labels)]


def own_families(
    looked_at: float, groups: Mapping[str, Groups], more: Mapping[str, list[Point]]
) -> Iterator[Family]:
    """What `serve` says of itself; `more`: the points of other metrics of the group `serve`."""
    table = metric_table()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = usage.ru_utime + usage.ru_stime + children.ru_utime + children.ru_stime
    info = (("version", __version__), ("semantic_conventions", table.semantic_conventions))
    points = {
        "tracer_serve_info": [Point(info, 1.0)],
        "tracer_serve_cpu_time_seconds_total": [Point((), cpu)],
        "tracer_serve_memory_usage_bytes": [Point((), _memory_bytes())],
        "tracer_serve_last_look_timestamp_seconds": [Point((), looked_at)],
        "tracer_serve_groups_folded": [
            Point((("group", kind),), float(groups[kind].folded)) for kind in _KINDS
        ],
        **more,
    }
    for metric in table.of("serve"):
        yield Family(metric, points.get(metric.name, []))


def queue_points(state: State) -> dict[str, list[Point]]:
    """What waits to be sent, and what never was."""
    return {
        name: [Point((("to", target),), float(count)) for target, count in sorted(counts.items())]
        for name, counts in (
            ("tracer_serve_queue_size", state.waiting()),
            ("tracer_serve_queue_dropped_total", state.dropped()),
        )
    }


def _memory_bytes() -> float:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (at each scrape)
        return float(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
