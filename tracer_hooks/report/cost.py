"""What a run cost, as sections of the reports for people."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records
from tracer_hooks.prices.rates import NOT_KNOWN
from tracer_hooks.report.layout import Column, Page
from tracer_hooks.report.text import clean, fit
from tracer_hooks.report.units import UNKNOWN, number, percent, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracer_hooks.analysis.cost import CostReport
    from tracer_hooks.analysis.summary import RunReport

    Table = Callable[[list[str], list[list[str]]], Any]

MAX_STEPS = 15
_MAX_HOSTS = 5
_SAY = "Say what it is with `--instance TYPE --region REGION`, or name"
_REMEDY = "prices with `--prices FILE`; `--prices generic` gives a rough figure."
_NAME = 80
_LEAST = 0.0001  # what is less is not told apart by people, and not nothing
_SOURCE = re.compile(r" \(https?://[^)]*\)")
_SIGNS = {"USD": "$"}
# In the order in which they add up.
PARTS = {
    "useful": "useful",
    "headroom": "headroom",
    "over_requested": "over-requested",
    "unmeasured": "not measured",
}
_TITLES = ["step", "cost", *PARTS.values(), "failed"]


def money(value: float | None, currency: str | None) -> str:
    """`$0.0338`, `EUR 12.3`; a dash for what has no price."""
    if value is None or value != value or currency is None:
        return UNKNOWN
    sign = _SIGNS.get(currency) or f"{clean(currency)} "
    if value == 0:
        return f"{sign}0"
    if abs(value) < _LEAST:
        return f"<{sign}{_LEAST}"
    return f"{'-' if value < 0 else ''}{sign}{number(abs(value))}"


def cost_section(page: Page, report: RunReport) -> None:
    """The section of the terminal's report; nothing where nobody asked for prices."""
    cost = report.cost
    if cost is None:
        return
    page.heading("Cost", _SOURCE.sub("", _note(cost)))
    if _priced(cost):
        page.paragraph(_summary(cost))
        columns = [
            Column("step", names=True, least=14), Column("cost"), Column("useful"),
            Column("headroom", rank=2), Column("over-requested"), Column("not measured", rank=3),
            Column("failed", rank=1),
        ]  # fmt: skip
        page.table(columns, _steps(cost))
        _rest(page, cost)
    for line in cost_notes(cost):
        page.paragraph(line, style="dim")


def cost_markdown(report: RunReport, table: Table) -> list[str]:
    """The section in Markdown; `table(titles, rows)` makes a table and escapes its cells."""
    from tracer_hooks.report.markdown import escaped, prose

    cost = report.cost
    if cost is None:
        return []
    lines = ["### Cost", ""]
    if _priced(cost):
        lines += [escaped(_summary(cost)), "", *table(_titles(cost), _shown_steps(cost))]
    return [
        *lines,
        *(f"- {prose(line)}" for line in [_note(cost), *cost_notes(cost)] if line),
        "",
    ]


def cost_html(report: RunReport, table: Table) -> list[str]:
    """The section for notebooks; `table(titles, rows)` makes a table and escapes its cells."""
    cost = report.cost
    if cost is None:
        return []
    body = ["<h4>Cost</h4>"]
    if _priced(cost):
        body += [f"<div>{escape(_summary(cost))}</div>", table(_titles(cost), _shown_steps(cost))]
    notes = [line for line in [_note(cost), *cost_notes(cost)] if line]
    return [*body, *(f'<div class="th-quiet">{escape(line)}</div>' for line in notes)]


def cost_notes(cost: CostReport) -> list[str]:
    """What is not priced and why, and energy and carbon."""
    carbon = [] if cost.carbon is None else carbon_lines(cost.carbon)
    return [*price_notes(cost.run, cost.hosts), *carbon]


