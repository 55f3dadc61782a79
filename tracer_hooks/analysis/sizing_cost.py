"""What requests of another size would have cost: the analysis of cost, asked twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer_hooks.analysis.cost import roll_up
from tracer_hooks.analysis.tables import records

if TYPE_CHECKING:
    import pyarrow as pa

    from tracer_hooks.analysis.cost import RollUp
    from tracer_hooks.analysis.tables import Tables
    from tracer_hooks.prices.rates import Pricing


@dataclass(frozen=True)
class Saved:
    """`by_step`: what a step's attempts would have cost less, in `currency` (below zero: more).
    A step of which any attempt has no price is missing: half a sum is no saving."""

    by_step: Mapping[str, float]
    currency: str | None
    source: str | None


def saving(tables: Tables, before: pa.Table, after: pa.Table, pricing: Pricing) -> Saved:
    """`before` and `after`: the same attempts with their own requests and with others; `tables`:
    the rest of what a cost depends on, by name."""
    if not isinstance(tables, Mapping):
        raise TypeError("prices need tables by name")
    was = roll_up({**tables, "tasks": before}, "step", pricing)
    would_be = roll_up({**tables, "tasks": after}, "step", pricing)
    costs, cheaper = _by_step(was), _by_step(would_be)
    return Saved(
        {step: costs[step] - cheaper[step] for step in costs.keys() & cheaper.keys()},
        was.total["currency"],
        was.total["price_source"],
    )


def _by_step(costs: RollUp) -> dict[str, float]:
    return {
        row["step"]: row["allocated"]
        for row in records(costs.rows)
        if row["allocated"] is not None and not row["unpriced_share"]
    }
