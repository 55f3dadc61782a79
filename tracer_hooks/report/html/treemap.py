"""The treemap of cost, or of CPU time where there is no price, by step and by tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.html.payload import short

if TYPE_CHECKING:
    from tracer_hooks.analysis.summary import RunReport

MAX_STEPS = 60
MAX_TOOLS = 15
NOBODY = "no named process"


def treemap(report: RunReport) -> dict[str, Any]:
    """`unit` (`cpu`, or the currency), and `steps`: `{name, value, used, tools: [[name, value]]}`.

    With prices a step's value is what it was allocated, shared out to its tools in proportion to
    their CPU time. `used` is the share of the cores asked for that were busy, or None.
    """
    prices, currency = _prices(report)
    tools = _tools(report)
    steps: list[dict[str, Any]] = []
    for row in records(report.steps):
        value = prices.get(row["step"]) if prices else row["cpu_s"]
        if not value or value < 0:
            continue
        asked, cores = row["cpus_requested"], row["cores_mean"]
        own = tools.get(row["step"], [])
        whole = sum(cpu for _, cpu in own)
        steps.append({
            "name": _name(row["step"]),
            "value": _rounded(value),
            "used": round(min(1.0, cores / asked), 3) if asked and cores is not None else None,
            "tools": [[name, _rounded(value * cpu / whole)] for name, cpu in own] if whole else [],
        })  # fmt: skip
    steps.sort(key=lambda step: -step["value"])
    rest = steps[MAX_STEPS:]
    if rest:
        together = {"name": f"{len(rest)} more steps", "value": sum(s["value"] for s in rest)}
        steps = [*steps[:MAX_STEPS], {**together, "used": None, "tools": []}]
    return {"unit": currency or "cpu", "steps": steps}


def _prices(report: RunReport) -> tuple[dict[Any, float], str | None]:
    cost = report.cost
    if cost is None or not cost.run["allocated"]:
        return {}, None
    found = {row["step"]: row["allocated"] for row in records(cost.steps)}
    return {step: value for step, value in found.items() if value}, cost.run["currency"]


def _tools(report: RunReport) -> dict[Any, list[tuple[str, float]]]:
    """By step: its tools and their CPU time, most first; the small ones of many as one."""
    found: dict[Any, list[tuple[str, float]]] = {}
    if report.detail is None:
        return found
    for row in records(report.detail.step_tools):
        if row["cpu_s"]:
            name = NOBODY if row["tool"] is None else short(row["tool"])
            found.setdefault(row["step"], []).append((name, max(0.0, row["cpu_s"])))
    for step, tools in found.items():
        if len(tools) > MAX_TOOLS:
            rest = tools[MAX_TOOLS:]
            more = (f"{len(rest)} more tools", sum(cpu for _, cpu in rest))
            found[step] = [*tools[:MAX_TOOLS], more]
    return found


def _rounded(value: float) -> float:
    """To six significant digits: what costs little is still a figure."""
    return float(f"{value:.6g}")


def _name(step: str | None) -> str:
    return "(no step)" if step is None else short(step)
