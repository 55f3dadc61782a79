"""What the run cost, in words and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.report.cost import PARTS, cost_notes, money
from tracer_hooks.report.text import clean
from tracer_hooks.report.units import percent

if TYPE_CHECKING:
    from tracer_hooks.analysis.summary import RunReport

_TOGETHER = {"failed": "in attempts that failed", "idle": "hosts idle"}


def cost_view(report: RunReport) -> dict[str, Any] | None:
    """`figures` (pairs of a figure and what it is), `prices` (what they rest on) and `notes`; None
    where nobody asked for prices. No figures where nothing has a price."""
    cost = report.cost
    if cost is None:
        return None
    run, whole = cost.run, cost.run["allocated"]
    if whole is None:
        return {"figures": [], "prices": "", "notes": cost_notes(cost)}
    figures = [(money(whole, run["currency"]), "allocated")]
    for name, title in {**PARTS, **_TOGETHER}.items():
        value = run.get(name)
        if not value:
            continue
        # What idle hosts cost is not part of what was allocated.
        share = "" if name == "idle" or not whole else f", {percent(value / whole)}"
        figures.append((money(value, run["currency"]), title + share))
    as_of = f", as of {run['price_as_of']}" if run["price_as_of"] else ""
    prices = f"Prices: {clean(run['price_source'])}{as_of}. Method: {clean(run['method'])}."
    return {"figures": figures, "prices": prices, "notes": cost_notes(cost)}
