"""What a run cost, or many: per attempt, step, tool, sample, tag and run (DESIGN 9, docs/cost.md).

Prices come from `tracer_hooks.prices`; where there is none every figure is null, never 0, and
`unpriced_share` says how much of the attempts' wall time that is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ibis

from tracer_hooks.analysis.carbon import Assumptions, carbon
from tracer_hooks.analysis.cost_attempts import PARTS, Priced
from tracer_hooks.analysis.cost_hosts import billed_attempts
from tracer_hooks.analysis.cost_inputs import hosts_of
from tracer_hooks.analysis.cost_tools import tool_costs
from tracer_hooks.analysis.tables import Relations, Tables, relations
from tracer_hooks.errors import UsageError
from tracer_hooks.prices.rates import Pricing, Rates, rates

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir
    import pandas as pd

COSTS = ("allocated", *PARTS, "failed")
# What costs can be added up by; also `tag:KEY`.
GROUPS = ("run", "pipeline", "step", "task", "tool", "sample")
TAG = "tag:"


@dataclass(frozen=True)
class CostReport:
    """What a run cost. Frames have the columns of COSTS in units of `run["currency"]`.

    `tasks`: one row per attempt, with `task_id`, `attempt`, and `cpu_hours`, `memory_gib_hours`
    allocated; `steps`, `samples`: one row each (null: of none), with `unpriced_share`; `tools`: one
    row each, and `(unattributed)`; most expensive first. `run`: the same keys, and `currency`,
    `host_cost`, `idle`, `unpriced_share`, `price_source`, `price_as_of`, `method`, `margin`.
    `hosts`: of each host, why it has no price (None: it has one). `carbon`: energy and emissions
    with their assumptions, if they were asked for.
    """

    tasks: pd.DataFrame
    steps: pd.DataFrame
    tools: pd.DataFrame
    samples: pd.DataFrame
    run: Mapping[str, Any]
    hosts: Mapping[str, str | None] = field(default_factory=dict)
    carbon: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RollUp:
    """Costs of many runs. `rows`: by `by`, most expensive first, with `attempts`, `wall_s`, COSTS
    and `unpriced_share`; `total`: as `CostReport.run`, which the rows add up to."""

    by: str
    rows: pd.DataFrame
    total: Mapping[str, Any]
    hosts: Mapping[str, str | None]


def cost(
    tables: Tables,
    pricing: Pricing,
    run_id: str | None = None,
    assumptions: Assumptions | None = None,
) -> CostReport:
    """What one run cost. Raises PriceError where prices don't fit together."""
    t, found = _priced(tables, pricing, run_id)
    gpus = _gpus_priced(found)
    return CostReport(
        tasks=t.frame(_by_attempt, gpus),
        steps=t.frame(_by, gpus, "step"),
        samples=t.frame(_by, gpus, "sample"),
        tools=t.frame(_by_tool, gpus),
        run=_whole(t, found, gpus),
        hosts=_whys(found),
        carbon=None if assumptions is None else carbon(t, assumptions),
    )


def roll_up(tables: Tables, by: str = "run", pricing: Pricing | None = None) -> RollUp:
    """Costs of all runs in `tables`, by one of GROUPS or `tag:KEY`. Raises UsageError, PriceError.

    Runs that shared a host are priced together: what the host cost is counted once.
    """
    if by not in GROUPS and not (by.startswith(TAG) and len(by) > len(TAG)):
        raise UsageError(f"costs are not added up by {by!r}: choose {', '.join(GROUPS)} or tag:KEY")
    t, found = _priced(tables, pricing or Pricing(), None)
    gpus = _gpus_priced(found)
    rows = t.frame(_by_tool, gpus) if by == "tool" else t.frame(_by, gpus, by)
    return RollUp(by, rows, _whole(t, found, gpus), _whys(found))


def _priced(tables: Tables, pricing: Pricing, run_id: str | None) -> tuple[Priced, Rates]:
    t = relations(tables, run_id)
    found = rates(pricing, hosts_of(t, pricing.instances))
    return Priced(t, found.table), found


def _attempts(t: Relations, gpus: bool) -> ir.Table:
    """`billed_attempts`, computed once where the tables are in memory."""
    return t.derived("billed_attempts_gpus", _with_gpus) if gpus else t.derived(
        "billed_attempts", _without_gpus
    )  # fmt: skip


def _with_gpus(t: Relations) -> ir.Table:
    return billed_attempts(t, gpus=True)


def _without_gpus(t: Relations) -> ir.Table:
    return billed_attempts(t, gpus=False)


def _by_attempt(t: Relations, gpus: bool) -> ir.Table:
    a = _attempts(t, gpus)
    return a.order_by("started_at", "task_id", "attempt").select(
        "task_id", "attempt", "step", *COSTS,
        cpu_hours=_larger(a.cpu_asked, a.cpu_used),
        memory_gib_hours=_larger(a.memory_asked, a.memory_used),
    )  # fmt: skip


def _larger(asked: ir.Value, used: ir.Value) -> ir.Value:
    return ibis.greatest(asked.fill_null(used), used.fill_null(asked))


def _by(t: Relations, gpus: bool, by: str) -> ir.Table:
    a = _attempts(t, gpus)
    if by.startswith(TAG):
        a = a.mutate(tag=a.tags.get(by[len(TAG) :], ibis.null("string")))
        keys = ["tag"]
    else:
        keys = {"run": ["run_id"], "task": ["run_id", "task_id"]}.get(by, [by])
    grouped = a.group_by(*keys).agg(attempts=a.count(), **_sums(a))
    return grouped.order_by(ibis.desc("allocated", nulls_first=False), *keys)


def _by_tool(t: Relations, gpus: bool) -> ir.Table:
    lines = tool_costs(t, _attempts(t, gpus))
    return lines.order_by(ibis.desc("allocated", nulls_first=False), "tool")


def _sums(a: ir.Table) -> dict[str, ir.Scalar]:
    unpriced = a.lasted_s.sum(where=a.allocated.isnull()).fill_null(0.0)
    return {
        "wall_s": a.lasted_s.sum(),
        **{name: a[name].sum() for name in COSTS},
        # Of attempts of no duration none can be priced: counted, not weighed.
        "unpriced_share": (unpriced / a.lasted_s.sum().nullif(0.0)).fill_null(
            (a.allocated.isnull().sum() / a.count().nullif(0)).cast("float64")
        ),
    }


def _totals(t: Relations, gpus: bool) -> ir.Table:
    a = _attempts(t, gpus)
    cost = a.window_cost.sum()
    idle = ibis.greatest(cost - a.hosted.sum().fill_null(0.0), 0.0)
    return a.agg(attempts=a.count(), **_sums(a), host_cost=cost, idle=idle)


def _whole(t: Relations, found: Rates, gpus: bool) -> dict[str, Any]:
    totals = t.record(_totals, gpus)
    if totals["host_cost"] is None:
        totals["idle"] = None
    return {
        **totals,
        "currency": found.currency,
        "price_source": found.source,
        "price_as_of": found.as_of,
        "method": found.method,
        "margin": found.margin,
    }


def _gpus_priced(found: Rates) -> bool:
    return any(found.table["gpu_rate"].to_pylist())


def _whys(found: Rates) -> dict[str, str | None]:
    return {host.name or "(no host)": why for host, why in found.hosts}
