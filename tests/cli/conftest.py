"""A store with a few real runs in it, recorded once for all tests that only read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.command import CHANGING, tracer_hooks


def record(store: Path, run: str, step: str, task: str, attempt: int, *command: str) -> None:
    """One task behind the real supervisor."""
    done = tracer_hooks(
        *("run", "--store", store, "--run", run, "--pipeline", "wf", "--step", step),
        *("--task", task, "--attempt", str(attempt), "--cpus", "2", "--memory", "1G", "--tag"),
        *("lane=3", "--", *command),
    )
    assert done.stderr == ""


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of whoever runs the tests do not decide what they see."""
    for name in CHANGING:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `first` (one task) and `second` (a retried task, and one with helpers). Don't change."""
    store = tmp_path_factory.mktemp("recorded")
    record(store, "first", "solo", "solo", 1, "true")
    record(store, "second", "align", "align-A", 1, "sh", "-c", "exit 3")
    record(store, "second", "align", "align-A", 2, "true")
    helpers = "for i in 1 2 3 4 5 6; do sleep 0.02; done; sleep 0.3"
    record(store, "second", "many", "many[red]\x1b[31m\n-B", 1, "sh", "-c", helpers)
    return store


@pytest.fixture
def store(recorded: Path, tmp_path: Path) -> Path:
    """A copy of the recorded store, to be changed at will; nothing in it is ingested yet."""
    return Path(shutil.copytree(recorded, tmp_path / "store"))
