"""The comparison for programs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records

if TYPE_CHECKING:
    from tracer_hooks.report.comparison.cells import Compared

SCHEMA_VERSION = 1
_DECIMALS = 9
_FRAMES = ("whole", "steps", "tasks", "added", "removed", "statuses", "verdicts")


def render(compared: Compared, *, color: bool = False, width: int = 0) -> str:  # noqa: ARG001 - protocol
    """One object: the frames of `Comparison` as lists, and `exceeded`, null without limits."""
    comparison = compared.comparison
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "runs": {"a": list(comparison.runs_a), "b": list(comparison.runs_b)},
        "currency": comparison.currency,
        **{name: [_plain(row) for row in records(getattr(comparison, name))] for name in _FRAMES},
        "unmatched": comparison.unmatched,
        "exceeded": [
            {
                "limit": excess.limit.text, "scope": excess.scope, "subject": excess.subject,
                "ratio": _value(excess.ratio),
            }
            for excess in compared.excesses
        ] if compared.checked else None,
    }  # fmt: skip
    return json.dumps(document, indent=1) + "\n"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS) if math.isfinite(value) else None
    return value
