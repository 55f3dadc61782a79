"""Judges the rules by the figures of the moment, and keeps what fires until it is over."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from tracer_hooks.export.metrics import metric_table

if TYPE_CHECKING:
    from tracer_hooks.alert.rules import Rule

# (kind of group, its label values, metric, the metric's own label values): the figure
Figures = Mapping[tuple[str, tuple[str, ...], str, tuple[str, ...]], float]
Labels = tuple[str, ...]  # in the order of the rule's `by`

_SAMPLES = 60


@dataclass
class Alert:
    """An alert that is pending or fires. Times in UNIX seconds."""

    rule: str
    labels: Labels
    value: float
    since: float
    fired_at: float | None = None
    quiet_since: float | None = None
    told: bool = False  # people know that it fires


@dataclass(frozen=True)
class Change:
    """An alert that fired, or is over."""

    rule: Rule
    alert: Alert
    what: Literal["firing", "resolved"]


class Judge:
    """The alerts of all rules. `look` is to be called again and again, with growing times."""

    def __init__(
        self, rules: tuple[Rule, ...], remembered: Mapping[str, str] | None = None
    ) -> None:
        """`remembered`: what `remember` gave, by its keys."""
        self.rules = {rule.id: rule for rule in rules}
        self._past: dict[str, deque[tuple[float, dict[Labels, tuple[float, float]]]]] = {}
        self.alerts: dict[tuple[str, Labels], Alert] = {}
        self.restore(remembered)

    def restore(self, remembered: Mapping[str, str] | None) -> None:
        """The alerts are what `remember` gave; what counters were is kept."""
        self.alerts.clear()
        for text in (remembered or {}).values():
            known = json.loads(text)
            known.setdefault("told", known["fired_at"] is not None)  # of an earlier version
            alert = Alert(**{**known, "labels": tuple(known["labels"])})
            if alert.rule in self.rules:
                self.alerts[alert.rule, alert.labels] = alert

    def look(self, counters: Figures, gauges: Figures, now: float) -> list[Change]:
        """What fires from now on, and what is over."""
        changes = []
        for rule in self.rules.values():
            values = self._values(rule, counters, gauges, now)
            known = {labels for name, labels in self.alerts if name == rule.id}
            for labels in sorted({*values, *known}):
                change = self._judge(rule, labels, values.get(labels), now)
                if change is not None:
                    changes.append(change)
        return changes

    def firing(self) -> list[tuple[Rule, Alert]]:
        """What fires now."""
        return [(self.rules[a.rule], a) for a in self.alerts.values() if a.fired_at is not None]

    def remember(self) -> dict[str, str]:
        """All alerts as texts."""
        return {json.dumps(key): json.dumps(asdict(alert)) for key, alert in self.alerts.items()}

    def _judge(self, rule: Rule, labels: Labels, value: float | None, now: float) -> Change | None:
        key = (rule.id, labels)
        alert = self.alerts.get(key)
        if alert is None:
            if value is None or value <= rule.threshold:
                return None
            alert = self.alerts[key] = Alert(rule.id, labels, value, now)
        if alert.fired_at is None:
            return self._pending(rule, alert, value, now)
        if value is not None and value > rule.clear:
            alert.value, alert.quiet_since = value, None
            return None
        if alert.quiet_since is None:
            alert.quiet_since = now
        if now - alert.quiet_since < rule.keep_firing_s:
            return None
        del self.alerts[key]
        return Change(rule, alert, "resolved")

    def _pending(self, rule: Rule, alert: Alert, value: float | None, now: float) -> Change | None:
        if value is None or value <= rule.threshold:
            del self.alerts[rule.id, alert.labels]
            return None
        alert.value = value
        if now - alert.since < rule.for_s:
            return None
        alert.fired_at = now
        return Change(rule, alert, "firing")

    # --- values ----------------------------------------------------------------------------------
    def _values(
        self, rule: Rule, counters: Figures, gauges: Figures, now: float
    ) -> dict[Labels, float]:
        if rule.value == "gauge":
            found: dict[Labels, float] = {}
            for labels, _, value in _of(rule, gauges):
                found[labels] = max(found.get(labels, value), value)
            return found
        grown = self._grown(rule, counters, now)
        if rule.value == "increase":
            return {labels: every for labels, (_, every) in grown.items()}
        return {
            labels: some / every
            for labels, (some, every) in grown.items()
            if every >= rule.at_least
        }

    def _grown(
        self, rule: Rule, counters: Figures, now: float
    ) -> dict[Labels, tuple[float, float]]:
        """By how much the rule's counter grew within the window, by labels: the part that the rule
        is about (`of`), and all of it."""
        current: dict[Labels, tuple[float, float]] = {}
        for labels, mine, value in _of(rule, counters):
            some, every = current.get(labels, (0.0, 0.0))
            current[labels] = (some + value * mine, every + value)
        past = self._past.setdefault(rule.id, deque())
        if not past or now - past[-1][0] >= rule.window_s / _SAMPLES:
            past.append((now, current))
        while len(past) > 1 and past[1][0] <= now - rule.window_s:
            past.popleft()
        grown = {}
        for labels, (some, every) in current.items():
            some_before, every_before = past[0][1].get(labels, (0.0, 0.0))
            grown[labels] = (some - some_before, every - every_before)
        return grown


def _of(rule: Rule, figures: Figures) -> list[tuple[Labels, bool, float]]:
    """The figures of a rule's metric: labels, whether they are what the rule is about, value."""
    metric = metric_table().metrics[rule.metric]
    places = [metric.group.labels.index(label) for label in rule.by]
    own_place = list(metric.values).index(rule.label) if rule.label else None
    return [
        (
            tuple(group[place] for place in places),
            own_place is None or own[own_place] in rule.of,
            value,
        )
        for (_, group, name, own), value in figures.items()
        if name == rule.metric
    ]
