"""After each look: judge the rules, remember what fires, and queue what people are to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.alert.judge import Change, Judge
from tracer_hooks.alert.message import evidence_url, labels_of, message, summary
from tracer_hooks.alert.notify import target_name
from tracer_hooks.export.families import Point

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer_hooks.alert.judge import Alert
    from tracer_hooks.alert.rules import Rule
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
        self._lines: list[tuple[str, str]] = []

    def look(self, watcher: Watcher) -> None:
        """Judge the figures of the look that was just made."""
        self._settings = self._again() or self._settings
        snapshot = watcher.snapshot()
        try:
            changes = self._judge.look(snapshot.counters, snapshot.gauges, snapshot.at)
            self._tell(changes, snapshot.at)
            self._remember()
            self._state.commit()
        except BaseException:  # nothing of it was written: the next look tells it
            self._state.rollback()
            self._judge.restore(self._state.alerts())
            self._remembered = self._judge.remember()
            raise
        self._lines = self._lines_at(snapshot.at)

    def _tell(self, changes: list[Change], now: float) -> None:
        """Of what fires once, when no silence holds it (any more); that it is over exactly to whom
        was told."""
        for rule, alert in self._judge.firing():
            if not alert.told and not self._silenced(rule, alert, now):
                alert.told = True
                self._send(Change(rule, alert, "firing"))
        for change in changes:
            if change.what == "resolved" and change.alert.told:
                self._send(change)

    def _send(self, change: Change) -> None:
        for address in self._settings.notify:
            self._state.enqueue(target_name(address), message(change, self._url))

    def _silenced(self, rule: Rule, alert: Alert, now: float) -> bool:
        return any(s.holds(labels_of(rule, alert), now) for s in self._settings.silences)

    def _remember(self) -> None:
        now = self._judge.remember()
        for key in {*now, *self._remembered}:
            if now.get(key) != self._remembered.get(key):
                self._state.set_alert(key, now.get(key))
        self._remembered = now

    def lines(self) -> list[tuple[str, str]]:
        """What fired at the last look, and where the evidence is: for the page, in any thread."""
        return self._lines

    def _lines_at(self, now: float) -> list[tuple[str, str]]:
        found = []
        for rule, alert in self._judge.firing():
            silenced = self._silenced(rule, alert, now)
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
