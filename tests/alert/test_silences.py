"""A silence delays what people are told; it loses nothing, and tells of no end without a begin."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tracer_hooks.alert.alerting import Alerting
from tracer_hooks.alert.rules import rule_table
from tracer_hooks.alert.settings import Settings, Silence
from tracer_hooks.export.metrics import metric_table
from tracer_hooks.live.state import State

TABLE = rule_table({"rules": {"stalled": {"for_s": 0, "keep_firing_s": 0}}})
RULE = next(rule for rule in TABLE.rules if rule.id == "stalled")
METRIC = metric_table().metrics[RULE.metric]


@pytest.fixture
def sent(tmp_path: Path) -> Any:
    """Looks at the rule's value at a time, and says what was queued by then."""
    state = State(tmp_path)
    silence = Silence({"alert": RULE.alert}, dt.datetime.fromtimestamp(100, dt.timezone.utc))
    settings = Settings(
        notify=("json://localhost",), silences=(silence,), table=TABLE, url="http://x"
    )
    alerting = [Alerting(settings, state, "http://x")]
    group = tuple("x" for _ in METRIC.group.labels)
    own = tuple("x" for _ in METRIC.values)

    def look(at: float, high: bool, restart: bool = False) -> int:
        if restart:
            alerting[0] = Alerting(settings, state, "http://x")
        value = RULE.threshold * 2 if high else 0.0
        gauges = {(METRIC.group.name, group, METRIC.name, own): value}
        snapshot = SimpleNamespace(counters={}, gauges=gauges, at=at)
        alerting[0].look(SimpleNamespace(snapshot=lambda: snapshot))  # type: ignore[arg-type] # all that is asked
        assert len(alerting[0].lines()) == int(high)
        return sum(state.waiting().values())

    yield look
    state.close()


def test_what_still_fires_when_the_silence_ends_is_told_then(sent: Any) -> None:
    assert sent(10, True) == 0
    assert sent(99, True, restart=True) == 0
    assert sent(101, True, restart=True) == 1
    assert sent(102, True, restart=True) == 1
    assert sent(103, False) == 2


def test_what_was_never_told_is_not_said_to_be_over(sent: Any) -> None:
    assert sent(10, True) == 0
    assert sent(101, False) == 0
