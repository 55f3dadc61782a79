"""`dag.test()` and `airflow dags test`: all tasks in one process, whatever befalls observing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.airflow.engine import DAGS, Airflow
from tracer_hooks.store import Store

pytestmark = [pytest.mark.engine, pytest.mark.airflow, pytest.mark.timeout(900)]

SMALL, ONE = str(DAGS / "small.py"), str(DAGS / "one.py")
Home = Callable[..., Airflow]


def rows(airflow: Airflow) -> dict[str, dict[str, Any]]:
    """The one attempt of each task that is in the store."""
    if not airflow.store.exists():
        return {}
    found = Store(airflow.store).table("tasks").to_pylist(maps_as_pydicts="strict")
    assert len({row["task_id"] for row in found}) == len(found), "one record for each"
    return {row["task_id"]: row for row in found}


def run_all(airflow: Airflow, *command: str, **settings: str) -> str:
    """Run a DAG in one process; its last task writes a file, whatever happens to observing. What
    was said."""
    done = airflow.run(*command, **settings)
    mark = airflow.home / "marks" / "done"
    assert mark.exists(), done.stdout[-2000:] + done.stderr[-3000:]
    assert "Traceback" not in done.stderr.partition("tracer_hooks")[2]
    mark.unlink()
    return done.stdout + done.stderr


def test_tasks_that_are_decorated(home: Home) -> None:
    airflow = home()
    run_all(airflow, SMALL)
    found = rows(airflow)
    assert set(found) == {"above", "below", "skipped", "monitor_killed"}
    assert found["above"]["status"] == "succeeded"
    assert found["above"]["cpus_requested"] == 2
    assert 0.15 < found["above"]["cpu_s"] < 1.5
    assert found["below"]["status"] == "succeeded"
    assert found["skipped"]["status"] == "succeeded"
    # Up to its last flush, and its task went on as if nothing had been.
    assert found["monitor_killed"]["status"] == "lost"


def test_every_task_by_the_listener(home: Home) -> None:
    airflow = home()
    before = datetime.now(timezone.utc)
    command = ("-m", "airflow", "dags", "test", "small", "2026-01-01")
    run_all(airflow, *command, dags="sm*", ingest="False")
    found = rows(airflow)
    assert set(found) == {"above", "below", "skipped", "monitor_killed", "plain"}
    assert found["plain"]["status"] == "succeeded"
    (run,) = Store(airflow.store).runs().to_dict("records")
    airflow.wait(
        lambda: Store(airflow.store).runs()["status"].tolist() == ["succeeded"], "the run's end"
    )
    assert run["pipeline"] == "small"
    assert run["started_at"] >= before, "when it ran, not the date that it was run for"


def test_a_store_that_cannot_be_written(home: Home) -> None:
    airflow = home()
    in_the_way = airflow.home / "file"
    in_the_way.touch()
    said = run_all(airflow, ONE, store=str(in_the_way / "store"), dags="*")
    assert in_the_way.read_bytes() == b""
    assert re.search("the end of this task was not recorded: .*: Not a directory", said)


def test_settings_that_make_no_sense(home: Home) -> None:
    airflow = home()
    said = run_all(airflow, ONE, interval="often", dags="*")
    assert "interval = often: say a number of seconds" in said
    assert not (airflow.store / "spool").exists()


def test_importing_the_package_is_quick_and_needs_no_airflow(home: Home) -> None:
    airflow = home()
    program = (
        "import sys; import tracer_hooks_airflow, tracer_hooks_airflow.provider as p;"
        "p.get_provider_info(); from tracer_hooks_airflow import traced;"
        "print(any(m.partition('.')[0] in ('airflow', 'pandas', 'duckdb', 'pyarrow')"
        " for m in sys.modules))"
    )
    done = airflow.run("-c", program, as_root=os.geteuid() == 0)
    assert done.stdout.strip() == "False", done.stderr
