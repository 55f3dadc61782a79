"""A real Airflow of either major, in a home of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tracer_hooks.store import Store

ROOT = Path(__file__).parents[2]
DAGS = Path(__file__).parent / "dags"
NOBODY = 65534
# Another user than root, that may read what root's folders hold, so that it can start a Python
# which is installed there; it has no other privilege. The bit is for access(2), which would ignore
# that capability.
AS_NOBODY = [
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
    "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
    "--bounding-set=-all,+dac_read_search", "--securebits=+no_setuid_fixup",
]  # fmt: skip
USER, PASSWORD = "ada", "lovelace"
PATIENCE_S = 400.0
_INIT = {
    3: "from airflow.utils.db import initdb; initdb()",
    2: "from airflow.utils.db import initdb; initdb(load_connections=False)",
}
_COMPONENTS = {
    3: ("api-server", "scheduler", "dag-processor", "triggerer"),
    2: ("scheduler", "triggerer", "webserver"),
}
_TRIGGER_2 = """
import sys
from airflow.api.common.trigger_dag import trigger_dag
from airflow.models import DagBag
from sqlalchemy.exc import SQLAlchemyError
bag = DagBag(include_examples=False)
assert not bag.import_errors, bag.import_errors
for last in (False, False, False, True):
    try:
        bag.sync_to_db()
        break
    except SQLAlchemyError:  # the scheduler was writing the same DAGs
        if last:
            raise
for name in sys.argv[1:]:
    dag_id, run_id = name.split("/")
    trigger_dag(dag_id=dag_id, run_id=run_id, replace_microseconds=False)
