"""What tools cost: each attempt's cost is shared out among the programs that it ran.

In proportion to what using them cost: CPU seconds at the price of a core, and peak memory for as
long as the program ran (the sum of its processes' lifetimes, but no longer than the attempt) at the
price of memory. All parts of the cost are shared out alike. CPU that no named process accounts for,
and attempts of which no tool is known, are a line of their own, so that the lines add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.analysis.cost_attempts import GIB_SECONDS, PARTS
from tracer_hooks.analysis.later import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from tracer_hooks.analysis.tables import Relations

UNATTRIBUTED = "(unattributed)"
SHARED = ("allocated", *PARTS, "failed")
_KEY = ("run_id", "task_id", "attempt")


def tool_costs(t: Relations, a: ir.Table) -> ir.Table:
    """One row per tool, and one for what is unattributed: `tool`, and the columns SHARED.

    `a`: `cost_hosts.billed_attempts`.
    """
    named = _named(t, a)
    sums = named.group_by("tool").agg(**{name: named[name].sum() for name in SHARED})
    whole = a.agg(**{f"all_{name}": a[name].sum() for name in SHARED})
    shared = named.agg(**{f"of_{name}": named[name].sum() for name in SHARED})
    both = whole.cross_join(shared)
    rest = both.select(
        tool=ibis.literal(UNATTRIBUTED),
        # Rounding alone can bring it below zero.
        **{
            name: both[f"all_{name}"].isnull().ifelse(
                ibis.null("float64"),
                ibis.greatest(both[f"all_{name}"] - both[f"of_{name}"].fill_null(0.0), 0.0),
            )
            for name in SHARED
        },
    )  # fmt: skip
    return sums.union(rest)


def _named(t: Relations, a: ir.Table) -> ir.Table:
    """One row per attempt and tool, with what the tool's share of the attempt's cost is."""
    tools = t["tools"]
    used = tools.select(
        *(tools[name].name(f"tool_{name}") for name in _KEY),
        tool_spool=tools.spool.fill_null(""),
        tool=tools.tool,
        tool_cpu_s=tools.cpu_s.fill_null(0.0),
        tool_wall_s=tools.wall_s.fill_null(0.0),
        tool_bytes=tools.memory_peak_bytes.fill_null(0).cast("float64"),
    )
    own = a.filter(a.allocated.notnull()).select(
        *_KEY, *SHARED, "cpu_rate", "memory_rate", "lasted_s", "cpu_unattributed_s",
        own_spool=a.spool.fill_null(""),
    )  # fmt: skip
    same = [own[name] == used[f"tool_{name}"] for name in _KEY]
    j = own.inner_join(used, [*same, own.own_spool == used.tool_spool])
    gib_hours = j.tool_bytes * ibis.least(j.tool_wall_s, j.lasted_s) / GIB_SECONDS
    nameless_s = ibis.greatest(j.cpu_unattributed_s.fill_null(0.0), 0.0)
    j = j.mutate(
        weight=j.cpu_rate * j.tool_cpu_s / 3600.0 + j.memory_rate * gib_hours,
        nameless=j.cpu_rate * nameless_s / 3600.0,
    )
    attempt = ibis.window(group_by=[*(j[name] for name in _KEY), j.own_spool])
    total = j.weight.sum().over(attempt) + j.nameless
    j = j.mutate(share=(j.weight / total.nullif(0.0)).fill_null(0.0))
    return j.select("tool", **{name: j[name] * j.share for name in SHARED})
