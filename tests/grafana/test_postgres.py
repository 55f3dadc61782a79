"""Runs in a real PostgreSQL: each attempt once, whatever happens meanwhile."""

from __future__ import annotations

import datetime as dt
import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from analysis.synthetic import START, many_tasks, sequencing_run, table, task
from export.conftest import full, hostile  # noqa: F401 - fixtures

from tests.grafana.database import Tables, counts, rows, run_to_send, sent
from tests.servers.postgres import Postgres
from tracer_hooks.errors import TracerError
from tracer_hooks.export.postgres import connect, migrations
from tracer_hooks.export.postgres.migrations import SCHEMA
from tracer_hooks.store.runs import RUNS
from tracer_hooks.store.schema import TABLES

pytestmark = [pytest.mark.engine, pytest.mark.servers]
TYPES = {
    "text": pa.string(), "double precision": pa.float64(), "bigint": pa.int64(),
    "integer": pa.int32(), "boolean": pa.bool_(), "ARRAY": pa.list_(pa.string()),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
    "jsonb": pa.map_(pa.string(), pa.string()),
}  # fmt: skip
_names = iter(range(1_000_000))


@pytest.fixture
def url(postgres: Postgres) -> str:
    """A database of the test's own."""
    return postgres.url(f"test{next(_names)}")


def test_its_tables_are_those_of_the_store(url: str) -> None:
    """Fails when a column is added to the store: write a migration then."""
    sent(url)
    for name, schema in TABLES.items():
        expected = RUNS if name == "runs" else schema.insert(0, pa.field("run_id", pa.string()))
        found = rows(
            url,
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
            *(SCHEMA, name),
        )
        assert [(r["column_name"], TYPES[r["data_type"]]) for r in found] == [
            (field.name, field.type) for field in expected
        ]


def test_what_is_sent_is_what_is_there(url: str, full: Tables) -> None:  # noqa: F811
    run = run_to_send(full)
    assert sent(url, run, run) == ["3 new attempts", None]
    assert counts(url) == {n: t.num_rows for n, t in full.items()} | {"runs": 1}
    for name in ("tasks", "processes", "readings", "tools", "events", "hosts"):
        assert _alike(rows(url, f"SELECT * FROM {SCHEMA}.{name}")) == _alike(
            full[name].to_pylist(maps_as_pydicts="lossy")
        )
    [listed] = rows(url, f"SELECT * FROM {SCHEMA}.runs")
    assert (listed["pipeline"], listed["task_count"]) == ("rnaseq", 2)


def test_verdicts_and_costs_stand_beside_the_attempts(url: str) -> None:
    tables = sequencing_run(4)
    sent(url, run_to_send(tables))
    found = rows(url, f"SELECT * FROM {SCHEMA}.attempts")
    assert len(found) == tables["tasks"].num_rows
    assert all(row["verdict"] and row["currency"] == "USD" for row in found)
    parts = ("useful", "headroom", "over_requested", "unmeasured")
    for row in found:
        assert sum(row[part] for part in parts) == pytest.approx(row["allocated"])
    [whole] = rows(url, f"SELECT * FROM {SCHEMA}.run_costs")
    [tools] = rows(url, f"SELECT sum(allocated) AS allocated FROM {SCHEMA}.tool_costs")
    total = sum(row["allocated"] for row in found)
    assert whole["allocated"] == pytest.approx(total)
    assert tools["allocated"] == pytest.approx(total)
    last = [row["task_id"] for row in found if row["last_attempt"]]
    assert len(last) == len(set(last)) == len({row["task_id"] for row in found})


def test_other_prices_are_noticed(url: str) -> None:
    tables = sequencing_run(2)
    dear = run_to_send(tables)
    free = run_to_send(tables, "list")
    count = tables["tasks"].num_rows
    assert sent(url, dear, free, free) == [f"{count} new attempts", "0 new attempts", None]
    priced = f"SELECT count(allocated) AS n, count(*) AS of FROM {SCHEMA}.costs"
    assert rows(url, priced) == [{"n": 0, "of": count}]
    assert sent(url, dear) == ["0 new attempts"]
    assert rows(url, priced) == [{"n": count, "of": count}]


def test_a_run_that_goes_on_is_brought_up_to_date(url: str) -> None:
    running = task("t2", at=20.0, status="running", ended_at=None, exit_code=None, cpu_s=1.0)
    before = {"tasks": table("tasks", [task("t1"), running]), "readings": _readings("t2", 3)}
    after = {
        "tasks": table("tasks", [task("t1"), task("t2", at=20.0), task("t3", at=40.0)]),
        "readings": _readings("t2", 9),
    }
    first = run_to_send(before)
    assert sent(url, first, first) == ["2 new attempts", "1 new attempt"]
    assert rows(url, f"SELECT status FROM {SCHEMA}.runs") == [{"status": "running"}]
    assert counts(url)["readings"] == 3
    sent(url, run_to_send(after))
    assert rows(url, f"SELECT task_id, status, cpu_s FROM {SCHEMA}.tasks ORDER BY task_id") == [
        {"task_id": t, "status": "succeeded", "cpu_s": 6.0} for t in ("t1", "t2", "t3")
    ]
    assert counts(url)["readings"] == 9


