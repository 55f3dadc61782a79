"""What a run cost, or many: per attempt, step, tool, sample, tag and run (DESIGN 9, docs/cost.md).

Prices come from `tracer_hooks.prices`; where there is none every figure is null, never 0, and
`unpriced_share` says how much of the attempts' wall time that is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from tracer_hooks.analysis.carbon import Assumptions, carbon
from tracer_hooks.analysis.cost_attempts import PARTS, Priced
from tracer_hooks.analysis.cost_hosts import billed_attempts
from tracer_hooks.analysis.cost_inputs import hosts_of, measured
from tracer_hooks.analysis.cost_tools import tool_costs
from tracer_hooks.analysis.failures import BAD, WAY
from tracer_hooks.analysis.groups import check_group, tag_of
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.made_later import MadeLater
from tracer_hooks.analysis.tables import Relations, Tables, relations
from tracer_hooks.prices.rates import Pricing, Rates, rates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import ibis.expr.types as ir

COSTS = ("allocated", *PARTS, "failed")


@dataclass(frozen=True)
class CostReport(MadeLater):
    """What a run cost. Frames have the columns of COSTS in units of `run["currency"]`; all but
    `steps` are made when they are first asked for.

    `tasks`: one row per attempt, with `task_id`, `attempt`, `spool`, and `cpu_hours`,
    `memory_gib_hours` allocated; `steps`, `samples`: one row each (null: of none), with
    `unpriced_share`; `tools`: one row each, and `(unattributed)`; most expensive first;
    `failures`: one row per way in which attempts went wrong (WAY, null where any of them has no
    price). `run`: the
    same keys, and `currency`, `host_cost`, `idle`, `unpriced_share`, `price_source`, `price_as_of`,
    `method`, `margin`. `hosts`: of each host, why it has no price (None: it has one). `carbon`:
    energy and emissions with their assumptions, if they were asked for.
    """

    steps: pd.DataFrame
    run: Mapping[str, Any]
    priced: Priced = field(repr=False)
    what: tuple[bool, bool] = field(repr=False)
    hosts: Mapping[str, str | None] = field(default_factory=dict)
    carbon: Mapping[str, Any] | None = None

    @cached_property
    def tasks(self) -> pd.DataFrame:
        """See above."""
        return self.priced.frame(_by_attempt, *self.what)

    @cached_property
    def tools(self) -> pd.DataFrame:
        """See above."""
        return self.priced.frame(_by_tool, *self.what)

    @cached_property
    def samples(self) -> pd.DataFrame:
        """See above."""
        return _shown(self.priced.frame(_by, *self.what, "sample"))

    @cached_property
    def failures(self) -> pd.DataFrame:
        """See above."""
        return self.priced.frame(_by_way, *self.what)


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
    what = _what(found)
    steps = t.frame(_by, *what, "step")
    return CostReport(
        steps=_shown(steps),
        priced=t,
        what=what,
        run={**_totals(steps), **_of_hosts(t, what), **_how(found)},
        hosts=_whys(found),
        carbon=None if assumptions is None else carbon(t, assumptions),
    )


def roll_up(tables: Tables, by: str = "run", pricing: Pricing | None = None) -> RollUp:
    """Costs of all runs in `tables`, by one of GROUPS or `tag:KEY`. Raises UsageError, PriceError.

    Runs that shared a host are priced together: what the host cost is counted once.
    """
    check_group(by)
    t, found = _priced(tables, pricing or Pricing(), None)
    what = _what(found)
    groups = t.frame(_by, *what, "run" if by == "tool" else by)
    rows = t.frame(_by_tool, *what) if by == "tool" else _shown(groups)
    total = {**_totals(groups), **_of_hosts(t, what), **_how(found)}
    return RollUp(by, rows, total, _whys(found))


def _priced(tables: Tables, pricing: Pricing, run_id: str | None) -> tuple[Priced, Rates]:
    t = relations(tables, run_id)
    hosts = hosts_of(t, pricing.instances)
    found = rates(pricing, hosts)
    if found.lacks_sizes:
        found = rates(pricing, measured(t, hosts))
    return Priced(t, found.table), found


def _attempts(t: Relations, gpus: bool, hosts: bool) -> ir.Table:
    """`billed_attempts`, computed once where the tables are in memory."""
    name = f"billed_attempts_{gpus:d}{hosts:d}"
    return t.derived(name, _BILLED[gpus, hosts])


def _billed(gpus: bool, hosts: bool) -> Callable[[Relations], ir.Table]:
    def build(t: Relations) -> ir.Table:
        return billed_attempts(t, gpus, hosts)

    return build


# Functions of this module, since what they express is compiled once in a process.
_BILLED = {(gpus, hosts): _billed(gpus, hosts) for gpus in (False, True) for hosts in (False, True)}


def _by_attempt(t: Relations, gpus: bool, hosts: bool) -> ir.Table:
    a = _attempts(t, gpus, hosts)
    return a.order_by("started_at", "task_id", "attempt", "spool").select(
        "task_id", "attempt", "spool", "step", *COSTS,
        cpu_hours=_larger(a.cpu_asked, a.cpu_used),
        memory_gib_hours=_larger(a.memory_asked, a.memory_used),
    )  # fmt: skip


def _larger(asked: ir.Value, used: ir.Value) -> ir.Value:
    return ibis.greatest(asked.fill_null(used), used.fill_null(asked))


def _by(t: Relations, gpus: bool, hosts: bool, by: str) -> ir.Table:
    a = _attempts(t, gpus, hosts)
    key = tag_of(by)
    if key is not None:
        a = a.mutate(tag=a.tags.get(key, ibis.null("string")))
        keys = ["tag"]
    else:
        keys = {"run": ["run_id"], "task": ["run_id", "task_id"]}.get(by, [by])
    grouped = a.group_by(*keys).agg(
        attempts=a.count(),
        wall_s=a.lasted_s.sum(),
        **{name: a[name].sum() for name in COSTS},
        unpriced=a.allocated.isnull().sum(),
        unpriced_s=a.lasted_s.sum(where=a.allocated.isnull()),
    )
    return grouped.order_by(ibis.desc("allocated", nulls_first=False), *keys)


def _by_way(t: Relations, gpus: bool, hosts: bool) -> ir.Table:
    a = _attempts(t, gpus, hosts)
    bad = a.filter(a.status.isin(BAD))
    every = bad.count() == bad.allocated.count()
    whole = ibis.ifelse(every, bad.allocated.sum(), ibis.null("float64"))
    return bad.group_by(*WAY).agg(allocated=whole).order_by(*WAY)


def _by_tool(t: Relations, gpus: bool, hosts: bool) -> ir.Table:
    lines = tool_costs(t, _attempts(t, gpus, hosts))
    return lines.order_by(ibis.desc("allocated", nulls_first=False), "tool")


def _hosts(t: Relations, gpus: bool, hosts: bool) -> ir.Table:
    a = _attempts(t, gpus, hosts)
    return a.agg(host_cost=a.window_cost.sum(), hosted=a.hosted.sum())


def _shown(groups: pd.DataFrame) -> pd.DataFrame:
    """Rows of `_by` with the share that is unpriced instead of its amounts."""
    shown: pd.DataFrame = groups.drop(columns=["unpriced", "unpriced_s"])
    # Attempts of which no duration is known can't be weighed: they are counted.
    by_time = groups["unpriced_s"].fillna(0.0) / groups["wall_s"].where(groups["wall_s"] > 0)
    by_count = groups["unpriced"].astype("float64") / groups["attempts"].astype("float64")
    shown["unpriced_share"] = by_time.fillna(by_count)
    return shown


def _totals(groups: pd.DataFrame) -> dict[str, Any]:
    """All rows of `_by` as one: what its rows add up to, null where every one is."""
    sums = groups[["attempts", "wall_s", *COSTS, "unpriced", "unpriced_s"]].sum(min_count=1)
    whole = _shown(sums.to_frame().T) if len(groups) else None
    row = {name: _plain(value) for name, value in sums.items()}
    return {
        "attempts": int(row["attempts"] or 0),
        **{name: row[name] for name in ("wall_s", *COSTS)},
        "unpriced_share": None if whole is None else _plain(whole["unpriced_share"].iloc[0]),
    }


def _of_hosts(t: Relations, what: tuple[bool, bool]) -> dict[str, Any]:
    """What hosts cost and what of it was idle; null where no host's price and window are known."""
    if not what[1]:
        return {"host_cost": None, "idle": None}
    row = t.record(_hosts, *what)
    cost = row["host_cost"]
    # Rounding alone can bring it below zero.
    idle = None if cost is None else max(0.0, cost - (row["hosted"] or 0.0))
    return {"host_cost": cost, "idle": idle}


def _how(found: Rates) -> dict[str, Any]:
    return {
        "currency": found.currency,
        "price_source": found.source,
        "price_as_of": found.as_of,
        "method": found.method,
        "margin": found.margin,
    }


def _what(found: Rates) -> tuple[bool, bool]:
    """Whether GPUs have a price, and whether any whole host has: work that can be left out."""
    gpus = any(found.table["gpu_rate"].to_pylist())
    return gpus, found.table["host_rate"].null_count < found.table.num_rows


def _whys(found: Rates) -> dict[str, str | None]:
    return {host.name or "(no host)": why for host, why in found.hosts}


def _plain(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
