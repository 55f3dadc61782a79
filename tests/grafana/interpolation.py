"""What Grafana makes of a panel's query before a data source sees it.

Variables and macros are those of https://grafana.com/docs/grafana/latest/dashboards/variables/ and
https://grafana.com/docs/grafana/latest/datasources/postgres/query-editor/.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer_hooks.export.grafana.folder import dashboards

Values = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class PanelQuery:
    """One query of a panel, as it stands in the file."""

    board: str
    panel: str
    ref: str
    text: str
    format: str

    def __str__(self) -> str:
        return f"{self.board}: {self.panel} ({self.ref})"


@dataclass(frozen=True)
class TimeRange:
    """What the dashboard shows, in UTC."""

    start: dt.datetime
    end: dt.datetime
    interval_s: float = 15.0


def queries(kind: str) -> list[PanelQuery]:
    """Every query of every dashboard: `sql` or `promql`."""
    return [
        PanelQuery(board["uid"], panel["title"], target["refId"], target[key], target["format"])
        for board in map(json.loads, dashboards().values())
        for panel in _panels(board)
        for target in panel.get("targets", ())
        for key in [{"sql": "rawSql", "promql": "expr"}[kind]]
        if target.get(key) is not None
        for target["format"] in [target.get("format", "")]
    ]


def variables(board: str) -> list[dict[str, Any]]:
    """A dashboard's variables that are asked of a data source, in order."""
    found = json.loads(dashboards()[f"{board}.json"])["templating"]["list"]
    return [variable for variable in found if variable["type"] == "query"]


def sql(text: str, shown: TimeRange, values: Values) -> str:
    """The query that PostgreSQL gets."""
    text = _variables(text, values, shown)
    start, end = (f"'{at:%Y-%m-%dT%H:%M:%S.%fZ}'" for at in (shown.start, shown.end))
    text = re.sub(r"\$__timeFilter\(([^()]+)\)", rf"\1 BETWEEN {start} AND {end}", text)
    text = text.replace("$__timeFrom()", start).replace("$__timeTo()", end)
    text = re.sub(
        r"\$__timeGroup\(([^(),]+),\s*([\d.]+)s\)",
        lambda m: f"floor(extract(epoch from {m[1]})/{m[2]})*{m[2]}",
        text,
    )
    assert "$__" not in text
    assert "${" not in text
    return text


def promql(text: str, shown: TimeRange, values: Values) -> str:
    """The expression that Prometheus gets."""
    text = _variables(text, values, shown)
    assert "$" not in text
    return text


def _variables(text: str, values: Values, shown: TimeRange) -> str:
    seconds = (shown.end - shown.start).total_seconds()
    own = {
        "__interval_ms": f"{shown.interval_s * 1000:.0f}", "__interval": f"{shown.interval_s:g}s",
        "__rate_interval": f"{shown.interval_s * 4:g}s", "__range": f"{seconds:.0f}s",
    }  # fmt: skip
    for name, value in own.items():
        text = text.replace(f"${name}", value).replace(f"${{{name}}}", value)
    for name, chosen in values.items():
        quoted = ",".join("'" + value.replace("'", "''") + "'" for value in chosen)
        text = text.replace(f"${{{name}:sqlstring}}", quoted)
        # In Prometheus' queries: an alternative of literal texts.
        literal = [re.sub(r"([\\^$.*+?()[\]{}|])", r"\\\\\1", value) for value in chosen]
        pattern = literal[0] if len(literal) == 1 else f"({'|'.join(literal)})"
        text = re.sub(rf"\${name}\b", lambda _, p=pattern: p, text)  # type: ignore[misc]
    return text


def _panels(board: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())