"""


def installed(major: int) -> Path | None:
    """The Python that has this Airflow, if there is one."""
    python = ROOT / ".venvs" / f"airflow-{major}" / "bin" / "python"
    return python if python.exists() else None


class Airflow:
    """One home: configuration, database, store, and the processes that were started in it."""

    def __init__(self, major: int, home: Path, *, nobody: bool = False, **settings: str) -> None:
        python = installed(major)
        assert python is not None
        self.major, self.home, self.python = major, home, python
        self.store = home / ".tracer"
        self._prefix = AS_NOBODY if nobody else []
        self._processes: list[subprocess.Popen[bytes]] = []
        self.port = _free_port()
        self.url = f"http://localhost:{self.port}"
        home.mkdir(parents=True, exist_ok=True)
        (home / "marks").mkdir(exist_ok=True)
        (home / "passwords.json").write_text(json.dumps({USER: PASSWORD}))
        self.env = self._environment(settings)
        self._make_database()
        if nobody:
            for path in (home, *home.rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "TRACER"))}
        database = f"sqlite:///{self.home}/airflow.db?timeout=60"
        ours = {
            "AIRFLOW_HOME": str(self.home),
            "HOME": str(self.home),
            "PATH": f"{self.python.parent}:{os.environ['PATH']}",
            "EVERY_KIND_MARKS": str(self.home / "marks"),
            "PYTHONWARNINGS": "ignore",
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": "dHJhY2VyLWhvb2tzIHRlc3RzLCBub3QgYSBzZWNyZXQ=",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "3",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            # what a scheduler of 2.11 asks for before it works with SQLite and more than one task
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
            # else each worker of 2.11 schedules too, and without row locks, which SQLite has not,
            # Airflow counts attempts that never were
            "AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION": "False",
            # Airflow 3 misses the end of a task that closes its connections a moment before it is
            # gone, observed or not, and sees it so many seconds later (5 by default). A deferred
            # task that is due again by then it fails.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(_free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(_free_port()),
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this test, which is long enough for it",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self.port),
            "AIRFLOW__WEBSERVER__BASE_URL": self.url,
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            "AIRFLOW__WEBSERVER__SECRET_KEY": "a secret of this test",
        }
        named = {f"AIRFLOW__TRACER_HOOKS__{k.upper()}": v for k, v in settings.items()}
        return {**kept, **ours, **named}

    def _make_database(self) -> None:
        """From a copy that is made once for each environment: it takes ten seconds."""
        fresh = self.python.parents[1] / "fresh-airflow.db"
        database = self.home / "airflow.db"
        if not fresh.exists():
            done = self.run("-c", _INIT[self.major], as_root=True)
            assert done.returncode == 0, done.stderr[-3000:]
            shutil.copy(database, made := fresh.with_suffix(f".{os.getpid()}"))
            made.rename(fresh)
        shutil.copy(fresh, database)

    def run(
        self, *arguments: str, as_root: bool = False, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run this Airflow's Python, with further settings of `[tracer_hooks]`."""
        named = {f"AIRFLOW__TRACER_HOOKS__{k.upper()}": v for k, v in settings.items()}
        return subprocess.run(
            [*([] if as_root else self._prefix), str(self.python), *arguments],
            env={**self.env, **named}, cwd=self.home, capture_output=True, text=True,
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip

    def start(self) -> None:
        """Start every component, as an operator would."""
        for component in _COMPONENTS[self.major]:
            with (self.home / f"{component}.log").open("wb") as log:
                command = [str(self.python), "-m", "airflow", component]
                self._processes.append(
                    subprocess.Popen(
                        [*self._prefix, *command], env=self.env, cwd=self.home,
                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    )
                )  # fmt: skip

    def stop(self) -> None:
        """End everything that was started, and what that has started."""
        for how, patience_s in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
            for process in self._processes:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, how)
            for process in self._processes:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(patience_s)
        for process in self._sessions():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _sessions(self) -> list[int]:
        """Processes in the sessions of those that were started."""
        wanted = {process.pid for process in self._processes}
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, ValueError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[3]) in wanted:
                    found.append(int(stat.parent.name))
        return found

    def trigger(self, *names: str) -> None:
        """Start DAG runs, each as `dag_id/run_id`, as soon as the servers know their DAGs."""
        if self.major == 2:
            done = self.run("-c", _TRIGGER_2, *names)
            assert done.returncode == 0, done.stderr[-3000:]
            return
        for name in names:
            dag_id, _, run_id = name.partition("/")
            self.wait(lambda d=dag_id, r=run_id: self._run_starts(d, r), "the API server")  # type: ignore[misc]

    def token(self) -> str:
        """A bearer token of the API server (Airflow 3), of its one user."""
        answer = self._post("/auth/token", {"username": USER, "password": PASSWORD}, {})
        return str(answer["access_token"])

    def _run_starts(self, dag_id: str, run_id: str) -> bool:
        path, body = f"/api/v2/dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "logical_date": None}
        try:
            self._post(path, body, {"Authorization": f"Bearer {self.token()}"})
        except OSError:
            return False
        return True

    def _post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        request = urllib.request.Request(  # noqa: S310 - http
            self.url + path, json.dumps(body).encode(),
            {"Content-Type": "application/json", **headers},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - http
            return json.load(answer)

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask Airflow's database."""
        with sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=60) as base:
            return base.execute(statement, values).fetchall()

    def wait_for_run(self, dag_id: str, run_id: str) -> str:
        """How the DAG run ended, once it has."""
        states: list[Any] = []

        def over() -> bool:
            ask = "select state from dag_run where dag_id = ? and run_id = ?"
            states[:] = [row[0] for row in self.query(ask, dag_id, run_id)]
            return states in (["success"], ["failed"])

        self.wait(over, f"the run {run_id}")
        return str(states[0])

    def wait_for_ingest(self, run: str) -> Store:
        """The store, once the process at the end of the run has brought it in."""
        folder = self.store / "runs"
        escaped = run.replace("/", "%2F")
        self.wait(lambda: bool(list(folder.glob(f"run_id={escaped}/*.parquet"))), "the ingest")
        return Store(self.store)

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Wait until `done`; what the servers said, if that takes too long."""
        end = time.monotonic() + PATIENCE_S
        while not done():
            ended = [process.args for process in self._processes if process.poll() is not None]
            assert not ended, f"{what}: ended by itself: {ended}\n{self.said()}"
            assert time.monotonic() < end, f"{what}: not in {PATIENCE_S} s\n{self.said()}"
            time.sleep(0.3)

    def said(self) -> str:
        """What has not ended, and the end of each component's log."""
        ask = "select task_id, map_index, try_number, state from task_instance where state is null"
        ask += " or state not in ('success', 'failed', 'skipped', 'upstream_failed', 'removed')"
        logs = sorted(self.home.glob("*.log"))
        return f"{self.query(ask)}\n" + "\n".join(
            f"--- {log.name}\n{log.read_text()[-1500:]}" for log in logs
        )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
