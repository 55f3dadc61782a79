"""What `tracer-hooks grafana` writes: what the code makes, and nothing that Grafana lacks."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
from analysis.synthetic import START

from tests.cli.command import tracer_hooks
from tests.grafana.interpolation import TimeRange, promql, queries, sql, variables
from tests.servers.prometheus import promtool
from tracer_hooks.alert.rules import rule_table
from tracer_hooks.errors import UsageError
from tracer_hooks.export.grafana.folder import Places, dashboards, files
from tracer_hooks.export.metrics import metric_table

BOARDS = ("beside", "cost", "fleet", "run", "steps", "tools")


def test_the_files_are_what_the_code_makes() -> None:
    """Fails when a dashboard is changed: run `python -m tracer_hooks.export.grafana.source`."""
    pytest.importorskip("grafana_foundation_sdk", reason="its library needs Python 3.11")
    from tracer_hooks.export.grafana.source.boards import written

    assert dashboards() == dict(sorted(written().items()))


@pytest.mark.parametrize("name", BOARDS)
def test_grafana_knows_everything_in_a_dashboard(name: str) -> None:
    """Its own models read the file and write the same: a field that they lack would be lost."""
    models = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder")
    plugins = pytest.importorskip("grafana_foundation_sdk.cog.plugins")
    plugins.register_default_plugins()
    data = json.loads(dashboards()[f"tracer-{name}.json"])
    read = models.Dashboard.from_json(json.loads(json.dumps(data)))
    again = json.loads(encoder.JSONEncoder().encode(read))
    # The library has no type for SQL queries, and keeps them as they are.
    assert again == data


@pytest.mark.parametrize("name", BOARDS)
def test_panels_fill_the_grid_without_overlap(name: str) -> None:
    data = json.loads(dashboards()[f"tracer-{name}.json"])
    taken: set[tuple[int, int]] = set()
    for panel in data["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies on another"
        assert max(x for x, _ in cells) < 24
        taken |= cells
    numbers = [panel["id"] for panel in data["panels"]]
    assert len(set(numbers)) == len(numbers)
    assert all(p["description"] for p in data["panels"] if p["type"] != "row"), "says what is shown"


def test_every_link_between_dashboards_leads_somewhere() -> None:
    text = "".join(dashboards().values()) + json.dumps(_rules())
    names = {json.loads(board)["uid"] for board in dashboards().values()}
    assert set(re.findall(r"/d/([\w-]+)", text)) <= names
    known = {v["name"] for board in names for v in variables(board)}
    assert set(re.findall(r"[?&]var-(\w+)=", text)) <= known


@pytest.mark.parametrize("query", queries("promql"), ids=str)
def test_expressions_ask_for_metrics_and_labels_that_there_are(query: Any) -> None:
    _check(query.text)


def test_rules_ask_for_metrics_and_labels_that_there_are() -> None:
    for rule in rule_table().rules:
        _check(rule.value_promql())


def _check(expression: str) -> None:
    metrics = metric_table().metrics
    parts = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
    names = {
        metric.name + part: metric
        for metric in metrics.values() for part in parts.get(metric.type, ("",))
    }  # fmt: skip
    for name, matchers in re.findall(r"\b(tracer_\w+)(?:\{([^}]*)\})?", expression):
        assert name in names, f"{name} is no metric of ours"
        labels = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)
        assert set(labels) <= set(names[name].label_names), name


@pytest.mark.parametrize("kind", ["sql", "promql"])
def test_queries_use_no_variable_that_their_dashboard_lacks(kind: str) -> None:
    shown = TimeRange(START, START + dt.timedelta(days=1))
    for query in queries(kind):
        values = {v["name"]: ["x"] for v in variables(query.board)}
        (sql if kind == "sql" else promql)(query.text, shown, values)


def test_the_folder_is_ready_to_mount(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    done = tracer_hooks("grafana", tmp_path, "--serve", "a:1", "--serve", "b:2")
    assert (done.returncode, done.stderr) == (0, "")
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {
        "mine.txt", "README.md", "prometheus/prometheus.yml", "prometheus/rules/tracer-hooks.yaml",
        *(f"grafana/provisioning/{kind}/tracer-hooks.yaml"
          for kind in ("datasources", "dashboards", "alerting")),
        *(f"grafana/dashboards/tracer-{name}.json" for name in BOARDS),
    }  # fmt: skip
    text = (tmp_path / "prometheus/prometheus.yml").read_text()
    assert '- "a:1"' in text
    assert '- "b:2"' in text
    assert (
        "password" in (tmp_path / "grafana/provisioning/datasources/tracer-hooks.yaml").read_text()
    )


@pytest.mark.engine
@pytest.mark.servers
def test_promtool_accepts_the_configuration(tmp_path: Path) -> None:
    assert tracer_hooks("grafana", tmp_path).returncode == 0
    done = promtool("check", "config", tmp_path / "prometheus/prometheus.yml")
    assert done.returncode == 0, done.stderr
    assert "1 rule files found" in done.stdout


def test_data_sources_go_where_they_are_told_to() -> None:
    yaml = pytest.importorskip("yaml")
    places = Places(postgres="postgresql://re%40der@db.lab:5433/runs", prometheus="http://p:1")
    text = files(rule_table(), places)["grafana/provisioning/datasources/tracer-hooks.yaml"]
    metrics, runs = yaml.safe_load(text)["datasources"]
    assert metrics["url"] == "http://p:1"
    assert (runs["url"], runs["user"], runs["jsonData"]["database"]) == (
        "db.lab:5433", "re@der", "runs",
    )  # fmt: skip
    alerts = yaml.safe_load(
        files(rule_table(), places)["grafana/provisioning/alerting/tracer-hooks.yaml"]
    )
    asked = {query["datasourceUid"] for rule in alerts["groups"][0]["rules"]
             for query in rule["data"]}  # fmt: skip
    assert asked == {metrics["uid"], "__expr__"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--postgres", "mysql://x/y"], "is no database"),
        (["--alerts", "/nowhere.toml"], "No such file"),
        (["--alerts", __file__], "is not TOML"),
    ],
)
def test_what_makes_no_sense_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = tracer_hooks("grafana", tmp_path / "out", *arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_url_that_is_no_database_is_an_error() -> None:
    with pytest.raises(UsageError):
        files(rule_table(), Places(postgres="nonsense"))


def _rules() -> dict[str, str]:
    return files(rule_table(), Places())
