"""The report for programs: the JSON of DESIGN 7, the same bytes for the same run."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tracer_hooks.analysis.tables import records
from tracer_hooks.report import failures
from tracer_hooks.report.cost_json import run_cost, step_costs, task_costs
from tracer_hooks.report.sentences import advice, plain
from tracer_hooks.report.verdict_text import dashboard_sentence, run_sentences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.findings import Finding
    from tracer_hooks.analysis.summary import RunReport

SCHEMA_VERSION = 1
_DECIMALS = 6  # microseconds, which is what the store's times hold


def render(report: RunReport, *, color: bool = False, width: int = 0) -> str:  # noqa: ARG001 - protocol
    """One JSON object and a line break: ASCII, keys in a fixed order, null for the unmeasured.

    Times are ISO 8601 in UTC. Each row has a line of its own. `run` also holds the run's verdict,
    its critical path, and what a dashboard showed.
    """
    members = [f"{json.dumps(name)}: {_text(value)}" for name, value in as_dict(report).items()]
    return "{\n" + ",\n".join(members) + "\n}\n"


def as_dict(report: RunReport) -> dict[str, Any]:
    """What `render` writes, as plain Python values."""
    tasks = report.tasks.drop(columns=["last_attempt", "cores_mean"])
    told = _verdicts(report, report.verdicts.tasks)
    steps = {row["step"]: row for row in _verdicts(report, report.verdicts.steps)}
    costs = step_costs(report)
    return {
        "schema_version": SCHEMA_VERSION,
        "run": {**_plain(report.run), **_run(report)},
        "totals": _plain(report.totals),
        "tasks": [
            {**row, "verdict": one["verdict"], "cost": cost}
            for row, one, cost in zip(_rows(tasks), told, task_costs(report), strict=True)
        ],
        "steps": [
            {**row, "verdict": steps[row["step"]]["verdict"], "cost": costs and costs[row["step"]]}
            for row in _rows(report.steps)
        ],
        "tools": _rows(report.tools),
        "findings": [_finding(finding, report) for finding in report.findings],
        "cost": run_cost(report.cost),
        "failures": _value(failures.as_rows(report)),
        "coverage": {**_plain(report.coverage), "hosts": _plain(report.hosts)},
    }


def _text(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in value) + "\n]"
    return json.dumps(value, allow_nan=False)


def _rows(data: pd.DataFrame) -> list[dict[str, Any]]:
    """The frame's rows as JSON has them; columns are converted whole, since there may be many."""
    plain = data.copy(deep=False)
    for name in data.columns:
        column = data[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            stamps = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
            texts = pd.Series(np.datetime_as_string(stamps), index=column.index) + "Z"
            plain[name] = texts.where(column.notna(), None)
        elif pd.api.types.is_float_dtype(column.dtype):
            rounded = column.round(_DECIMALS)
            plain[name] = rounded.where(np.isfinite(rounded))
        elif name == "tags":
            plain[name] = column.map(_value)
    return records(plain)


def _run(report: RunReport) -> dict[str, Any]:
    """What is said of the run as a whole, with the sentences of the other formats."""
    path = report.verdicts.critical_path.drop(columns="spool")
    sentence = dashboard_sentence(report.dashboard) or None
    return {
        "verdict": {**_plain(report.verdicts.run), "sentences": run_sentences(report)},
        "critical_path": _rows(path),
        "dashboard": {**_plain(report.dashboard), "sentence": sentence},
    }


def _verdicts(report: RunReport, data: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of verdicts with their `verdict`; a step's has `label_share` in the evidence too."""
    rows = _rows(data)
    for row in rows:
        row["verdict"] = verdict = report.verdicts.verdict(row)
        for name in ("label_share", "attempt_count"):
            if name in row:
                verdict["evidence"][name] = row[name]
    return rows


def _finding(finding: Finding, report: RunReport) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "step": finding.step,
        "of_run": finding.of_run,
        "weight": _value(finding.weight),
        "sentence": plain(finding),
        "advice": advice(finding, report),
        "evidence": _plain(finding.evidence),
    }


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, float):
        # A backend adds up in an order of its own: the last bits differ from time to time.
        return round(value, _DECIMALS) if math.isfinite(value) else None
    if isinstance(value, dt.datetime):
        utc = value.astimezone(dt.timezone.utc)
        return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return _plain(value)
    if isinstance(value, (list, tuple)):
        return [_value(item) for item in value]
    return value
