"""The alert rules as Prometheus and Grafana get them: each fires, goes on, ends, is silent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomllib

from tests.servers.prometheus import promtool
from tracer_hooks.alert.rules import Rule, rule_table
from tracer_hooks.export.grafana.alerts import grafana_rules, prometheus_rules, seconds
from tracer_hooks.export.grafana.block_yaml import block_yaml

RULES = {rule.id: rule for rule in rule_table().rules}
LABELS = {"pipeline": "rna", "step": "align", "engine": "snakemake", "host": "node1"}
STEP_S = 15


def series(rule: Rule, **more: str) -> str:
    """The series that the rule looks at."""
    labels = {name: value for name, value in LABELS.items() if name in rule.by} | more
    if rule.value != "gauge":
        labels = LABELS | more
    return rule.metric + "{" + ",".join(f'{n}="{v}"' for n, v in labels.items()) + "}"


def course(rule: Rule) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """A workload that deserves the alert, as series every 15 seconds, and what is expected when.

    A gauge: one minute at its clearing value, then above its threshold for as long as it takes and
    a minute more, then between the two, then at its clearing value again.
    """
    held = int(rule.for_s + rule.keep_firing_s) // STEP_S + 4
    between = (rule.clear + rule.threshold) / 2
    parts = [
        (rule.clear, 4), (rule.threshold * 1.1 + 1, held), (between, 8),
        (rule.clear, int(rule.keep_firing_s) // STEP_S + 8),
    ]  # fmt: skip
    values = " ".join(f"{value}x{count - 1}" for value, count in parts)
    above = 4 * STEP_S
    over = above + held * STEP_S
    hysteresis = rule.clear < rule.threshold
    cleared = over + (8 * STEP_S if hysteresis else 0)
    return [{"series": series(rule), "values": values}], {
        "quiet": above - STEP_S,
        "pending": above + rule.for_s - STEP_S if rule.for_s else None,
        "firing": above + rule.for_s + STEP_S,
        "still": over + STEP_S * 4 if hysteresis else None,
        "kept": cleared + rule.keep_firing_s - STEP_S if rule.keep_firing_s else None,
        "over": cleared + rule.keep_firing_s + STEP_S * 3,
    }


def counted(rule: Rule) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The same for a counter: something happens for two minutes, then nothing any more."""
    at = 4 * STEP_S
    if rule.value == "share":
        bad, good = (series(rule, status=status) for status in ("failed", "succeeded"))
        inputs = [
            {"series": bad, "values": "0x4 1+1x8 9x300"},
            {"series": good, "values": "0x4 1+1x8 9x300"},
        ]
    else:
        inputs = [{"series": series(rule), "values": "0x4 1+0x300"}]
    return inputs, {
        "quiet": at, "pending": None, "firing": at + 6 * STEP_S, "still": None, "kept": None,
        "over": at + 10 * STEP_S + rule.window_s + rule.keep_firing_s + 4 * STEP_S,
    }  # fmt: skip


def written(folder: Path, tests: list[dict[str, Any]]) -> Path:
    """A file for `promtool test rules`, beside the rules."""
    (folder / "rules.yaml").write_text(block_yaml(prometheus_rules(RULES.values(), "http://g")))
    path = folder / "tests.yaml"
    path.write_text(
        json.dumps({"rule_files": ["rules.yaml"], "evaluation_interval": "15s", "tests": tests})
    )
    return path


def alerts_at(at: float, rule: Rule, *, firing: bool) -> dict[str, Any]:
    """That it fires, or not, at a time; its labels and texts are checked elsewhere."""
    condition = f'ALERTS{{alertname="{rule.alert}", alertstate="firing"}}'
    return {
        "expr": f"count({condition})",
        "eval_time": seconds(at),
        "exp_samples": [{"labels": "{}", "value": 1}] if firing else [],
    }


