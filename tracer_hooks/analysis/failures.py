"""Attempts that went wrong: how, with what evidence, what they cost, and what became of the task.

Cost in wall and CPU time is here; in money it is `CostReport.tasks`, by task and attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tracer_hooks.analysis.attempts import attempts
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.made_later import MadeLater
from tracer_hooks.analysis.tables import Relations, Tables, attempt_key, relations

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

BAD = ("failed", "lost", "cancelled")
WAY = ("step", "status", "failure_cause", "exit_code", "signal")  # in which attempts went wrong
LAST_READINGS = 5
_TOGETHER_S = 5
# Programs whose business it is to send a signal. The `kill` of a shell is no process of its own.
KILLERS = ("kill", "pkill", "killall", "timeout", "scancel")
_KEPT = (
    "run_id", "task_id", "attempt", "spool", "task_name", "step", "sample", "host", "status",
    "failure_cause", "exit_code", "signal", "started_at", "ended_at", "wall_s", "cpu_s",
    "memory_peak_bytes", "memory_requested_bytes", "time_requested_s", "last_attempt",
)  # fmt: skip


@dataclass(frozen=True)
class Failures(MadeLater):
    """All that is known of the attempts that went wrong; each frame is made when it is first asked
    for."""

    relations: Relations = field(repr=False)

    @cached_property
    def attempts(self) -> pd.DataFrame:
        """See `failed_attempts`."""
        return failed_attempts(self.relations)

    @cached_property
    def groups(self) -> pd.DataFrame:
        """See `failure_groups`."""
        return failure_groups(self.relations)

    @cached_property
    def retries(self) -> pd.DataFrame:
        """See `retries`."""
        return retries(self.relations)

    @cached_property
    def last_readings(self) -> pd.DataFrame:
        """See `last_readings`."""
        return last_readings(self.relations)


def failures(tables: Tables) -> Failures:
    """The attempts in the tables that went wrong."""
    return Failures(relations(tables))


def failed_attempts(tables: Tables) -> pd.DataFrame:
    """One row per attempt that `failed`, was `lost` or `cancelled`, in order of its end.

    Columns of `tasks`; `last_attempt`; `attempt_count` and `final_status` of its task;
    `failure_detail`, `oom_detail`, `signal_detail`, `limit_detail`: the JSON of its last event of
    that kind; `killed_tool`, `killed_pid`, `killed_signal`, `killed_at`: of its processes, the
    one that a signal ended last; `killed_count`: how many there were;
    `killer_tool`, `killer_pid`: the program of `KILLERS` that it started last; `last_at`: the last
    moment of which anything is on record; `last_elapsed_s`, `last_memory_bytes`, `last_processes`:
    its last reading; `host_last_at`: until when its host is known to have lived;
    `together_count`: other attempts of the run that were cancelled within five seconds of it.
    """
    return relations(tables).frame(_failed_attempts)


def _failed_attempts(t: Relations) -> ir.Table:
    a = attempts(t)
    bad = a.filter(a.status.isin(BAD)).select(*_KEPT)
    of_tasks = a.group_by("run_id", "task_id").agg(
        attempt_count=a.count(), final_status=a.status.max(where=a.last_attempt)
    )
    keys = attempt_key(bad)
    joined = _beside(bad, of_tasks, ["run_id", "task_id"])
    for facts in (_events(t), _killed(t), _killers(t), _last_reading(t, bad)):
        joined = _beside(joined, facts, keys)
    joined = joined.mutate(
        last_at=ibis.greatest(
            ibis.coalesce(joined.ended_at, joined.last_event_at, joined.last_reading_at),
            ibis.coalesce(joined.last_event_at, joined.ended_at, joined.last_reading_at),
            ibis.coalesce(joined.last_reading_at, joined.ended_at, joined.last_event_at),
        )
    ).drop("last_event_at", "last_reading_at")
    joined = _beside(joined, _hosts(t), ["run_id", "host"])
    joined = _beside(joined, _together(bad), keys)
    return joined.drop("spool").order_by("last_at", "task_id", "attempt")


def _beside(left: ir.Table, right: ir.Table, keys: list[str]) -> ir.Table:
    """`left` with the other columns of `right`; two nulls in a key are the same."""
    renamed = right.rename({f"{key}_of_right": key for key in keys})
    same = [left[key].identical_to(renamed[f"{key}_of_right"]) for key in keys]
    return left.left_join(renamed, same).drop(*(f"{key}_of_right" for key in keys))


def _events(t: Relations) -> ir.Table:
    e = t["events"]
    told = e.filter(e.kind.isin(["failure", "oom", "signal", "limit"]))
    order = ibis.coalesce(told.at, ibis.timestamp("1970-01-01T00:00:00+00:00"))
    return told.group_by(attempt_key(told)).agg(
        **{
            f"{kind}_detail": told.detail.argmax(order, where=told.kind == kind)
            for kind in ("failure", "oom", "signal", "limit")
        },
        last_event_at=told.at.max(),
    )


def _killed(t: Relations) -> ir.Table:
    p = t["processes"]
    killed = p.filter(p.signal.notnull() & (p.signal > 0) & p.ended_at.notnull())
    return killed.group_by(attempt_key(killed)).agg(
        killed_tool=ibis.coalesce(killed.tool, killed.comm).argmax(killed.ended_at),
        killed_pid=killed.pid.argmax(killed.ended_at),
        killed_signal=killed.signal.argmax(killed.ended_at),
        killed_count=killed.count(),
        killed_at=killed.ended_at.max(),
    )


def _killers(t: Relations) -> ir.Table:
    p = t["processes"]
    found = p.filter(p.comm.isin(KILLERS) & p.started_at.notnull())
    return found.group_by(attempt_key(found)).agg(
        killer_tool=found.comm.argmax(found.started_at),
        killer_pid=found.pid.argmax(found.started_at),
    )


def _last_reading(t: Relations, bad: ir.Table) -> ir.Table:
    whole = _readings_of(t, bad)
    return whole.group_by(attempt_key(whole)).agg(
        last_elapsed_s=whole.elapsed_s.max(),
        last_memory_bytes=whole.memory_bytes.argmax(whole.elapsed_s),
        last_processes=whole.processes.argmax(whole.elapsed_s),
        last_reading_at=whole["at"].max(),
    )


def _readings_of(t: Relations, bad: ir.Table) -> ir.Table:
    """The readings of whole attempts, of these alone: most readings are of what went well."""
    r = t["readings"]
    whole = r.filter(r.process_id.isnull() & r.elapsed_s.notnull())
    return whole.semi_join(bad, [whole[key].identical_to(bad[key]) for key in attempt_key(r)])


def _hosts(t: Relations) -> ir.Table:
    """Until when each host is known to have lived: by its own readings, and by its tasks' ends."""
    h, a = t["hosts"], attempts(t)
    seen = h.select("run_id", "host", "at").union(a.select("run_id", "host", at=a.ended_at))
    return seen.group_by("run_id", "host").agg(host_last_at=seen["at"].max())


