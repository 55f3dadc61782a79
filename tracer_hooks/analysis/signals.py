"""The tables that findings need beside usage and waits: failures, short helpers, hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.attempts import attempts
from tracer_hooks.analysis.cost_hosts import GIVEN_BACK_S
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.tables import Relations, Tables, attempt_key, relations
from tracer_hooks.analysis.thresholds import threshold

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd


def failures(tables: Tables) -> pd.DataFrame:
    """One row per way in which attempts went wrong (`failed`, `lost`, `cancelled`).

    `attempt_count`, `task_count`, `unrecovered_count` (tasks whose last attempt ended so),
    `oom_count`, `timeout_count`, `signal_count` by cause, `wall_s` and `cpu_s` that those attempts
    used, `step_count`, one `step` and one `task_id` (of a task that stayed so, if any did).
    """
    return relations(tables).frame(_failures)


def _failures(t: Relations) -> ir.Table:
    a = attempts(t)
    bad = a.filter(a.status.isin(["failed", "lost", "cancelled"]))
    grouped = bad.group_by("status").agg(
        attempt_count=bad.count(),
        task_count=bad.task_id.nunique(),
        unrecovered_count=bad.last_attempt.sum().fill_null(0),
        oom_count=(bad.failure_cause == "oom").sum().fill_null(0),
        timeout_count=(bad.failure_cause == "timeout").sum().fill_null(0),
        signal_count=(bad.failure_cause == "signal").sum().fill_null(0),
        task_id=ibis.coalesce(bad.task_id.min(where=bad.last_attempt), bad.task_id.min()),
        step_count=bad.step.nunique(),
        step=bad.step.min(),
        wall_s=bad.wall_s.sum(),
        cpu_s=bad.cpu_s.sum(),
    )
    return grouped.order_by("status")


def short_helpers(tables: Tables) -> pd.DataFrame:
    """Tools, by step, whose processes mostly lived shorter than one polling interval."""
    return relations(tables).frame(_short_helpers)


def _short_helpers(t: Relations) -> ir.Table:
    tools, a = t["tools"], attempts(t)
    keys = [key for key in attempt_key(tools) if key in attempt_key(a)]
    # Two null spools are two unknown files; the other keys are then enough.
    same = [tools[key].identical_to(a[key]) for key in keys]
    joined = tools.inner_join(a.select("step", *keys), same).select(
        "step", *(tools[name] for name in ("tool", "count", "short_count", "cpu_s"))
    )
    grouped = joined.group_by("step", "tool").agg(
        count=joined["count"].sum(), short_count=joined.short_count.sum(), cpu_s=joined.cpu_s.sum()
    )
    short = grouped.filter(
        (grouped.short_count > 0)
        & (grouped.short_count >= threshold("short_share") * grouped["count"])
    )
    return short.order_by("step", ibis.desc("short_count"), "tool")


def hosts(tables: Tables) -> dict[str, Any]:
    """What whole-host counters say of the run's window, over all hosts together.

    `host_count`, `busy_share` (CPU not idle and not waiting for I/O), `iowait_share`,
    `cpu_busy_s`; null without two readings of a host. What a host did while the run was away (it
    was resumed on another day), or across a restart, is not in them.
    """
    return relations(tables).record(_hosts)


def _hosts(t: Relations) -> ir.Table:
    readings = t["hosts"]
    counters = [f"cpu_{state}_s" for state in ("user", "system", "idle", "iowait", "steal")]
    before = ibis.window(group_by="host", order_by="at")
    steps = readings.mutate(second=readings.at.epoch_seconds())
    steps = steps.select(
        "host",
        gap_s=steps.second - steps.second.lag().over(before),
        **{name: steps[name] - steps[name].lag().over(before) for name in counters},
    )
    # A counter that fell is a host that was restarted in between.
    usable = steps.filter(
        (steps.gap_s <= GIVEN_BACK_S) & (steps.cpu_idle_s >= 0) & (steps.cpu_user_s >= 0)
    )
    sums = usable.agg(
        host_count=usable.host.nunique(), **{name: usable[name].sum() for name in counters}
    )
    steal, iowait = sums.cpu_steal_s.fill_null(0.0), sums.cpu_iowait_s
    busy = sums.cpu_user_s + sums.cpu_system_s
    whole = (busy + sums.cpu_idle_s + iowait + steal).nullif(0.0)
    return sums.select(
        "host_count", cpu_busy_s=busy, busy_share=busy / whole, iowait_share=iowait / whole
    )
