"""What is counted when an attempt, or a run, has ended."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tracer_hooks.export.metrics import metric_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer_hooks.export.openmetrics.timeline import Group, Timeline

    Row = Mapping[str, Any]

_COUNTED = (
    ("tracer_task_processes_total", "process_count"),
    ("tracer_task_short_processes_total", "short_process_count"),
    ("tracer_task_events_lost_total", "events_lost"),
    ("tracer_task_observer_cpu_time_seconds_total", "observer_cpu_s"),
)
_OF_TOOLS = (
    ("tracer_tool_cpu_time_seconds_total", (), "cpu_s"),
    ("tracer_tool_wall_time_seconds_total", (), "wall_s"),
    ("tracer_tool_processes_total", (), "count"),
    ("tracer_tool_disk_io_bytes_total", (("direction", "read"),), "disk_read_bytes"),
    ("tracer_tool_disk_io_bytes_total", (("direction", "write"),), "disk_write_bytes"),
)


def add_ended(
    timeline: Timeline, group: Group, at: int, row: Row, cost: Row, currency: str | None
) -> None:
    """An attempt, with its row of `CostReport.tasks` (empty: it has none)."""
    status = str(row["status"])
    _one_of(timeline, group, "tracer_task_attempts_total", status, at)
    cause = None if status == "succeeded" else str(row["failure_cause"] or "unknown")
    _one_of(timeline, group, "tracer_task_failures_total", cause, at)
    timeline.add(group, "tracer_task_retries_total", float((row["attempt"] or 1) > 1), at)
    if status == "succeeded":
        _observe(timeline, group, "tracer_task_duration_seconds", row["wall_s"], at)
    if row["memory_peak_bytes"] is not None:
        peak = "tracer_task_memory_peak_bytes"
        timeline.add(group, f"{peak}_sum", float(row["memory_peak_bytes"]), at)
        timeline.add(group, f"{peak}_count", 1.0, at)
    for name, column in _COUNTED:
        timeline.add(group, name, float(row[column] or 0.0), at)
    unpriced = cost.get("allocated") is None or currency is None
    timeline.add(group, "tracer_task_unpriced_total", float(unpriced), at)
    if unpriced:
        return
    money = ("currency", str(currency))
    for part in metric_table().metrics["tracer_task_cost_total"].values["part"]:
        amount = max(0.0, cost.get(part) or 0.0)
        timeline.add(group, "tracer_task_cost_total", amount, at, (("part", part), money))
    timeline.add(group, "tracer_task_wasted_cost_total", cost.get("failed") or 0.0, at, (money,))


def add_tools(
    timeline: Timeline, row: Row, start_s: float, end_s: float, tools: Sequence[Row]
) -> None:
    """The tools of an attempt that ended."""
    for tool in tools:
        group = timeline.group("tool", row["pipeline"], row["step"], tool["tool"])
        span = timeline.span(group, start_s, end_s)
        for name, own, column in _OF_TOOLS:
            timeline.add(group, name, float(tool[column] or 0.0), span.over, own)


def add_run_ended(timeline: Timeline, group: Group, at: int, record: Row) -> None:
    """A run, by its row of `Store.runs()`."""
    _one_of(timeline, group, "tracer_run_total", str(record["status"]), at)
    _observe(timeline, group, "tracer_run_duration_seconds", record["wall_s"], at)


def _one_of(timeline: Timeline, group: Group, name: str, value: str | None, at: int) -> None:
    """One more of this value; all other series are there too."""
    for own in metric_table().metrics[name].own_labels():
        timeline.add(group, name, float(own[0][1] == value), at, own)


def _observe(timeline: Timeline, group: Group, name: str, value: float | None, at: int) -> None:
    """One observation of a histogram; None: none, but its series are there."""
    seen = value is not None
    for bound in (*metric_table().metrics[name].buckets, math.inf):
        label = "+Inf" if bound == math.inf else f"{bound:.1f}"
        within = value is not None and value <= bound
        timeline.add(group, f"{name}_bucket", float(within), at, (("le", label),))
    timeline.add(group, f"{name}_sum", value or 0.0, at)
    timeline.add(group, f"{name}_count", float(seen), at)
