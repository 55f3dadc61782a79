"""What things cost, as the JSON report has it (DESIGN 7): null where there is no price."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.cost import COSTS
from tracer_hooks.analysis.tables import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from tracer_hooks.analysis.cost import CostReport
    from tracer_hooks.analysis.summary import RunReport

# A short task costs less than a millionth; a backend's order of adding shows after these digits.
_DECIMALS = 12
_NOT_KEYS = frozenset({"task_id", "attempt", "step", "sample", "tool", "attempts", "wall_s"})


def task_costs(report: RunReport) -> list[dict[str, Any] | None]:
    """The `cost` of each row of `report.tasks`; None where nobody asked for prices."""
    if report.cost is None:
        return [None] * len(report.tasks)
    by_key: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in records(report.cost.tasks):
        by_key[row["task_id"], row["attempt"]].append(_costs(row))
    # A rerun can repeat the key: both frames are then in the order of their start.
    waiting = {key: iter(rows) for key, rows in by_key.items()}
    keys = records(report.tasks[["task_id", "attempt"]])
    return [next(waiting[row["task_id"], row["attempt"]]) for row in keys]


def step_costs(report: RunReport) -> dict[str | None, dict[str, Any]] | None:
    """The `cost` of each step, by name."""
    if report.cost is None:
        return None
    return {row["step"]: _costs(row) for row in records(report.cost.steps)}


def run_cost(cost: CostReport | None) -> dict[str, Any] | None:
    """The run's `cost`: the totals, how they were priced, and what tools and samples make of it."""
    if cost is None:
        return None
    run = {k: rounded(v) for k, v in cost.run.items() if k not in ("attempts", "wall_s")}
    return {
        **run,
        "unpriced_hosts": {host: why for host, why in cost.hosts.items() if why},
        "tools": list(_rows(cost.tools, "tool")),
        "samples": list(_rows(cost.samples, "sample")),
        "carbon": rounded(cost.carbon),
    }


def _rows(frame: pd.DataFrame, key: str) -> Iterator[dict[str, Any]]:
    for row in records(frame):
        yield {key: row[key], **_costs(row)}


def _costs(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: rounded(value) for name, value in row.items() if name not in _NOT_KEYS}
    return {**dict.fromkeys(COSTS), **kept}


def rounded(value: Any) -> Any:
    """A value as JSON can hold it: null for what is not a number."""
    if isinstance(value, float):
        return round(value, _DECIMALS) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value
