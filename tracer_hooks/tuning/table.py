"""Right-sizing as a page for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.layout import MIN_WIDTH, Column, Page
from tracer_hooks.report.text import clean
from tracer_hooks.report.units import (
    UNKNOWN,
    asked,
    cores,
    count,
    duration,
    number,
    percent,
    plural,
    size,
)
from tracer_hooks.tuning.requests import header, requests, step_name

if TYPE_CHECKING:
    from tracer_hooks.analysis.sizing import Sizing

SCHEMA_VERSION = 1
_DECIMALS = 6


def render(sizing: Sizing, *, color: bool, width: int) -> str:
    """A table of the steps: requested, used, recommended; the saving and the risk beside it."""
    page = Page(max(width, MIN_WIDTH))
    rows = records(sizing.steps)
    page.line(
        (f"Requests that would have been enough for {plural(len(rows), 'step')}", "bold"), indent=0
    )
    for line in header(sizing, "Recommended")[1:]:
        page.paragraph(line)
    page.blank()
    unit = f"{clean(sizing.currency)} saved" if sizing.currency else ""
    columns = [
        Column("step", names=True), Column("tasks"),
        Column("CPUs"), Column("memory"), Column("time"),
        Column(unit or "saved", rank=1), Column("core-h", rank=2), Column("GiB-h", rank=2),
        Column("exceeded", rank=1), Column("next", rank=3),
    ]  # fmt: skip
    page.table(columns, [_cells(row) for row in rows])
    page.blank()
    page.paragraph(
        "Requested → recommended. exceeded: attempts that would have exceeded the memory or the"
        " time; next: the chance that the next task's peak is above the largest seen, before the"
        " margin."
    )
    for request in requests(sizing):
        if request.line is not None or request.retry:
            for note in request.notes[2:]:
                page.paragraph(note + ".", bold=step_name(request.step) + ": ", bullet="•")
    return page.render(color=color)


def as_json(sizing: Sizing) -> str:
    """`{schema_version, runs, margins, currency, price_source, steps}`; null: not known."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "runs": list(sizing.runs),
        "margins": dataclasses.asdict(sizing.margins),
        "currency": sizing.currency,
        "price_source": sizing.price_source,
        "steps": [{k: _rounded(v) for k, v in row.items()} for row in records(sizing.steps)],
    }
    return json.dumps(document, indent=1) + "\n"


def _rounded(value: Any) -> Any:
    return round(value, _DECIMALS) if isinstance(value, float) else value


def _cells(row: dict[str, Any]) -> list[str]:
    alone = row["left_alone"] is not None
    memory = size(row["memory_bytes"]) + ("*" if row["fitted"] and not alone else "")
    exceeded = f"{count(row['exceeded_count'])} of {count(row['attempt_count'])}"
    return [
        step_name(row["step"]), count(row["observation_count"]),
        _change(asked(cores(row["cpus_requested"])), count(row["cpus"]), alone),
        _change(asked(size(row["memory_requested_bytes"])), memory, alone),
        _change(asked(duration(row["time_requested_s"])), duration(row["time_s"]), alone),
        number(row["saved_cost"]), number(row["saved_core_h"]), number(row["saved_gib_h"]),
        "left alone" if alone else exceeded,
        percent(row["next_share"]),
    ]  # fmt: skip


def _change(before: str, after: str, alone: bool) -> str:
    return before if alone or after == UNKNOWN else f"{before} → {after}"
