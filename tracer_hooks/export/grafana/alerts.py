"""The table of alert rules as Prometheus and as Grafana have them.

Both get the threshold, how long it must hold, and the hysteresis: an alert that fires goes on until
the value is at or below `clear`. Silences are Alertmanager's and Grafana's own.
"""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer_hooks.alert.rules import Rule

GROUP = "tracer-hooks"
_EVERY = "15s"
_GRAFANA_TICK_S = 10  # everything that Grafana times is a multiple of it
_LOOK_BACK_S = 600
_PAGE = "d/tracer-fleet?var-pipeline={pipeline}"
_SHOWN = {
    "duration": "{{ %s | humanizeDuration }}",
    "ratio": "{{ %s | humanizePercentage }}",
    "number": '{{ printf "%%.3g" %s }}',
    "bytes": "{{ %s | humanize1024 }}B",
}


def prometheus_rules(rules: Iterable[Rule], grafana_url: str) -> dict[str, Any]:
    """The rule file of Prometheus 2.42 or later, and of VictoriaMetrics' vmalert."""
    written = [_prometheus_rule(rule, grafana_url) for rule in rules]
    return {"groups": [{"name": GROUP, "interval": _EVERY, "rules": written}]}


def _prometheus_rule(rule: Rule, grafana_url: str) -> dict[str, Any]:
    kept = {"keep_firing_for": seconds(rule.keep_firing_s)} if rule.keep_firing_s else {}
    page = _PAGE.format(pipeline="{{ $labels.pipeline | urlquery }}")
    return {
        "alert": rule.alert,
        "expr": _with_hysteresis(rule),
        "for": seconds(rule.for_s),
        **kept,
        "labels": {"severity": rule.severity, "source": GROUP},
        "annotations": {
            "summary": _text(rule.summary, rule, "$labels.%s", "$value"),
            "description": _text(rule.description, rule, "$labels.%s", "$value"),
            "evidence": f"{grafana_url.rstrip('/')}/{page}",
        },
    }


def _with_hysteresis(rule: Rule) -> str:
    value = rule.value_promql()
    above = f"({value}) > {rule.threshold:g}"
    if rule.clear >= rule.threshold:
        return above
    # Its own alert, while it fires, lowers the bar.
    firing = f'ALERTS{{alertname="{rule.alert}", alertstate="firing"}}'
    still = f"(({value}) > {rule.clear:g} and on ({', '.join(rule.by)}) {firing})"
    return f"({above}) or {still}"


def grafana_rules(rules: Iterable[Rule], source_uid: str, grafana_url: str = "") -> dict[str, Any]:
    """Grafana's file for the provisioning of alerts; the data source is a Prometheus."""
    written = [_grafana_rule(rule, source_uid, grafana_url) for rule in rules]
    group = {"orgId": 1, "name": GROUP, "folder": GROUP, "interval": _ticks(_GRAFANA_TICK_S),
             "rules": written}  # fmt: skip
    return {"apiVersion": 1, "groups": [group]}


def _grafana_rule(rule: Rule, source_uid: str, grafana_url: str) -> dict[str, Any]:
    kept = {"keepFiringFor": _ticks(rule.keep_firing_s)} if rule.keep_firing_s else {}
    page = _PAGE.format(pipeline="{{ $labels.pipeline | urlquery }}")
    return {
        "uid": _uid(rule),
        "title": rule.alert,
        "condition": "above",
        "for": _ticks(rule.for_s),
        **kept,
        "data": [_query(rule, source_uid), _condition(rule)],
        # No series: nothing runs, so nothing is wrong.
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {"severity": rule.severity, "source": GROUP},
        "annotations": {
            "summary": _text(rule.summary, rule, "$labels.%s", "$values.value.Value"),
            "description": _text(rule.description, rule, "$labels.%s", "$values.value.Value"),
            "evidence": f"{grafana_url.rstrip('/')}/{page}",
        },
        "isPaused": False,
    }


def _query(rule: Rule, source_uid: str) -> dict[str, Any]:
    model = {
        "refId": "value", "expr": rule.value_promql(), "instant": True, "range": False,
        "editorMode": "code", "intervalMs": 15000, "maxDataPoints": 43200,
    }  # fmt: skip
    return {
        "refId": "value", "datasourceUid": source_uid, "model": model,
        "relativeTimeRange": {"from": _LOOK_BACK_S, "to": 0},
    }  # fmt: skip


def _condition(rule: Rule) -> dict[str, Any]:
    condition: dict[str, Any] = {"evaluator": {"type": "gt", "params": [rule.threshold]}}
    if rule.clear < rule.threshold:
        condition["unloadEvaluator"] = {"type": "lt", "params": [rule.clear]}
    model = {
        "refId": "above", "type": "threshold", "expression": "value", "conditions": [condition],
        "datasource": {"type": "__expr__", "uid": "__expr__"},
    }  # fmt: skip
    return {
        "refId": "above", "datasourceUid": "__expr__", "model": model,
        "relativeTimeRange": {"from": 0, "to": 0},
    }  # fmt: skip


def _text(text: str, rule: Rule, label: str, value: str) -> str:
    """`{pipeline}`, `{value}` and so on as Go's templates have them."""

    def shown(found: re.Match[str]) -> str:
        name = found[1]
        if name == "value":
            return _SHOWN[rule.format] % value
        if name == "threshold":
            return f"{rule.threshold:g}"
        return "{{ %s }}" % (label % name)

    return re.sub(r"\{(\w+)\}", shown, text)


def _uid(rule: Rule) -> str:
    """The same for ever, and no longer than Grafana allows (40)."""
    return f"tracer-{hashlib.sha256(rule.id.encode()).hexdigest()[:16]}"


def _ticks(value: float) -> str:
    return seconds(math.ceil(value / _GRAFANA_TICK_S) * _GRAFANA_TICK_S)


def seconds(value: float) -> str:
    """A duration as Prometheus and Grafana read it."""
    return f"{value:g}s" if value == int(value) else f"{round(value * 1000)}ms"
