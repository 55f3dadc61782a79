"""After each look: judge the rules, remember what fires, and queue what people are to be told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tracer_hooks.alert.judge import Judge
from tracer_hooks.alert.message import evidence_url, labels_of, message, summary
from tracer_hooks.alert.notify import target_name
from tracer_hooks.export.families import Point

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer_hooks.alert.settings import Settings
    from tracer_hooks.live.state import State
    from tracer_hooks.live.watcher import Watcher


class Alerting:
    """The alerts of one `serve`. `again`: reads the settings anew, for silences."""

    def __init__(
        self,
        settings: Settings,
        state: State,
        url: str,
        again: Callable[[], Settings | None] = lambda: None,
    ) -> None:
        self._settings, self._state, self._again = settings, state, again
        self._url = settings.url or url
        self._judge = Judge(settings.table.rules, state.alerts())
        self._remembered = self._judge.remember()

    def look(self, watcher: Watcher) -> None:
        """Judge the figures of the look that was just made."""
        self._settings = self._again() or self._settings
        snapshot = watcher.snapshot()
        changes = self._judge.look(snapshot.counters, snapshot.gauges, snapshot.at)
        for change in changes:
            labels = labels_of(change.rule, change.alert)
            if any(s.holds(labels, snapshot.at) for s in self._settings.silences):
                continue
            for address in self._settings.notify:
                self._state.enqueue(target_name(address), message(change, self._url))
        self._remember()
        self._state.commit()

    def _remember(self) -> None:
        now = self._judge.remember()
        for key in {*now, *self._remembered}:
            if now.get(key) != self._remembered.get(key):
                self._state.set_alert(key, now.get(key))
        self._remembered = now

    def lines(self) -> list[tuple[str, str]]:
        """What fires now, and where the evidence is: for the page."""
        now = time.time()
        found = []
        for rule, alert in list(self._judge.firing()):
            silenced = any(s.holds(labels_of(rule, alert), now) for s in self._settings.silences)
            text = summary(rule, alert) + (" (silenced)" if silenced else "")
            found.append((text, evidence_url(".", rule, alert)))
        return found

    def points(self) -> dict[str, list[Point]]:
        """What is said of alerts under /metrics."""
        counts = {rule.alert: 0 for rule in self._judge.rules.values()}
        for rule, _ in self._judge.firing():
            counts[rule.alert] += 1
        return {
            "tracer_serve_alerts_firing": [
                Point((("alert", name),), float(count)) for name, count in counts.items()
            ]
        }
