"""The report for programs: the JSON of DESIGN 7, the same bytes for the same run."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.sentences import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.findings import Finding
    from tracer_hooks.analysis.summary import RunReport

SCHEMA_VERSION = 1
_DECIMALS = 6  # microseconds, which is what the store's times hold


def render(report: RunReport, *, color: bool = False, width: int = 0) -> str:  # noqa: ARG001 - protocol
    """One JSON object and a line break: ASCII, keys in a fixed order, null for the unmeasured.

    Times are ISO 8601 in UTC. `verdict` and `cost` are null until they are computed.
    """
    return json.dumps(as_dict(report), indent=1, allow_nan=False) + "\n"


def as_dict(report: RunReport) -> dict[str, Any]:
    """What `render` writes, as plain Python values."""
    tasks = report.tasks.drop(columns=["last_attempt", "cores_mean"])
    return {
        "schema_version": SCHEMA_VERSION,
        "run": _plain(report.run),
        "totals": _plain(report.totals),
        "tasks": [{**_plain(row), "verdict": None, "cost": None} for row in records(tasks)],
        "steps": [{**_plain(row), "cost": None} for row in records(report.steps)],
        "tools": [_plain(row) for row in records(report.tools)],
        "findings": [_finding(finding) for finding in report.findings],
        "cost": None,
        "coverage": {**_plain(report.coverage), "hosts": _plain(report.hosts)},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "step": finding.step,
        "of_run": finding.of_run,
        "weight": _value(finding.weight),
        "sentence": plain(finding),
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