def _together(bad: ir.Table) -> ir.Table:
    """How many others were cancelled in the same moment: an engine that stops stops them all."""
    cancelled = bad.filter((bad.status == "cancelled") & bad.ended_at.notnull())
    near = ibis.range_window(
        preceding=_TOGETHER_S,
        following=_TOGETHER_S,
        group_by="run_id",
        order_by=cancelled.ended_at.epoch_seconds(),
    )
    counted = cancelled.mutate(together_count=cancelled.count().over(near) - 1)
    return counted.select(*attempt_key(bad), "together_count")


def failure_groups(tables: Tables) -> pd.DataFrame:
    """Attempts that went wrong in the same way in the same step, most wall time first.

    `step`, `status`, `failure_cause`, `exit_code`, `signal`; `attempt_count`, `task_count`,
    `unrecovered_count` (tasks whose last attempt ended so), `wall_s` and `cpu_s` that were spent
    on them; `task_id`, `attempt`: the one that took longest.
    """
    return relations(tables).frame(_failure_groups)


def _failure_groups(t: Relations) -> ir.Table:
    a = attempts(t)
    bad = a.filter(a.status.isin(BAD))
    length = bad.wall_s.fill_null(-1.0)
    grouped = bad.group_by(*WAY).agg(
        attempt_count=bad.count(),
        task_count=bad.task_id.nunique(),
        unrecovered_count=bad.last_attempt.sum().fill_null(0),
        wall_s=bad.wall_s.sum(),
        cpu_s=bad.cpu_s.sum(),
        task_id=bad.task_id.argmax(length),
        attempt=bad.attempt.argmax(length),
    )
    # What was never made good comes first: that is what stopped the run.
    return grouped.order_by(
        (grouped.unrecovered_count > 0).desc(),
        ibis.desc(grouped.wall_s.fill_null(-1.0)),
        *WAY,
    )


def retries(tables: Tables) -> pd.DataFrame:
    """One row per task of more than one attempt, most wasted wall time first.

    `task_id`, `task_name`, `step`, `attempt_count`, `final_status`, `bad_count`; `bad_wall_s`,
    `bad_cpu_s`: what the attempts that went wrong took; `causes`: how these ended, in order, as
    one text (`oom, exit_code`).
    """
    return relations(tables).frame(_retries)


def _retries(t: Relations) -> ir.Table:
    a = attempts(t)
    went_wrong = a.status.isin(BAD)
    cause = ibis.coalesce(a.failure_cause, a.status)
    grouped = a.group_by("task_id").agg(
        task_name=a.task_name.max(where=a.last_attempt),
        step=a.step.max(where=a.last_attempt),
        attempt_count=a.count(),
        final_status=a.status.max(where=a.last_attempt),
        bad_count=went_wrong.sum().fill_null(0),
        bad_wall_s=a.wall_s.sum(where=went_wrong),
        bad_cpu_s=a.cpu_s.sum(where=went_wrong),
        causes=cause.group_concat(
            ", ", where=went_wrong, order_by=[a.attempt.asc(), a.started_at.asc()]
        ),
    )
    several = grouped.filter(grouped.attempt_count > 1)
    return several.order_by(ibis.desc(several.bad_wall_s.fill_null(-1.0)), "task_id")


def last_readings(tables: Tables) -> pd.DataFrame:
    """The last `LAST_READINGS` readings of each attempt that went wrong, in order.

    `task_id`, `attempt`, `elapsed_s`, `memory_bytes`, `processes`, and `cores`: CPU seconds per
    second since the reading before, null for the first of an attempt.
    """
    return relations(tables).frame(_last_readings)


def _last_readings(t: Relations) -> ir.Table:
    a, r = attempts(t), t["readings"]
    keys = attempt_key(r)
    own = _readings_of(t, a.filter(a.status.isin(BAD)).select(*keys))
    each = ibis.window(group_by=keys, order_by=own.elapsed_s)
    passed = own.elapsed_s - own.elapsed_s.lag().over(each)
    newest = ibis.window(group_by=keys, order_by=own.elapsed_s.desc())
    ranked = own.mutate(
        cores=(own.cpu_s - own.cpu_s.lag().over(each)) / passed.nullif(0.0),
        place=ibis.row_number().over(newest),
    )
    last = ranked.filter(ranked.place < LAST_READINGS)
    columns = ("task_id", "attempt", "elapsed_s", "memory_bytes", "processes", "cores")
    return last.select(*columns).order_by("task_id", "attempt", "elapsed_s")
