"""What a run's attempts contribute to the metrics, and when: columns of the store become series."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer_hooks.analysis.cost import cost
from tracer_hooks.analysis.tables import records, relations
from tracer_hooks.export.metrics import metric_table
from tracer_hooks.export.openmetrics.ended import add_ended, add_run_ended, add_tools

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    import ibis.expr.types as ir

    from tracer_hooks.analysis.tables import Relations
    from tracer_hooks.export.openmetrics.timeline import Group, Span, Timeline
    from tracer_hooks.export.sender import RunToSend

    Row = Mapping[str, Any]

GIB = 1024.0**3
# Counters whose own labels and columns are in the same order in the table of metrics.
_COLUMNS = (
    "tracer_task_cpu_time_seconds_total", "tracer_task_wall_time_seconds_total",
    "tracer_task_disk_io_bytes_total", "tracer_task_file_io_bytes_total",
    "tracer_task_network_io_bytes_total", "tracer_task_paging_faults_major_total",
)  # fmt: skip
_READ = (
    "cpu_user_s", "cpu_system_s", "cpu_s", "wall_cpu_s", "wall_runnable_s", "wall_disk_s",
    "wall_network_s", "wall_idle_s", "disk_read_bytes", "disk_write_bytes", "io_read_chars",
    "io_write_chars", "network_rx_bytes", "network_tx_bytes", "memory_bytes",
)  # fmt: skip


def add_run(timeline: Timeline, run: RunToSend) -> None:
    """Add all attempts of the run, and the run itself."""
    t = relations(run.tables, run.run_id)
    priced = cost(t, run.pricing, run.run_id)
    costs = {row["spool"]: row for row in records(priced.tasks)}
    readings, tools, events = (_by_spool(t, query) for query in (_readings, _tools, _events))
    for row in records(t.frame(_tasks)):
        spool = row["spool"]
        start_s, end_s = _times(row, readings[spool])
        if start_s is None or end_s is None:
            continue
        group = timeline.group("step", row["pipeline"], row["step"], row["engine"], row["host"])
        span = timeline.span(group, start_s, end_s)
        _add_running(timeline, group, span, row, start_s, end_s, readings[spool])
        timeline.add(group, "tracer_task_started_total", 1.0, span.before + 1)
        _add_events(timeline, group, span, events[spool])
        if row["status"] != "running":
            price = (costs.get(spool, {}), priced.run["currency"])
            add_ended(timeline, group, span.over, row, *price)
            add_tools(timeline, row, start_s, end_s, tools[spool])
    _add_whole_run(timeline, run)


def _tasks(t: Relations) -> ir.Table:
    return t["tasks"].order_by("started_at", "task_id", "attempt", "spool")


def _readings(t: Relations) -> ir.Table:
    rows = t["readings"]
    whole = rows.filter(rows.process_id.isnull() & rows.elapsed_s.notnull())
    return whole.select("spool", "elapsed_s", *_READ).order_by("spool", "elapsed_s")


def _tools(t: Relations) -> ir.Table:
    rows = t["tools"]
    return rows.select("spool", "tool", "count", "cpu_s", "wall_s", "disk_read_bytes",
                       "disk_write_bytes")  # fmt: skip


def _events(t: Relations) -> ir.Table:
    rows = t["events"]
    return rows.filter(rows.kind.isin(["oom", "degraded"])).select("spool", "kind", "at")


def _by_spool(t: Relations, query: Any) -> defaultdict[str | None, list[dict[str, Any]]]:
    found: defaultdict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for row in records(t.frame(query)):
        found[row["spool"]].append(row)
    return found


def _times(row: Row, readings: Sequence[Row]) -> tuple[float | None, float | None]:
    """When it began and ended, or was seen last, in UNIX seconds."""
    start_s = unix(row["started_at"])
    if start_s is None:
        return None, None
    if row["wall_s"] is not None:
        return start_s, start_s + row["wall_s"]
    if row["ended_at"] is not None:
        return start_s, unix(row["ended_at"])
    return start_s, start_s + (readings[-1]["elapsed_s"] if readings else 0.0)


def unix(at: dt.datetime | None) -> float | None:
    """A moment as UNIX seconds."""
    return None if at is None else at.timestamp()


def _add_running(
    timeline: Timeline,
    group: Group,
    span: Span,
    row: Row,
    start_s: float,
    end_s: float,
    readings: Sequence[Row],
) -> None:
    """What grew while it ran, as its readings say; at its end its exact totals."""
    metrics = metric_table().metrics
    for name in _COLUMNS:
        metric = metrics[name]
        for own, column in zip(metric.own_labels(), metric.source, strict=True):
            total = row[column]
            # From its first point on the series is there, at 0.
            at_s, course = _course(column, total or 0.0, start_s, end_s, readings)
            if total is not None or _has_readings(column, readings):
                timeline.add_course(group, name, span, at_s, course, own)
            else:
                timeline.add(group, name, 0.0, span.before + 1, own)
    seconds = max(0.0, end_s - start_s)
    ramp = np.array([start_s, max(end_s, start_s)])
    for name, held in _held(row, seconds).items():
        timeline.add_course(group, name, span, ramp, np.array([0.0, held]), ())
    _add_levels(timeline, group, span, row, start_s, readings)


def _course(
    column: str, total: float, start_s: float, end_s: float, readings: Sequence[Row]
) -> tuple[np.ndarray, np.ndarray]:
    known = [(r["elapsed_s"], r[column]) for r in readings if r.get(column) is not None]
    inside = [(at, value) for at, value in known if 0 < at < end_s - start_s]
    points = [(0.0, 0.0), *inside, (max(0.0, end_s - start_s), total)]
    if total <= 0 and inside:
        points[-1] = (points[-1][0], inside[-1][1])  # a lost attempt: as it was seen last
    at_s, values = np.array(points, float).T
    return start_s + at_s, np.maximum.accumulate(values)


def _has_readings(column: str, readings: Sequence[Row]) -> bool:
    return any(r.get(column) is not None for r in readings)


def _held(row: Row, seconds: float) -> dict[str, float]:
    """Core-seconds and GiB-seconds that it held: the larger of what it asked for and used."""
    found: dict[str, float] = {}
    cores = row["cpus_requested"]
    cpu = [v for v in (None if cores is None else cores * seconds, row["cpu_s"]) if v is not None]
    if cpu:
        found["tracer_task_allocated_cpu_seconds_total"] = max(cpu)
    memory = [
        v for v in (row["memory_requested_bytes"], row["memory_mean_bytes"]) if v is not None
    ]  # fmt: skip
    if memory:
        name = "tracer_task_allocated_memory_gibibyte_seconds_total"
        found[name] = max(memory) / GIB * seconds
    return found


def _add_levels(
    timeline: Timeline,
    group: Group,
    span: Span,
    row: Row,
    start_s: float,
    readings: Sequence[Row],
) -> None:
    """The gauges: what it held and used at each moment."""
    timeline.add_level(group, "tracer_task_active", span, 1.0)
    for name, column in (
        ("tracer_task_requested_cores", "cpus_requested"),
        ("tracer_task_requested_memory_bytes", "memory_requested_bytes"),
    ):
        if row[column] is not None:
            timeline.add_level(group, name, span, row[column])
    elapsed = timeline.grid_s(span) - start_s
    memory = [
        (r["elapsed_s"], r["memory_bytes"]) for r in readings if r["memory_bytes"] is not None
    ]
    if memory:
        at_s, used = np.array(memory, float).T
        level = np.interp(elapsed, at_s, used)
        timeline.add_level(group, "tracer_task_memory_usage_bytes", span, level)
    cpu = [(0.0, 0.0), *((r["elapsed_s"], r["cpu_s"]) for r in readings if r["cpu_s"] is not None)]
    if row["wall_s"] and row["cpu_s"] is not None:
        cpu = [*(point for point in cpu if point[0] < row["wall_s"]), (row["wall_s"], row["cpu_s"])]
    if len(cpu) > 1:
        at_s, spent = np.array(cpu, float).T
        # Between the reading before each moment and the one after it.
        place = np.clip(np.searchsorted(at_s, elapsed, side="right"), 1, len(at_s) - 1)
        over_s = np.maximum(at_s[place] - at_s[place - 1], 1e-9)
        cores = np.maximum(spent[place] - spent[place - 1], 0.0) / over_s
        timeline.add_level(group, "tracer_task_used_cores", span, cores)


def _add_events(timeline: Timeline, group: Group, span: Span, events: Sequence[Row]) -> None:
    killed = sum(event["kind"] == "oom" for event in events)
    degraded = any(event["kind"] == "degraded" for event in events)
    timeline.add(group, "tracer_task_oom_kills_total", float(killed), span.over)
    timeline.add(group, "tracer_task_degraded_total", float(degraded), span.over)


def _add_whole_run(timeline: Timeline, run: RunToSend) -> None:
    record = run.record
    start_s = unix(record.get("started_at"))
    if start_s is None:
        return
    end_s = unix(record.get("ended_at"))
    group = timeline.group("run", record.get("pipeline"), record.get("engine"))
    span = timeline.span(group, start_s, start_s if end_s is None else end_s)
    timeline.add_level(group, "tracer_run_active", span, 1.0)
    if record.get("status") != "running":
        add_run_ended(timeline, group, span.over, record)
