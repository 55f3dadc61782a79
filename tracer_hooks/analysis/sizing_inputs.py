"""What each attempt that has ended says of the request that would have been enough for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.analysis.attempts import whole_attempts
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.sizing_rules import rule
from tracer_hooks.analysis.tables import attempt_key

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from tracer_hooks.analysis.tables import Relations


def observed(t: Relations) -> ir.Table:
    """One row per attempt of a step that has ended, with

    `done`: it succeeded, so its figures are what such a task needs; of any other they are a lower
    bound. `memory_floor_bytes`, `time_floor_s`: its peak and its wall time; of one that was killed
    for its memory or its time no less than the request that was not enough. `cores`: see
    `_cores`. `memory_used_bytes`: the mean, for what it would have cost.
    """
    a = whole_attempts(t)
    ended = a.filter(a.step.notnull() & a.status.notnull() & (a.status != "running"))
    cause = ended.failure_cause.fill_null("")
    peak, wall = ended.memory_peak_bytes.cast("float64"), ended.wall_s
    asked = ended.memory_requested_bytes.cast("float64")
    rows = ended.mutate(
        done=ended.status == "succeeded",
        oom=cause == "oom",
        timeout=cause == "timeout",
        peak=peak,
        memory_floor_bytes=ibis.ifelse(cause == "oom", _greatest(peak, asked), peak),
        time_floor_s=ibis.ifelse(cause == "timeout", _greatest(wall, ended.time_requested_s), wall),
        memory_used_bytes=ended.memory_mean_bytes.cast("float64").coalesce(peak),
    )
    return _with_cores(rows, t)


def _greatest(one: ir.NumericValue, other: ir.NumericValue) -> ir.NumericValue:
    """The greater; of one that is null the other."""
    return ibis.ifelse(one.isnull() | (other > one), other, one)


def _with_cores(rows: ir.Table, t: Relations) -> ir.Table:
    """`cores`: how many an attempt kept busy, its bursts included.

    From its readings where there are any (`_busy`), else CPU seconds per second of wall. Who
    waited for a core would have used more of a free one: its figure is divided by the share of the
    time in which it was not waiting, up to what it had asked for.
    """
    busy = _busy(t)
    keys = attempt_key(busy)
    joined = rows.left_join(busy, keys).drop(*(f"{key}_right" for key in keys))
    used = _greatest(joined.cores_mean, joined.cores_busy)
    ready = (1.0 - joined.wall_runnable_s / joined.wall_s.nullif(0.0)).nullif(0.0)
    free = used / ready
    wanted = ibis.ifelse(free > joined.cpus_requested, joined.cpus_requested, free)
    return joined.mutate(cores=_greatest(used, wanted))


def _busy(t: Relations) -> ir.Table:
    """`cores_busy` by attempt: for 95 % of the time that its readings cover it ran on no more."""
    r = t["readings"]
    r = r.filter(r.process_id.isnull() & r.cpu_s.notnull() & r.elapsed_s.notnull())
    keys = attempt_key(r)
    by_time = ibis.window(group_by=keys, order_by="elapsed_s")
    steps = r.mutate(
        spent_s=r.elapsed_s - r.elapsed_s.lag().over(by_time).fill_null(0.0),
        used_s=r.cpu_s - r.cpu_s.lag().over(by_time).fill_null(0.0),
    )
    steps = steps.filter(steps.spent_s > 0).mutate(rate=lambda s: s.used_s / s.spent_s)
    by_rate = ibis.cumulative_window(group_by=keys, order_by="rate")
    shared = steps.mutate(
        share=steps.spent_s.sum().over(by_rate)
        / steps.spent_s.sum().over(ibis.window(group_by=keys))
    )
    # Sums of the same numbers in another order may differ in the last bit.
    enough = shared.share >= rule("busy_share") - 1e-9
    return shared.group_by(keys).agg(cores_busy=shared.rate.min(where=enough))