@pytest.mark.engine
@pytest.mark.servers
def test_promtool_accepts_them(tmp_path: Path) -> None:
    written(tmp_path, [])
    done = promtool("check", "rules", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


@pytest.mark.engine
@pytest.mark.servers
@pytest.mark.parametrize("name", RULES)
def test_each_fires_goes_on_and_ends(tmp_path: Path, name: str) -> None:
    rule = RULES[name]
    inputs, moments = (course if rule.value == "gauge" else counted)(rule)
    expected = {
        "quiet": False, "pending": False, "firing": True, "still": True, "kept": True,
        "over": False,
    }  # fmt: skip
    tests = [
        alerts_at(at, rule, firing=expected[moment])
        for moment, at in moments.items() if at is not None
    ]  # fmt: skip
    case = {"interval": "15s", "input_series": inputs, "promql_expr_test": tests}
    done = promtool("test", "rules", written(tmp_path, [case]))
    assert done.returncode == 0, f"{moments} {inputs}\n{done.stdout}{done.stderr}"


@pytest.mark.engine
@pytest.mark.servers
@pytest.mark.parametrize("name", RULES)
def test_none_fires_for_the_well_behaved_twin(tmp_path: Path, name: str) -> None:
    """As long, at the threshold and not above; or above it, but not for long enough."""
    rule = RULES[name]
    if rule.value == "gauge":
        short = max(0, int(rule.for_s) // STEP_S - 1)
        spell = f" {rule.threshold * 2 + 1}x{short - 1}" if short else ""
        inputs = [{"series": series(rule), "values": f"{rule.threshold}x20{spell} 0x400"}]
    elif rule.value == "share":
        bad, good = (series(rule, status=status) for status in ("failed", "succeeded"))
        # One in ten fails; and of few attempts most may.
        inputs = [{"series": bad, "values": "0x4 0+1x8 8x300"},
                  {"series": good, "values": "0x4 0+9x8 72x300"}]  # fmt: skip
    else:
        inputs = [{"series": series(rule), "values": "3x400"}]
    tests = [alerts_at(at, rule, firing=False) for at in range(0, 400 * STEP_S, 4 * STEP_S)]
    case = {"interval": "15s", "input_series": inputs, "promql_expr_test": tests}
    done = promtool("test", "rules", written(tmp_path, [case]))
    assert done.returncode == 0, f"{inputs}\n{done.stdout}{done.stderr}"


@pytest.mark.engine
@pytest.mark.servers
def test_few_failures_are_no_rate(tmp_path: Path) -> None:
    rule = RULES["failure_rate"]
    inputs = [{"series": series(rule, status="failed"), "values": "0x4 1+1x2 3x300"}]
    tests = [alerts_at(at, rule, firing=False) for at in range(0, 4000, 60)]
    case = {"interval": "15s", "input_series": inputs, "promql_expr_test": tests}
    done = promtool("test", "rules", written(tmp_path, [case]))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.engine
@pytest.mark.servers
def test_what_an_alert_says(tmp_path: Path) -> None:
    rule = RULES["stalled"]
    inputs = [{"series": series(rule), "values": "1000x40"}]
    expected = {
        "exp_labels": {**LABELS, "severity": "critical", "source": "tracer-hooks"},
        "exp_annotations": {
            "summary": "rna: a task of align is stalled on node1",
            "description": "A task of align that has not finished made no progress in CPU, I/O or"
            " network for 16m 40s.",
            "evidence": "http://g/d/tracer-fleet?var-pipeline=rna",
        },
    }
    case = {
        "interval": "15s", "input_series": inputs,
        "alert_rule_test": [
            {"alertname": rule.alert, "eval_time": "5m", "exp_alerts": [expected]}
        ],
    }  # fmt: skip
    done = promtool("test", "rules", written(tmp_path, [case]))
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_gets_the_same_rules_in_its_own_terms() -> None:
    models = pytest.importorskip("grafana_foundation_sdk.models.alerting")
    expressions = pytest.importorskip("grafana_foundation_sdk.models.expr")
    [group] = grafana_rules(RULES.values(), "uid", "http://g")["groups"]
    assert group["interval"] == "10s"
    for entry, rule in zip(group["rules"], RULES.values(), strict=True):
        known = models.Rule.from_json(entry)
        assert set(entry) - set(known.to_json()) <= {"keepFiringFor"}, "a field that Grafana lacks"
        assert (known.title, len(known.uid or "") <= 40) == (rule.alert, True)
        query, condition = entry["data"]
        assert query["model"]["expr"] == rule.value_promql()
        threshold = expressions.TypeThreshold.from_json(condition["model"])
        assert threshold.expression == query["refId"]
        assert threshold.conditions[0].evaluator.params == [rule.threshold]
        unload = threshold.conditions[0].unload_evaluator
        assert (unload and unload.params[0]) == (
            rule.clear if rule.clear < rule.threshold else None
        )
        # Everything that Grafana times is a multiple of its tick of ten seconds.
        assert int(entry["for"].removesuffix("s")) % 10 == 0
        assert int(entry["for"].removesuffix("s")) >= rule.for_s


def test_yaml_is_read_back_as_it_was() -> None:
    yaml = pytest.importorskip("yaml")
    hostile = {
        "a": ["x: y", "- z", "#", "", "null", "yes", "1e3", "\n", "tab\t", "日本", "'\"", "{{ $x"],
        "b-c": {"d": {}, "e": [], "f": None, "g": True, "h": 1.5, "i": [{"j": 1, "k": [2, 3]}]},
    }  # fmt: skip
    assert yaml.safe_load(block_yaml(hostile)) == hostile


def test_settings_reach_both_files(tmp_path: Path) -> None:
    settings = tomllib.loads("[rules.stalled]\nthreshold = 7\n[rules.slow]\nenabled = false\n")
    table = rule_table(settings)
    ours = block_yaml(prometheus_rules(table.rules, "http://g"))
    theirs = block_yaml(grafana_rules(table.rules, "uid", "http://g"))
    assert " > 7" in ours
    assert "- 7" in theirs
    for text in (ours, theirs):
        assert "TracerTaskSlowerThanHistory" not in text
