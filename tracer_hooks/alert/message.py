"""What an alert says to people: title, text, link to the evidence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from tracer_hooks.alert.judge import Alert, Change
    from tracer_hooks.alert.rules import Rule

_EVIDENCE = ("pipeline", "step", "host")


def labels_of(rule: Rule, alert: Alert) -> dict[str, str]:
    """The alert's labels by name, with its own name under `alert`."""
    return {"alert": rule.alert, **dict(zip(rule.by, alert.labels, strict=True))}


def summary(rule: Rule, alert: Alert) -> str:
    """One line."""
    return rule.summary.format_map(_words(rule, alert))


def evidence_url(base: str, rule: Rule, alert: Alert) -> str:
    """The page of the tasks that the alert is about."""
    labels = labels_of(rule, alert)
    query = {name: labels[name] for name in _EVIDENCE if labels.get(name)}
    return f"{base}/?{urlencode(query)}" if query else f"{base}/"


def message(change: Change, base: str) -> str:
    """A payload for the queue: JSON with `title`, `body` and `type` (of Apprise)."""
    rule, alert = change.rule, change.alert
    over = change.what == "resolved"
    words = _words(rule, alert)
    body = "It is over." if over else rule.description.format_map(words)
    link = evidence_url(base, rule, alert)
    kind = "success" if over else {"critical": "failure"}.get(rule.severity, "warning")
    return json.dumps(
        {
            "title": f"{'Resolved: ' if over else ''}{summary(rule, alert)}",
            "body": f"{body}\n{rule.alert} ({rule.severity}) {link}",
            "type": kind,
        }
    )


def _words(rule: Rule, alert: Alert) -> dict[str, str]:
    names = {name: value or "(unnamed)" for name, value in labels_of(rule, alert).items()}
    return {
        **dict.fromkeys(("pipeline", "step", "host", "engine"), ""),
        **names,
        "value": shown(alert.value, rule.format),
        "threshold": shown(rule.threshold, rule.format),
    }


def shown(value: float, kind: str) -> str:
    """A value as the rule's format says."""
    if kind == "duration":
        minutes, seconds = divmod(round(value), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours} h {minutes} min"
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    if kind == "ratio":
        return f"{value:.0%}"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
