"""What one attempt adds to the counters, by metric and the metric's own label values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.export.metrics import metric_table
from tracer_hooks.live.attempt import GIB, Attempt, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracer_hooks.live.cost import Cost

# (metric, values of the labels that are not the group's): how much
Amounts = dict[tuple[str, tuple[str, ...]], float]
# Metrics whose label values and columns of `tasks` are in the same order in the table of metrics.
_COLUMNS = (
    "tracer_task_cpu_time_seconds_total",
    "tracer_task_wall_time_seconds_total",
    "tracer_task_disk_io_bytes_total",
    "tracer_task_file_io_bytes_total",
    "tracer_task_network_io_bytes_total",
    "tracer_task_paging_faults_major_total",
)
_WASTED = ("failed", "lost", "cancelled")


def running_amounts(attempt: Attempt) -> Amounts:
    """What it has added so far: grows while it runs, and is exact at its end."""
    amounts: Amounts = {("tracer_task_started_total", ()): 1.0}
    metrics = metric_table().metrics
    for name in _COLUMNS:
        metric = metrics[name]
        own = next(iter(metric.values.values()), None)
        for index, column in enumerate(metric.source):
            if (value := attempt.totals.get(column)) is not None:
                amounts[name, (own[index],) if own else ()] = value
    row = attempt.sealed or attempt.last
    elapsed = number(row.get("wall_s", row.get("elapsed_s")))
    if elapsed is not None:
        amounts |= _allocated(attempt, row, elapsed)
    amounts["tracer_task_oom_kills_total", ()] = float(attempt.oom_kills)
    amounts["tracer_task_degraded_total", ()] = float(bool(attempt.degraded))
    return amounts


def _allocated(attempt: Attempt, row: Mapping[str, Any], elapsed: float) -> Amounts:
    cores, used = attempt.cores_requested, attempt.totals.get("cpu_s")
    mean = number(row.get("memory_mean_bytes"))
    asked = attempt.memory_requested_bytes
    cpu = [v for v in (cores and cores * elapsed, used) if v is not None]
    memory = [v for v in (asked, mean) if v is not None]
    found: Amounts = {}
    if cpu:
        found["tracer_task_allocated_cpu_seconds_total", ()] = max(cpu)
    if memory:
        name = "tracer_task_allocated_memory_gibibyte_seconds_total"
        found[name, ()] = max(memory) / GIB * elapsed
    return found


def ended_amounts(attempt: Attempt, cost: Cost | None) -> Amounts:
    """What is counted once it ended, besides `running_amounts`."""
    row = attempt.sealed or attempt.last
    status = attempt.status
    amounts: Amounts = {("tracer_task_attempts_total", (status,)): 1.0}
    if status != "succeeded":
        cause = row.get("failure_cause")
        known = metric_table().metrics["tracer_task_failures_total"].values["cause"]
        amounts["tracer_task_failures_total", (cause if cause in known else "unknown",)] = 1.0
    if attempt.number > 1:
        amounts["tracer_task_retries_total", ()] = 1.0
    wall = number(row.get("wall_s", row.get("elapsed_s")))
    if status == "succeeded" and wall is not None:
        amounts |= observation("tracer_task_duration_seconds", wall)
    peak = number(row.get("memory_peak_bytes"))
    if peak is not None:
        amounts["tracer_task_memory_peak_bytes_sum", ()] = peak
        amounts["tracer_task_memory_peak_bytes_count", ()] = 1.0
    for name, column in (
        ("tracer_task_processes_total", "process_count"),
        ("tracer_task_short_processes_total", "short_process_count"),
        ("tracer_task_events_lost_total", "events_lost"),
        ("tracer_task_observer_cpu_time_seconds_total", "observer_cpu_s"),
    ):
        if (value := number(row.get(column))) is not None:
            amounts[name, ()] = value
    return amounts | _priced(status, cost)


def _priced(status: str, cost: Cost | None) -> Amounts:
    if cost is None:
        return {("tracer_task_unpriced_total", ()): 1.0}
    parts = cost.parts or {"unmeasured": cost.allocated}
    amounts: Amounts = {
        ("tracer_task_cost_total", (part, cost.currency)): max(0.0, amount)
        for part, amount in parts.items()
    }
    if status in _WASTED:
        amounts["tracer_task_wasted_cost_total", (cost.currency,)] = cost.allocated
    return amounts


def observation(name: str, value: float) -> Amounts:
    """One observation of a histogram: its buckets (cumulative), sum and count."""
    metric = metric_table().metrics[name]
    amounts: Amounts = {
        (f"{name}_bucket", (bucket_label(bound),)): 1.0
        for bound in (*metric.buckets, float("inf"))
        if value <= bound
    }
    return amounts | {(f"{name}_sum", ()): value, (f"{name}_count", ()): 1.0}


def bucket_label(bound: float) -> str:
    """A bucket's bound as the label `le` has it."""
    return "+Inf" if bound == float("inf") else f"{bound:.1f}"


def tool_amounts(rows: Iterable[Mapping[str, Any]]) -> dict[str, Amounts]:
    """What each tool of an ended attempt adds, from rows of `tools`."""
    found: dict[str, Amounts] = {}
    for row in rows:
        amounts = found.setdefault(str(row["tool"]), {})
        for name, own, column in (
            ("tracer_tool_cpu_time_seconds_total", (), "cpu_s"),
            ("tracer_tool_wall_time_seconds_total", (), "wall_s"),
            ("tracer_tool_processes_total", (), "count"),
            ("tracer_tool_disk_io_bytes_total", ("read",), "disk_read_bytes"),
            ("tracer_tool_disk_io_bytes_total", ("write",), "disk_write_bytes"),
        ):
            if (value := number(row.get(column))) is not None:
                amounts[name, own] = amounts.get((name, own), 0.0) + value
    return found
