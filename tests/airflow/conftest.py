"""Airflow's tests: one run of everything for each major, by its real scheduler."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.airflow.engine import DAGS, ROOT, Airflow, installed
from tracer_hooks.store import Store

MAJORS = (2, 3)
RUN_ID = "everything"
TWICE = ("one/first", "one/second")
UNWATCHED = "small/unwatched"  # one of its tasks kills its monitor
BLOCKED = "one/blocked"  # nothing can be written of it


@dataclass
class Everything:
    """The run of `dags/every_kind.py`, whose servers still run."""

    airflow: Airflow
    state: str
    store: Store
    privileged: bool

    @property
    def run(self) -> str:
        return f"every_kind/{RUN_ID}"

    def attempts(self, task_id: str) -> list[dict[str, Any]]:
        """The rows of a task's attempts, in order."""
        rows = self.store.table("tasks", self.run).to_pylist(maps_as_pydicts="strict")
        return sorted((r for r in rows if r["task_id"] == task_id), key=lambda r: r["attempt"])

    def one(self, task_id: str) -> dict[str, Any]:
        (row,) = self.attempts(task_id)
        return row

    def events(self, task_id: str) -> list[tuple[str, str]]:
        """Kind and detail (JSON) of what was noted of a task."""
        rows = self.store.table("events", self.run).to_pylist()
        return [(row["kind"], row["detail"]) for row in rows if row["task_id"] == task_id]


def need(major: int) -> None:
    if installed(major) is None:
        pytest.skip(f"no Airflow {major} in .venvs/airflow-{major}: make test-airflow installs it")


@pytest.fixture(params=MAJORS, ids=lambda major: f"airflow-{major}")
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Airflow]:
    """Makes a home of each major, with settings of `[tracer_hooks]`; nothing is started."""
    need(request.param)
    return lambda **settings: Airflow(request.param, tmp_path / "home", **settings)


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"airflow-{major}")
def everything(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Everything]:
    """Airflow 3 runs as a user who is not root, where its task processes can't be looked into."""
    need(request.param)
    nobody = request.param == 3 and os.geteuid() == 0
    folder = tmp_path_factory.mktemp(f"airflow-{request.param}")
    if nobody:
        for path in (folder, *folder.parents[:2]):
            path.chmod(0o755)
    airflow = Airflow(request.param, folder / "home", nobody=nobody, dags="*")
    dags = shutil.copytree(DAGS, folder / "dags")
    shutil.copy(ROOT / "examples" / "airflow" / "reads_qc.py", dags)
    airflow.env["AIRFLOW__CORE__DAGS_FOLDER"] = str(dags)
    try:
        airflow.start()
        spool = airflow.store / "spool"
        spool.mkdir(parents=True)
        (spool / quote(BLOCKED, safe="")).touch()
        for path in (airflow.store, spool):
            path.chmod(0o777)  # for whoever the tasks run as
        airflow.trigger(f"every_kind/{RUN_ID}", *TWICE, UNWATCHED, BLOCKED)
        state = airflow.wait_for_run("every_kind", RUN_ID)
        for run in TWICE:
            airflow.wait_for_ingest(run)
        store = airflow.wait_for_ingest(f"every_kind/{RUN_ID}")
        yield Everything(airflow, state, store, os.geteuid() == 0 and not nobody)
    finally:
        airflow.stop()
