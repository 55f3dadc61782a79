"""What was used: per attempt, task, step and tool, and by the run as a whole.

Sums are over what was measured; a sum of nothing but nulls is null, never 0. All attempts count
in what was used; the last attempt of a task alone decides how the task ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.attempts import STATUSES, attempts, whole_attempts
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.tables import Relations, Tables, relations
from tracer_hooks.analysis.waits import shares, wait_sums

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

UNATTRIBUTED = "(unattributed)"
_SUMMED_BYTES = (
    "disk_read_bytes",
    "disk_write_bytes",
    "network_rx_bytes",
    "network_tx_bytes",
    "input_bytes",
    "output_bytes",
)


def by_attempt(tables: Tables) -> pd.DataFrame:
    """One row per attempt: the columns of `tasks`, `last_attempt` and `cores_mean`; by start."""
    return relations(tables).frame(_by_attempt)


def _by_attempt(t: Relations) -> ir.Table:
    rows = whole_attempts(t).drop("wall_known_s")
    return rows.order_by("started_at", "task_id", "attempt", "spool").drop("spool")


def by_task(tables: Tables, most: int | None = None) -> pd.DataFrame:
    """One row per task: all its attempts added up, `status` of the last; most CPU first. Only the
    first `most` rows, if that is given."""
    return relations(tables).frame(_by_task, most)


def _by_task(t: Relations, most: int | None) -> ir.Table:
    a = attempts(t)
    if most is not None:
        # To find them first is much less than to add up everything of every task.
        sums = a.group_by("task_id").agg(cpu_s=a.cpu_s.sum(), wall_s=a.wall_s.sum())
        order = (ibis.desc("cpu_s"), ibis.desc("wall_s"), ibis.asc("task_id"))
        first = sums.order_by(*order).limit(most)
        a = a.semi_join(first, a.task_id.identical_to(first.task_id))
    of_last = {
        name: a[name].max(where=a.last_attempt)
        for name in ("step", "task_name", "sample", "status", "failure_cause", "host", "exit_code")
    }
    grouped = a.group_by("task_id").agg(**of_last, **_used(a), **wait_sums(a))
    order = (ibis.desc("cpu_s"), ibis.desc("wall_s"), ibis.asc("task_id"))
    return shares(grouped).order_by(*order)


def by_step(tables: Tables) -> pd.DataFrame:
    """One row per step (null: tasks of no step), most wall time first.

    `count` tasks, `attempt_count`, `<status>_count` (tasks by the status of their last attempt),
    `wall_s` (sum) and `wall_max_s` of attempts, `cpu_s`, `cores_mean` (CPU seconds per second of
    wall), `cpus_requested` (mean over wall), `memory_peak_bytes` and `memory_requested_bytes`
    (largest), bytes (sums), `wall_<part>_s` and `<part>_share` (see `waits`). Of processes:
    `process_exact_count` and `short_process_exact_count` add up the attempts that counted them,
    `process_bound_count` the upper bounds of the `process_estimated_count` attempts that did not
    (tasks side by side may bound the same processes twice); `process_count` is both together.
    """
    return relations(tables).frame(_by_step)


def _by_step(t: Relations) -> ir.Table:
    a = attempts(t)
    grouped = a.group_by("step").agg(**_counts(a), **_used(a), **wait_sums(a))
    shared = shares(grouped).mutate(wall_share=lambda s: s.wall_s / s.wall_s.sum().nullif(0.0))
    return shared.order_by(ibis.desc("wall_s"), ibis.asc("step"))


def totals(tables: Tables) -> dict[str, Any]:
    """The same figures for the whole run, as a dict; None for what was not measured."""
    return relations(tables).record(_totals)


def _totals(t: Relations) -> ir.Table:
    a = attempts(t)
    ended = {
        f"{status}_attempt_count": (a.status == status).sum().fill_null(0) for status in STATUSES
    }
    hosts = a.host.nunique()
    whole = a.agg(
        **_counts(a), **ended, host_count=hosts, step_count=a.step.nunique(),
        **_used(a), **wait_sums(a),
    )  # fmt: skip
    return shares(whole)


def by_tool(tables: Tables) -> pd.DataFrame:
    """One row per tool, most CPU first, and last the CPU that no named process accounts for.

    `kind` is `tool` or, for that last row, `unattributed`: its `cpu_s` is what the attempts used
    less what their tools did, so the column adds up to the run's `cpu_s`. It can be a little
    below zero where a process's own clock ran ahead of the kernel's totals.
    """
    return relations(tables).frame(_by_tool)


def _by_tool(t: Relations) -> ir.Table:
    tools = t["tools"]
    named = tools.group_by("tool").agg(
        kind=ibis.literal("tool"),
        task_count=tools.task_id.nunique(),
        count=tools["count"].sum(),
        short_count=tools.short_count.sum(),
        folded_count=tools.folded_count.sum(),
        cpu_s=tools.cpu_s.sum(),
        wall_s=tools.wall_s.sum(),
        memory_peak_bytes=tools.memory_peak_bytes.max(),
        disk_read_bytes=tools.disk_read_bytes.sum(),
        disk_write_bytes=tools.disk_write_bytes.sum(),
    )
    used = attempts(t)
    both = used.agg(run_cpu_s=used.cpu_s.sum()).cross_join(tools.agg(named_cpu_s=tools.cpu_s.sum()))
    rest = both.select(
        tool=ibis.literal(UNATTRIBUTED),
        kind=ibis.literal("unattributed"),
        **{name: ibis.null(named[name].type()) for name in named.columns[2:6]},
        cpu_s=both.run_cpu_s - both.named_cpu_s.fill_null(0.0),
        **{name: ibis.null(named[name].type()) for name in named.columns[7:]},
    ).select(*named.columns)
    rows = named.union(rest).cross_join(both.select("run_cpu_s"))
    rows = rows.mutate(cpu_share=rows.cpu_s / rows.run_cpu_s.nullif(0.0)).drop("run_cpu_s")
    order = [rows.kind.asc(), rows.cpu_s.desc(), rows.wall_s.desc(), rows.tool.asc()]
    return rows.order_by(order)


def _counts(a: ir.Table) -> dict[str, ir.Scalar]:
    ended = {
        f"{status}_count": (a.last_attempt & (a.status == status)).sum().fill_null(0)
        for status in STATUSES
    }
    return {"count": a.task_id.nunique(), **ended}


def _used(a: ir.Table) -> dict[str, ir.Scalar]:
    timed = a.cpu_s.notnull() & a.wall_s.notnull()
    asked = a.cpus_requested.notnull() & a.wall_s.notnull()
    cpu_timed, wall_timed = a.cpu_s.sum(where=timed), a.wall_s.sum(where=timed)
    exact = counted_exactly(a)
    return {
        "attempt_count": a.count(),
        "wall_s": a.wall_s.sum(),
        "wall_max_s": a.wall_s.max(),
        "cpu_user_s": a.cpu_user_s.sum(),
        "cpu_system_s": a.cpu_system_s.sum(),
        "cpu_s": a.cpu_s.sum(),
        # How many attempts have the figure: where that is fewer than all, cpu_s is a lower bound.
        "cpu_measured_count": a.cpu_s.count(),
        "cpu_unattributed_s": a.cpu_unattributed_s.sum(),
        "cores_mean": cpu_timed / wall_timed.nullif(0.0),
        "cpus_requested": (a.cpus_requested * a.wall_s).sum(where=asked)
        / a.wall_s.sum(where=asked).nullif(0.0),
        "memory_peak_bytes": a.memory_peak_bytes.max(),
        "memory_requested_bytes": a.memory_requested_bytes.max(),
        **{name: a[name].sum() for name in _SUMMED_BYTES},
        "process_count": a.process_count.sum(),
        "short_process_count": a.short_process_count.sum(),
        "process_exact_count": a.process_count.sum(where=exact),
        "short_process_exact_count": a.short_process_count.sum(where=exact),
        "process_bound_count": a.process_count.sum(where=~exact),
        "process_estimated_count": a.process_count.count(where=~exact),
    }


def counted_exactly(a: ir.Table) -> ir.BooleanValue:
    """Whether an attempt's number of processes is a count: of any other it is an upper bound."""
    return a.process_count_source.notnull() & (a.process_count_source != "estimated")
