"""Beginning and ending an observation, without Airflow: what is waited for, what is said."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tracer_hooks_airflow import complaints, observation
from tracer_hooks_airflow.outcomes import Outcome
from tracer_hooks_airflow.settings import Settings


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Any:
    """What is told in the task's log."""
    monkeypatch.setattr(complaints, "_said", set())
    return caplog


def begin(store: Path) -> None:
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=-1, try_number=1)
    assert observation.begin(ti, Settings(store))


def lines(store: Path) -> list[dict[str, Any]]:
    (spool,) = store.glob("spool/*/task.*.jsonl")
    return [json.loads(line) for line in spool.read_text().splitlines()]


def wait_for_lines(store: Path) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 20
    while not list(store.glob("spool/*/task.*.jsonl")) or not lines(store):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return lines(store)


@pytest.mark.parametrize(
    "variable", ["AIRFLOW_IS_K8S_EXECUTOR_POD", "AIRFLOW_IS_EXECUTOR_CONTAINER"]
)
def test_in_a_container_of_one_task_the_record_is_complete_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "True")
    begin(tmp_path)
    observation.end(Outcome("succeeded", state="success"))
    assert lines(tmp_path)[-1]["t"] == "sealed"


def test_who_comes_back_finds_what_was_left(tmp_path: Path) -> None:
    for _ in range(3):
        begin(tmp_path)
        observation.end(Outcome("paused", state="deferred"))
        assert lines(tmp_path)[-1]["t"] == "paused"
    assert sum(line["t"] == "resumed" for line in lines(tmp_path)) == 2


def test_a_store_that_cannot_be_written_is_said_once(tmp_path: Path, said: Any) -> None:
    (tmp_path / "file").touch()
    begin(tmp_path / "file" / "store")
    observation.end(Outcome("succeeded", state="success"))
    (message,) = said.messages
    assert "the end of this task was not recorded" in message
    assert "Not a directory" in message


def test_a_monitor_that_was_killed_is_said_once(tmp_path: Path, said: Any) -> None:
    begin(tmp_path)
    os.kill(wait_for_lines(tmp_path)[0]["observer"]["pid"], signal.SIGKILL)
    observation.end(Outcome("succeeded", state="success"))
    (message,) = said.messages
    assert message.endswith("the end of this task was not recorded: the monitor was killed")
