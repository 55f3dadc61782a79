"""The table of alert rules, and what settings may change in it."""

import pytest

from tracer_hooks.alert.rules import rule_table
from tracer_hooks.errors import UsageError
from tracer_hooks.export.metrics import metric_table


def test_every_rule_looks_at_a_metric_of_ours_and_its_labels() -> None:
    metrics = metric_table().metrics
    rules = rule_table().rules
    assert (
        len({rule.id for rule in rules}) == len({rule.alert for rule in rules}) == len(rules) == 8
    )
    for rule in rules:
        metric = metrics[rule.metric]
        assert rule.metric in rule.value_promql()
        assert set(rule.by) <= set(metric.group.labels)
        assert rule.clear <= rule.threshold
        assert "{window}" not in rule.value_promql()
        if rule.label:
            assert set(rule.of) < set(metric.values[rule.label])
        if rule.value != "gauge":
            assert rule.window_s > 0
            assert metric.type == "counter"


def test_settings_change_numbers_and_leave_rules_out() -> None:
    settings = {
        "measure": {"memory_horizon_s": 5},
        "rules": {"stalled": {"threshold": 3, "for_s": 0.5}, "slow": {"enabled": False}},
    }
    table = rule_table(settings)
    stalled = next(rule for rule in table.rules if rule.id == "stalled")
    assert (stalled.threshold, stalled.for_s, table.measure.memory_horizon_s) == (3, 0.5, 5)
    assert "slow" not in {rule.id for rule in table.rules}


def test_a_threshold_that_is_lowered_takes_clear_with_it() -> None:
    for rule in rule_table().rules:
        low = rule_table({"rules": {rule.id: {"threshold": rule.threshold / 1000}}})
        changed = next(r for r in low.rules if r.id == rule.id)
        assert changed.clear <= changed.threshold
        assert changed.clear == pytest.approx(rule.clear / 1000)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rules": {"stale": {}}}, "no alert rule 'stale'"),
        ({"rules": {"stalled": {"promql": "1"}}}, "no 'promql'"),
        ({"rules": {"stalled": {"threshold": "high"}}}, "wrong type"),
        ({"rules": {"stalled": 3}}, "to be a table"),
        ({"measure": {"history_least": 2.5}}, "wrong type"),
        ({"measure": {"history_least": 1}}, "from 2 on"),
        ({"rules": {"failure_rate": {"at_least": 0}}}, "from 1 on"),
        ({"rules": {"stalled": {"threshold": float("nan")}}}, "from 0 on"),
        ({"rules": {"stalled": {"threshold": 3, "clear": 4}}}, "above the threshold"),
        ({"measure": {"horizon": 3}}, "no 'horizon'"),
    ],
)
def test_what_is_no_setting_is_said(settings: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        rule_table(settings)