def test_parts_of_a_run_from_two_stores_are_both_there(url: str) -> None:
    """A run whose tasks ran on hosts that share no filesystem."""
    parts = []
    for host in ("node1", "node2"):
        hosts = sequencing_run(1)["hosts"]
        hosts = hosts.set_column(1, "host", pa.array([host] * hosts.num_rows))
        row = task(host, host=host, status="running" if host == "node1" else "succeeded")
        parts.append({"tasks": table("tasks", [row]), "hosts": hosts})
    for tables in (*parts, *parts):
        sent(url, run_to_send(tables))
    assert counts(url) == {"runs": 1, "tasks": 2, "hosts": 6} | dict.fromkeys(
        ("processes", "tools", "readings", "events"), 0
    )


def test_hostile_names_stay_what_they_are(url: str, hostile: Tables) -> None:  # noqa: F811
    sent(url, run_to_send(hostile))
    told = {row["step"] for row in rows(url, f"SELECT step FROM {SCHEMA}.tasks")}
    # PostgreSQL's text can hold anything but the character 0.
    assert told == {str(n).replace("\x00", "\\x00") for n in hostile["tasks"]["step"].to_pylist()}


def test_several_at_once_double_nothing(url: str) -> None:
    runs = [run_to_send(sequencing_run(4))] * 6
    count = runs[0].tables["tasks"].num_rows
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(lambda run: sent(url, run)[0], runs))
    assert sorted(said, key=str) == [f"{count} new attempts"] + [None] * 5
    assert counts(url)["tasks"] == count


@pytest.mark.parametrize("crash", [signal.SIGINT, signal.SIGQUIT], ids=["shut down", "crash"])
def test_a_database_that_goes_away_loses_and_doubles_nothing(
    postgres: Postgres, url: str, crash: signal.Signals
) -> None:
    """It goes while rows are on their way, and comes back when the exporter has met that."""
    run = run_to_send(many_tasks(6000))
    away = threading.Event()
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        away.set()

    destination = connect(url, patience_s=60, tell=tell)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(destination.send, run)
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as watcher:
            loading = "SELECT count(*) FROM pg_stat_progress_copy"
            while watcher.execute(loading).fetchone() == (0,):
                pass
        postgres.stop(crash)
        assert away.wait(60)
        postgres.start()
        assert sending.result() == "6000 new attempts"
    assert len(told) == 1
    assert "trying again for 60 s" in told[0]
    assert counts(url)["tasks"] == 6000
    assert counts(url)["tools"] == run.tables["tools"].num_rows
    assert destination.send(run) is None
    destination.close()


def test_who_is_refused_is_told_at_once(postgres: Postgres) -> None:
    nowhere = postgres.url("postgres").replace("/postgres", "/nowhere")
    with pytest.raises(TracerError, match='database "nowhere" does not exist'):
        sent(nowhere, patience_s=1000)


def test_a_newer_database_is_not_touched(url: str) -> None:
    sent(url)
    with psycopg.connect(url) as connection:
        connection.execute(f"INSERT INTO {SCHEMA}.migrations VALUES (9999, 'later')".encode())
    with pytest.raises(TracerError, match="install a newer tracer-hooks"):
        sent(url)


def test_migrations_are_applied_once_each(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_to_send(sequencing_run(2))
    sent(url, run)
    steps = [*migrations.steps(), (2, "seen", "ALTER TABLE tasks ADD COLUMN seen text DEFAULT 'x'")]
    monkeypatch.setattr(migrations, "steps", lambda: steps)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: sent(url), range(3)))
    applied = rows(url, f"SELECT version FROM {SCHEMA}.migrations ORDER BY version")
    assert [row["version"] for row in applied] == [1, 2]
    assert rows(url, f"SELECT DISTINCT seen FROM {SCHEMA}.tasks") == [{"seen": "x"}]


def test_a_step_that_fails_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [*migrations.steps(), (2, "broken", "CREATE TABLE half (a int); SELECT 1 / 0")]
    monkeypatch.setattr(migrations, "steps", lambda: steps)
    with pytest.raises(TracerError, match="division by zero"):
        sent(url)
    assert rows(url, "SELECT to_regnamespace(%s) AS there", SCHEMA) == [{"there": None}]


def test_who_may_write_rows_alone_can_send(postgres: Postgres, url: str) -> None:
    sent(url)
    with psycopg.connect(url) as connection:
        for statement in (
            "DROP ROLE IF EXISTS writer", "CREATE ROLE writer LOGIN",
            f"GRANT USAGE ON SCHEMA {SCHEMA} TO writer",
            f"GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO writer",
        ):  # fmt: skip
            connection.execute(statement.encode())
    mine = url.replace("tracer@", "writer@")
    assert sent(mine, run_to_send(sequencing_run(1))) == ["6 new attempts"]
    with psycopg.connect(url) as connection:
        connection.execute(b"DROP OWNED BY writer")
        connection.execute(b"DROP ROLE writer")


def _readings(task_id: str, count: int) -> pa.Table:
    return table("readings", [
        {"task_id": task_id, "attempt": 1, "at": START + dt.timedelta(seconds=second),
         "elapsed_s": float(second), "spool": f"{task_id}.1.x"}
        for second in range(count)
    ])  # fmt: skip


def _alike(found: list[dict[str, Any]]) -> list[str]:
    """Rows in an order that two sources share."""
    whole = ({**row, "spool": row["spool"] or ""} for row in found)
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in whole)
