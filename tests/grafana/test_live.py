"""A run that goes on, in a real Prometheus: every panel shows it, and alerts come and go."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.grafana.interpolation import PanelQuery, TimeRange, promql, queries, variables
from tests.grafana.live import BUSY, GROWING, PIPELINE, STEADY, TALKING, WRITING, Live, watched
from tests.servers.daemon import wait_until
from tracer_hooks.alert.rules import rule_table

pytestmark = [pytest.mark.engine, pytest.mark.servers]
WINDOW_S = 40.0


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A run with a bit of everything, until every figure has been scraped a few times."""
    with watched(tmp_path_factory.mktemp("live")) as found:
        # A step with a history, of which one task then takes much longer.
        for number in range(6):
            found.python("burn", f"burn{number}", BUSY, 0.3)
        for number in range(6):
            found.start("fail", f"fail{number}", "false")
        for task in list(found.tasks.values()):
            task.wait()
        found.python("burn", "slow", STEADY, 300)
        found.start("stall", "stall", "sleep", "300", cpus=8)
        found.python("steady", "steady", STEADY, 300)
        found.python("grow", "grow", GROWING, 300, memory="100M")
        found.python("talk", "talk", TALKING, 300)
        found.python("write", "write", WRITING, 300)
        # One whose tools are counted while Prometheus looks on.
        wait_until(lambda: found.prometheus.query("tracer_task_active"), "the first figures")
        found.start("fail", "late", "false")
        found.python("burn", "ending", BUSY, 1)
        wait_until(lambda: found.firing("TracerTaskStalled", "stall"), "the first alert")
        yield found


@pytest.fixture(scope="module")
def chosen(live: Live) -> dict[str, list[str]]:
    """What the dashboards' variables offer, all of it."""
    values = {}
    for board in ("tracer-fleet", "tracer-beside"):
        for variable in variables(board):
            metric, label = variable["query"][len("label_values(") : -1].split(", ")
            rows = live.prometheus.query(f"group by ({label}) ({metric})")
            values[variable["name"]] = sorted(row["metric"][label] for row in rows)
    assert values["pipeline"] == [PIPELINE]
    assert len(values["host"]) == 1
    return values


@pytest.mark.parametrize("query", queries("promql"), ids=str)
def test_every_panel_shows_the_run(
    live: Live, chosen: dict[str, list[str]], query: PanelQuery
) -> None:
    def shown() -> list[Any]:
        now = dt.datetime.now(dt.timezone.utc)
        shown = TimeRange(now - dt.timedelta(seconds=WINDOW_S), now, interval_s=5.0)
        text = promql(query.text, shown, chosen)
        end = now.timestamp()
        found = live.prometheus.query_range(text, end - WINDOW_S, end, 1.0)
        return [s for s in found if any(value != "NaN" for _, value in s["values"])]

    wait_until(shown, f"data for {query}")


def test_every_rule_has_something_to_judge(live: Live) -> None:
    for rule in rule_table().rules:
        wait_until(lambda r=rule: live.prometheus.query(r.value_promql()), rule.id)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("alert", "deserves", "twin"),
    [
        ("TracerTaskStalled", "stall", "steady"),
        ("TracerCoresIdle", "stall", "steady"),
        ("TracerMemoryHeadingForLimit", "grow", "steady"),
        ("TracerTaskSlowerThanHistory", "burn", "steady"),
        ("TracerStepFailing", "fail", "burn"),
    ],
)
def test_alerts_reach_alertmanager_for_who_deserves_them(
    live: Live, alert: str, deserves: str, twin: str
) -> None:
    wait_until(lambda: live.firing(alert, deserves), alert)
    assert not live.firing(alert, twin)
    told = next(a for a in live.alertmanager.alerts() if a["labels"]["alertname"] == alert)
    assert PIPELINE in told["annotations"]["summary"]
    assert "{" not in told["annotations"]["description"]
    assert told["annotations"]["evidence"].endswith(f"/d/tracer-fleet?var-pipeline={PIPELINE}")


def test_the_budget_of_a_run_is_judged(live: Live) -> None:
    wait_until(
        lambda: any(
            told["labels"]["alertname"] == "TracerRunOverBudget"
            for told in live.alertmanager.alerts()
        ),
        "the alert",
    )


def test_alerts_end_when_their_task_does(live: Live) -> None:
    """The last of this file: what the others look at ends with it."""
    wait_until(lambda: live.firing("TracerTaskStalled", "stall"), "the alert")
    live.tasks["stall"].terminate()
    live.tasks["stall"].wait()
    gone = time.monotonic()
    for alert in ("TracerTaskStalled", "TracerCoresIdle"):
        wait_until(lambda a=alert: not live.firing(a, "stall"), f"{alert} to end")  # type: ignore[misc]
    assert live.prometheus.query('tracer_task_active{step="stall"}') == []
    assert time.monotonic() - gone < 60
    assert live.prometheus.query('tracer_task_active{step="steady"}')
