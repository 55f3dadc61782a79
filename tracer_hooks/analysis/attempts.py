"""One relation that the other analyses share: task attempts with what follows from each alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.tables import Relations, Tables, relations

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Where the wall time of an attempt went (DESIGN 6); the five sum to wall_s.
WAITS = ("cpu", "runnable", "disk", "network", "idle")
# How an attempt ended, or that it runs.
STATUSES = ("succeeded", "failed", "cancelled", "lost", "running")


# What no analysis adds up, and takes much of the room.
_ASIDE = (
    "pipeline", "engine", "tags", "user", "workdir", "command", "container_image", "container_id",
    "disk_requested_bytes", "submitted_at", "io_read_chars", "io_write_chars",
    "voluntary_switches", "involuntary_switches",
)  # fmt: skip
# A tag of adapters: their process waited for work that another machine or a daemon did.
_ELSEWHERE = "elsewhere"


def attempts(tables: Tables) -> ir.Table:
    """The tasks table, one row per attempt, without what tells nothing of its use, and with

    `last_attempt` (bool): decides the status of its task; `wall_known_s`: the sum of the five
    parts of the wall time, null if any of them is; `cores_mean`: CPU seconds per second of wall;
    `elsewhere` (bool): its work was done where nothing was observed.
    """
    # Every analysis starts here: computed once, it halves the time of a report.
    return relations(tables).derived("attempts", _attempts)


def _attempts(t: Relations) -> ir.Table:
    a = whole_attempts(t)
    elsewhere = a.tags.get(_ELSEWHERE, ibis.null("string")).notnull().fill_null(False)
    return a.mutate(elsewhere=elsewhere).drop(*_ASIDE)


def whole_attempts(t: Relations) -> ir.Table:
    """The same with all columns of the tasks table, and without `elsewhere`; not kept."""
    tasks = t["tasks"]
    # A rerun may repeat the attempt number: then the one that started last counts.
    newest_first = [tasks.attempt.desc(), tasks.started_at.desc(), tasks.spool.desc()]
    rank = ibis.row_number().over(group_by=[tasks.run_id, tasks.task_id], order_by=newest_first)
    return tasks.mutate(
        last_attempt=rank == 0,
        wall_known_s=(
            tasks.wall_cpu_s
            + tasks.wall_runnable_s
            + tasks.wall_disk_s
            + tasks.wall_network_s
            + tasks.wall_idle_s
        ),
        cores_mean=tasks.cpu_s / tasks.wall_s.nullif(0.0),
    )
