"""Where the wall time went: on CPU, runnable but waiting for a core, disk, network, idle.

Shares are of the wall time whose five parts are all known, so they add up to 1; an attempt with
an unknown part is left out, and `wall_known_share` says how much of the wall time that leaves.
Where nothing is known every share is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.attempts import WAITS, attempts
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.tables import Relations, Tables, relations

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd


def by_attempt(tables: Tables) -> pd.DataFrame:
    """One row per attempt: `step`, `task_id`, `attempt` and the columns of `shares`."""
    return relations(tables).frame(_by, "step", "task_id", "attempt")


def by_task(tables: Tables) -> pd.DataFrame:
    """One row per task, all its attempts together."""
    return relations(tables).frame(_by, "step", "task_id")


def by_step(tables: Tables) -> pd.DataFrame:
    """One row per step, most wall time first."""
    return relations(tables).frame(_by, "step")


def whole_run(tables: Tables) -> dict[str, Any]:
    """The same for the run as a whole, as a dict."""
    return relations(tables).record(_whole_run)


def _whole_run(t: Relations) -> ir.Table:
    a = attempts(t)
    return shares(a.agg(wall_s=a.wall_s.sum(), **wait_sums(a)))


def wait_sums(a: ir.Table) -> dict[str, ir.Scalar]:
    """Aggregates over `attempts`: `wall_<part>_s`, `wall_known_s`, of attempts fully known."""
    known = a.wall_known_s.notnull()
    parts = {f"wall_{part}_s": a[f"wall_{part}_s"].sum(where=known) for part in WAITS}
    return {**parts, "wall_known_s": a.wall_known_s.sum()}


def shares(sums: ir.Table) -> ir.Table:
    """`sums` (with `wall_s` and the columns of `wait_sums`) and with the shares of each row."""
    whole = sums.wall_known_s.nullif(0.0)
    parts = {f"{part}_share": sums[f"wall_{part}_s"] / whole for part in WAITS}
    known = sums.wall_known_s / sums.wall_s.nullif(0.0)
    return sums.mutate(**parts, wall_known_share=ibis.least(known, 1.0))


def _by(t: Relations, *keys: str) -> ir.Table:
    a = attempts(t)
    sums = a.group_by(*keys).agg(wall_s=a.wall_s.sum(), **wait_sums(a))
    return shares(sums).order_by(ibis.desc("wall_s"), *keys)