def price_notes(run: Mapping[str, Any], hosts: Mapping[str, str | None]) -> list[str]:
    """Which hosts have no price and why, what can be done, and how much that leaves out."""
    unknown = any(said and said.endswith(NOT_KNOWN) for said in hosts.values())
    why = [f"{fit(host, _NAME)}: {clean(said)}" for host, said in hosts.items() if said]
    if not why:
        return []
    if len(why) > _MAX_HOSTS:
        why[_MAX_HOSTS:] = [f"and {plural(len(why) - _MAX_HOSTS, 'more host')}"]
    lines = [f"No price for {'; '.join(why)}.", f"{_SAY if unknown else 'Name'} {_REMEDY}"]
    if run["unpriced_share"] and run["allocated"] is not None:
        share = percent(run["unpriced_share"])
        lines.append(f"{share} of the wall time in tasks has no price and is not in it.")
    return lines


def carbon_lines(carbon: Mapping[str, Any]) -> list[str]:
    """Energy and emissions, and beside them what they rest on."""
    assumed = carbon["assumptions"]
    energy, grams = carbon["energy_kwh"], carbon["carbon_g"]
    rests = (
        f"assumed: {number(assumed['watts_per_core'])} W for a busy core, "
        f"{number(assumed['watts_per_gib'])} W for a GiB, a PUE of {number(assumed['pue'])}, "
        f"{number(assumed['carbon_g_per_kwh'])} g CO2e/kWh; the Green Algorithms formula"
    )
    if energy is None:
        return ["Energy is not known: no attempt has both CPU and memory measured."]
    part = carbon["measured_share"]
    some = "" if part is None or part > 0.9995 else f", of {percent(part)} of the wall time"
    return [f"Energy {_energy(energy)}, {_mass(grams)} CO2e{some} ({rests})."]


def _energy(kwh: float) -> str:
    return f"{number(kwh * 1000)} Wh" if kwh < 1 else f"{number(kwh)} kWh"


def _mass(grams: float) -> str:
    return f"{number(grams)} g" if grams < 1000 else f"{number(grams / 1000)} kg"


def _priced(cost: CostReport) -> bool:
    return cost.run["allocated"] is not None


def _note(cost: CostReport) -> str:
    run = cost.run
    if not _priced(cost):
        return ""
    as_of = f", as of {run['price_as_of']}" if run["price_as_of"] else ""
    return f"prices: {clean(run['price_source'])}{as_of}; method {run['method']}"


def _summary(cost: CostReport) -> str:
    run, currency = cost.run, cost.run["currency"]
    whole = run["allocated"]
    parts = [
        f"{money(run[name], currency)} {title} ({percent(run[name] / whole)})"
        for name, title in PARTS.items()
        if run[name] and whole
    ]
    said = f"{money(whole, currency)} allocated" + (f": {', '.join(parts)}" if parts else "")
    if run["failed"]:
        said += f"; of it {money(run['failed'], currency)} in attempts that failed"
    if run["idle"] is not None:
        share = percent(run["idle"] / run["host_cost"]) if run["host_cost"] else UNKNOWN
        said += f"; hosts idle {money(run['idle'], currency)} ({share} of what they cost)"
    return said


def _steps(cost: CostReport) -> list[list[Any]]:
    currency = cost.run["currency"]
    return [
        [fit(row["step"], 60), money(row["allocated"], currency)]
        + [_share(row[name], row["allocated"]) for name in PARTS]
        + [money(row["failed"], currency) if row["failed"] else ""]
        for row in records(cost.steps.head(MAX_STEPS))
    ]


def _share(part: float | None, whole: float | None) -> str:
    if part is None or whole is None or part != part or whole != whole:
        return UNKNOWN
    return percent(part / whole) if part and whole else ""


def _titles(cost: CostReport) -> list[str]:
    return [_TITLES[i] for i in _used(cost)]


def _shown_steps(cost: CostReport) -> list[list[str]]:
    return [[row[i] for i in _used(cost)] for row in _steps(cost)]


def _used(cost: CostReport) -> Sequence[int]:
    """The columns in which some row has anything."""
    rows = _steps(cost)
    return [i for i in range(len(_TITLES)) if i < 2 or any(row[i] for row in rows)]


def _rest(page: Page, cost: CostReport) -> None:
    rest = len(cost.steps) - MAX_STEPS
    if rest > 0:
        page.line((f"and {plural(rest, 'more step')}", "dim"))
