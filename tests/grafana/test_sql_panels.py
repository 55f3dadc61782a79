"""Every SQL panel and variable, by a real PostgreSQL: it runs, and there is something to see."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from analysis.synthetic import MIB, START, sequencing_run, table
from export.conftest import full, hostile  # noqa: F401 - fixtures

from tests.grafana.database import Tables, rows, run_to_send, sent
from tests.grafana.interpolation import PanelQuery, TimeRange, queries, sql, variables
from tests.servers.postgres import Postgres

pytestmark = [pytest.mark.engine, pytest.mark.servers]
SHOWN = TimeRange(START - dt.timedelta(days=3), START + dt.timedelta(days=5))
SQL_BOARDS = ("tracer-run", "tracer-steps", "tracer-tools", "tracer-cost")


@pytest.fixture(scope="session")
def filled(postgres: Postgres, full: Tables, hostile: Tables) -> str:  # noqa: F811
    """A database with a few days of a pipeline, a run with everything in it, and hostile names."""
    url = postgres.url("panels")
    runs = []
    for day in range(4):
        tables = sequencing_run(3, seed=day)
        tables["readings"] = _readings(tables["tasks"])
        runs.append(_renamed(tables, f"day{day}", day))
    runs += [_renamed(full, "full", -1), _renamed(hostile, "hostile", -2)]
    sent(url, *map(run_to_send, runs))
    return url


@pytest.fixture(scope="session")
def chosen(filled: str) -> dict[str, list[str]]:
    """What the variables of the dashboards offer, all of it chosen, and a run of several days."""
    values: dict[str, list[str]] = {}
    for board in SQL_BOARDS:
        for variable in variables(board):
            name = variable["name"]
            found = rows(filled, sql(variable["query"], SHOWN, values))
            column = "__value" if "__value" in found[0] else next(iter(found[0]))
            values[name] = [row[column] for row in found]
    assert values["run"][0] == "day3"  # the newest comes first
    assert None not in values["pipeline"]
    assert "rnaseq" in values["pipeline"]
    return values | {"run": ["day3"]}


@pytest.mark.parametrize("query", queries("sql"), ids=str)
def test_every_panel_returns_rows(
    filled: str, chosen: dict[str, list[str]], query: PanelQuery
) -> None:
    found = rows(filled, sql(query.text, SHOWN, chosen))
    assert found
    known = [name for name in found[0] if any(row[name] is not None for row in found)]
    # The example has no GPUs and no hosts with a price, and nobody waited for a network.
    assert set(found[0]) - set(known) <= {
        "idle", "idle cost", "hosts", "failure_cause", "detail", "idle_cost", "as of", "container",
    }  # fmt: skip
    if query.format == "time_series":
        _is_series(found)


@pytest.mark.parametrize("query", queries("sql"), ids=str)
def test_every_panel_is_empty_and_not_broken_where_there_is_nothing(
    filled: str, query: PanelQuery
) -> None:
    nothing = {"pipeline": ["nobody's"], "step": ["nobody's"], "run": ["nobody's"]}
    assert rows(filled, sql(query.text, SHOWN, nothing)) == []


@pytest.mark.parametrize("query", queries("sql"), ids=str)
def test_names_are_data_in_every_panel(filled: str, query: PanelQuery) -> None:
    """A pipeline of this name would end the query, if Grafana or the panel quoted carelessly."""
    name = "x'); DROP SCHEMA tracer_hooks CASCADE; --"
    values = {"pipeline": [name, "rnaseq"], "step": [name, "align"], "run": [name]}
    rows(filled, sql(query.text, SHOWN, values))
    assert rows(filled, "SELECT count(*) > 0 AS there FROM tracer_hooks.tasks") == [{"there": True}]


def test_the_gantt_has_a_beginning_and_an_end_for_each_attempt(
    filled: str, chosen: dict[str, list[str]]
) -> None:
    [gantt] = [query for query in queries("sql") if query.panel == "Tasks over time"]
    found = rows(filled, sql(gantt.text, SHOWN, chosen))
    states = [row["state"] for row in found]
    assert states.count(None) == len(states) / 2
    assert set(states) == {"succeeded", "lost", "failed", None} & set(states)
    begun: dict[str, int] = {}
    for row in found:
        begun[row["task"]] = begun.get(row["task"], 0) + (1 if row["state"] else -1)
    assert set(begun.values()) == {0}


def test_a_slower_run_is_on_top_of_the_regressions(filled: str) -> None:
    [panel] = [query for query in queries("sql") if query.panel.startswith("The last run against")]
    with psycopg.connect(filled) as connection:
        connection.execute(
            b"UPDATE tracer_hooks.tasks SET wall_s = wall_s * 20"
            b" WHERE run_id = 'day3' AND step = 'annotate'"
        )
        values = {"pipeline": ["rnaseq"], "step": ["annotate", "align", "sort"]}
        text = sql(panel.text, SHOWN, values)
        found = connection.execute(text.encode()).fetchall()
        connection.rollback()
    # pipeline, step, last, before, change, sigma
    assert found[0][1] == "annotate"
    assert found[0][4] > 5
    assert found[0][5] > 10
    assert all(row[5] < 10 for row in found[1:])


def test_who_may_only_read_sees_every_panel(
    postgres: Postgres, filled: str, chosen: dict[str, list[str]]
) -> None:
    """The rights that the folder's README gives Grafana's user."""
    with psycopg.connect(filled) as connection:
        for statement in (
            "DROP ROLE IF EXISTS grafana", "CREATE ROLE grafana LOGIN",
            "GRANT USAGE ON SCHEMA tracer_hooks TO grafana",
            "GRANT SELECT ON ALL TABLES IN SCHEMA tracer_hooks TO grafana",
        ):  # fmt: skip
            connection.execute(statement.encode())
    reader = filled.replace("tracer@", "grafana@")
    for query in queries("sql"):
        assert rows(reader, sql(query.text, SHOWN, chosen))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(reader, "DELETE FROM tracer_hooks.tasks")


def _is_series(found: list[dict[str, Any]]) -> None:
    """What Grafana makes series of: ascending times, numbers, and at most one text."""
    times = [row["time"] for row in found]
    assert times == sorted(times)
    others = {name for name in found[0] if name not in ("time", "metric")}
    assert others
    for row in found:
        assert all(row[name] is None or float(row[name]) >= 0 for name in others)
    metrics = [(row["time"], row.get("metric")) for row in found]
    assert len(metrics) == len(set(metrics)), "a series with two values at one time"


def _readings(tasks: pa.Table) -> pa.Table:
    found = []
    for row in tasks.to_pylist(maps_as_pydicts="lossy"):
        for part in range(4):
            elapsed = row["wall_s"] * part / 4
            found.append({
                "task_id": row["task_id"], "attempt": row["attempt"], "spool": row["spool"],
                "at": row["started_at"] + dt.timedelta(seconds=elapsed), "elapsed_s": elapsed,
                "cpu_s": row["cpu_s"] * part / 4, "memory_bytes": 100 * MIB,
            })  # fmt: skip
    return table("readings", found)


def _renamed(tables: Tables, run_id: str, days: int) -> Tables:
    """The run under another id, so many days later."""
    later = pa.scalar(dt.timedelta(days=days), pa.duration("us"))
    found = {}
    for name, rows_ in tables.items():
        rows_ = rows_.set_column(0, "run_id", pa.array([run_id] * rows_.num_rows, pa.string()))
        for place, field in enumerate(rows_.schema):
            if pa.types.is_timestamp(field.type):
                moved = pc.add(rows_[field.name], later).cast(field.type)
                rows_ = rows_.set_column(place, field, moved)
        found[name] = rows_
    return found
