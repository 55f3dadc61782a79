"""200 tasks of every kind: results as those of a bare run, and each attempt recorded once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.nextflow import fetch_engine
from tests.nextflow.conftest import LaunchFolder, Seen

# The older version runs fewer of the tasks that are all alike.
MANY = {fetch_engine.NEWEST: 184, fetch_engine.OLDEST: 8}
NOT_MANY = 15  # tasks of the other processes that have a command
RETRIES = 1
FAILING = {"PIPEFAIL": 1, "FAILS (exit)": 7, "FAILS (killed)": 137}
LONG = "n" * 300
# Some hundred tasks, five times.
pytestmark = pytest.mark.timeout(900)


@dataclass
class Runs:
    """The same pipeline, run bare and observed."""

    many: int
    bare: dict[str, list[Seen]]
    resumed: list[dict[str, Any]]  # what the engine told of a resumed run, observed from then on
    observed: dict[str, list[Seen]]
    tasks: list[dict[str, Any]]
    folder: LaunchFolder

    def task(self, name: str, attempt: int = 1) -> dict[str, Any]:
        (row,) = (r for r in self.tasks if r["task_name"] == name and r["attempt"] == attempt)
        return row


@pytest.fixture(scope="module", params=fetch_engine.VERSIONS)
def runs(request: pytest.FixtureRequest, launch_folder: Callable[..., LaunchFolder]) -> Runs:
    version, many = request.param, MANY[request.param]
    words = ("run", "main.nf", "-ansi-log", "false", "--many", str(many))
    folder = launch_folder("every_kind", version)
    folder.nextflow(*words)
    bare = folder.attempts()
    folder.nextflow(*words, "-resume", "-c", str(folder.configuration()))
    other = launch_folder("every_kind", version)
    other.tracer_hooks("nextflow", "--", *words)
    return Runs(many, bare, folder.told(), other.attempts(), other.tasks(), other)


def test_each_attempt_ends_as_without_us(runs: Runs) -> None:
    assert set(runs.observed) == set(runs.bare)
    for name, bare in runs.bare.items():
        assert runs.observed[name] == bare, name


def test_switching_on_reruns_nothing_that_had_succeeded(runs: Runs) -> None:
    became = Counter(task["recorded"] for task in runs.resumed)
    ran = {task["task_name"] for task in runs.resumed if task["recorded"] == "observed"}
    assert ran == set(FAILING)
    # All that had succeeded, and the one task that runs within the engine.
    assert became["cached"] == runs.many + NOT_MANY - len(FAILING) + 1


def test_each_attempt_is_recorded_once(runs: Runs) -> None:
    names = Counter((row["task_id"], row["attempt"]) for row in runs.tasks)
    assert len(names) == len(runs.tasks) == runs.many + NOT_MANY + RETRIES
    told = {task["hash"]: task for task in runs.folder.told() if task["recorded"] == "observed"}
    assert {row["tags"]["hash"] for row in runs.tasks} == set(told)
    for row in runs.tasks:
        task = told[row["tags"]["hash"]]
        assert row["task_id"] == task["task_id"]
        assert (row["exit_code"] or (row["signal"] and 128 + row["signal"]) or 0) == task[
            "exit_code"
        ]


def test_how_tasks_ended(runs: Runs) -> None:
    failed = {row["task_name"] for row in runs.tasks if row["status"] != "succeeded"}
    assert failed == {*FAILING, "FAILS (retried)"}
    assert runs.task("FAILS (exit)")["exit_code"] == 7
    assert runs.task("FAILS (exit)")["failure_cause"] == "exit_code"
    first, second = (runs.task("FAILS (retried)", attempt) for attempt in (1, 2))
    assert (first["status"], second["status"]) == ("failed", "succeeded")
    assert first["task_id"] == second["task_id"]


def test_who_is_who(runs: Runs) -> None:
    row = runs.task("MANY (3)")
    assert row["pipeline"] == "every-kind"
    assert (row["engine"], row["step"]) == ("nextflow", "MANY")
    assert (row["cpus_requested"], row["memory_requested_bytes"]) == (1, 200 << 20)
    assert row["time_requested_s"] == 600
    assert row["tags"]["tag"] == "3"
    assert row["tags"]["executor"] == "local"
    assert row["submitted_at"] < row["started_at"] < row["ended_at"]
    assert runs.task("WITH_LABEL")["cpus_requested"] == 2
    samples = {r["sample"] for r in runs.tasks if r["step"] == "OUTPUTS"}
    assert samples == {"sample 'one'", "two"}
    assert runs.task("STDIN (1)")["input_bytes"] == len("content\n")


def test_names_of_every_kind_are_kept(runs: Runs) -> None:
    tags = {row["tags"]["tag"] for row in runs.tasks if row["step"] == "NAMES"}
    assert tags == {
        "it's \"quoted\" $(touch pwned) `touch pwned`", "two\ntrue # lines", LONG, "ünï"
    }  # fmt: skip
    assert not list(Path(runs.folder.folder).rglob("pwned"))


def test_the_run_is_known(runs: Runs) -> None:
    store = runs.folder.store
    (run,) = store.runs().to_dict("records")
    assert (run["engine"], run["pipeline"], run["status"]) == (
        "nextflow", "every-kind", "succeeded"
    )  # fmt: skip
    table = store.table("runs", run["run_id"]).to_pylist(maps_as_pydicts="strict")
    (tags,) = (row["tags"] for row in table)
    assert run["run_id"].startswith(tags["nextflow.name"] + "-")
    assert tags["nextflow.session"]


def test_the_log_ends_with_the_summary(runs: Runs) -> None:
    total = runs.many + NOT_MANY
    assert f"tracer-hooks: {total} tasks ({total - 3} succeeded" in runs.folder.said or (
        f"tracer-hooks: {total} tasks (3 failed" in runs.folder.said
    )
    assert "Full report: tracer-hooks report" in runs.folder.said
    assert "WARN: tracer-hooks" not in runs.folder.said
