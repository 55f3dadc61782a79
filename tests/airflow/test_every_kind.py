"""Every way in which a task instance can go, through the real scheduler and its workers."""

from __future__ import annotations

import json
import platform
import re

import pytest

from tests.airflow.conftest import BLOCKED, TWICE, UNWATCHED, Everything
from tests.airflow.dags.sizes import STORM
from tests.cli.command import tracer_hooks

pytestmark = [pytest.mark.engine, pytest.mark.airflow, pytest.mark.timeout(900)]

# Before Linux 6.15 nobody but its parent learns how a process ended.
KERNEL_TELLS = tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (6, 15)

# task: status, failure_cause, exit_code, signal of each attempt
ENDS: dict[str, list[tuple[str, str | None, int | None, int | None]]] = {
    "shell": [("succeeded", None, None, None)],
    "shell_failed": [("failed", "exit_code", 3, None)],
    "storm": [("succeeded", None, None, None)],
    "retried": [("failed", "exit_code", 1, None), ("succeeded", None, None, None)],
    "timed_out": [("failed", "timeout", None, None)],
    "deferred": [("succeeded", None, None, None)],
    "rescheduled": [("succeeded", None, None, None)],
    "plain": [("succeeded", None, None, None)],
    "received": [("succeeded", None, None, None)],
    **{f"mapped[{n}]": [("succeeded", None, None, None)] for n in range(20)},
    "summed": [("succeeded", None, None, None)],
    "traced_above": [("succeeded", None, None, None)],
    "traced_below": [("succeeded", None, None, None)],
    "traced_native": [("succeeded", None, None, None)],
    "raised": [("failed", "unknown", None, None)],
    "skipped": [("succeeded", None, None, None)],
    "killed": [("failed", "signal", None, 9)],
    "exited": [("failed", "exit_code", 5, None)],
    "pool": [("succeeded", None, None, None)],
    "opened": [("succeeded", None, None, None)],
    "inside": [("succeeded", None, None, None)],
    "closed": [("succeeded", None, None, None)],
}


def test_one_record_for_each_attempt(everything: Everything) -> None:
    rows = everything.store.table("tasks", everything.run).to_pylist()
    attempts = sorted((row["task_id"], row["attempt"]) for row in rows)
    assert attempts == sorted(
        (task, n + 1) for task, ends in ENDS.items() for n in range(len(ends))
    )
    assert {row["run_id"] for row in rows} == {everything.run}


@pytest.mark.parametrize("task", [*(t for t in ENDS if "[" not in t), "mapped[7]"])
def test_how_each_ended(everything: Everything, task: str) -> None:
    found = [
        (row["status"], row["failure_cause"], row["exit_code"], row["signal"])
        for row in everything.attempts(task)
    ]
    if task in ("killed", "exited") and not KERNEL_TELLS:
        assert found == [("failed", "unknown", None, None)]
    else:
        assert found == ENDS[task]


def test_airflow_saw_the_same(everything: Everything) -> None:
    """Observing changed nothing: each task has the state that its code leads to."""
    ask = "select task_id, map_index, state from task_instance where dag_id = 'every_kind'"
    states = {(task, index): state for task, index, state in everything.airflow.query(ask)}
    assert everything.state == "failed"
    for task, ends in ENDS.items():
        name, _, index = task.rstrip("]").partition("[")
        expected = {"succeeded": "success", "failed": "failed"}[ends[-1][0]]
        if name == "skipped":
            expected = "skipped"
        assert states[name, int(index or -1)] == expected, task


def test_who_is_who(everything: Everything) -> None:
    row = everything.one("mapped[7]")
    assert (row["pipeline"], row["engine"], row["step"]) == ("every_kind", "airflow", "mapped")
    tags = row["tags"]
    assert tags["airflow_run_id"] == "everything"
    assert tags["operator"] == "@task"
    assert (tags["queue"], tags["pool"], tags["pool_slots"]) == ("default", "default_pool", "1")
    assert int(tags["priority_weight"]) >= 1
    assert everything.one("shell")["tags"]["operator"] == "BashOperator"
    assert everything.one("timed_out")["time_requested_s"] == 1.0
    runs = everything.store.runs().to_dict("records")
    (run,) = (row for row in runs if row["pipeline"] == "every_kind")
    assert (run["run_id"], run["pipeline"], run["status"]) == (
        "every_kind/everything", "every_kind", "failed",
    )  # fmt: skip


def test_what_the_decorators_asked_for(everything: Everything) -> None:
    above = everything.one("traced_above")
    assert (above["cpus_requested"], above["memory_requested_bytes"]) == (2.0, 2**30)
    assert (above["sample"], above["tags"]["team"]) == ("above", "blue")
    assert everything.one("traced_below")["sample"] == "below"
    assert everything.one("traced_native")["cpus_requested"] == 1.0
    assert everything.one("traced_native")["tags"]["operator"] == "@task.traced"


def test_waiting_in_the_queue_is_a_figure(everything: Everything) -> None:
    for row in everything.store.table("tasks", everything.run).to_pylist():
        if everything.airflow.major == 3 and row["task_id"] in ("deferred", "rescheduled"):
            continue  # Airflow keeps the last time that it was queued, which is not the first
        assert row["submitted_at"] is not None, row["task_id"]
        assert row["submitted_at"] <= row["started_at"], row["task_id"]


def test_what_was_paused_is_one_attempt(everything: Everything) -> None:
    for task in ("deferred", "rescheduled"):
        kinds = [kind for kind, _ in everything.events(task)]
        assert kinds.count("attached") == 2, task
        assert kinds.count("resumed") == 1, task
        row = everything.one(task)
        lasted = (row["ended_at"] - row["started_at"]).total_seconds()
        assert row["wall_s"] < lasted, "the time in which it held no process counts for nothing"
    assert everything.one("deferred")["cpu_s"] > 0.45


def test_pages_of_a_failure_say_what_was_raised(everything: Everything) -> None:
    noted = {kind: json.loads(detail) for kind, detail in everything.events("raised")}
    assert noted["engine"]["error"] == "ValueError"
    assert "secret" not in json.dumps(noted)
    skipped = {kind: json.loads(detail) for kind, detail in everything.events("skipped")}
    assert skipped["engine"] == {"state": "skipped"}


def test_a_storm_is_counted(everything: Everything) -> None:
    row = everything.one("storm")
    if everything.privileged:
        assert STORM + 1 <= row["process_count"] <= STORM + 4
        assert row["process_count_source"] != "estimated"
    else:  # a bound from the host's fork counter and the CPU time
        assert row["process_count"] > 0
        assert row["cpu_s"] > 0.5
    assert row["cpu_s"] > STORM * 2e-4


def test_a_pool_counts_with_its_task(everything: Everything) -> None:
    row = everything.one("pool")
    assert 4 * 0.25 * 0.9 < row["cpu_s"] < 4 * 0.25 + 1.5
    # Since Airflow 3.2 its processes may not be looked into: who was forked is only seen by looking
    told = everything.privileged or everything.airflow.major == 2
    assert row["process_count"] >= (5 if told else 1)


@pytest.mark.parametrize("run", [UNWATCHED, BLOCKED])
def test_tasks_whose_monitor_or_store_is_gone_succeed(everything: Everything, run: str) -> None:
    assert everything.airflow.wait_for_run(*run.split("/")) == "success"


def test_what_is_left_of_a_task_whose_monitor_was_killed(everything: Everything) -> None:
    rows = everything.airflow.wait_for_ingest(UNWATCHED).table("tasks", UNWATCHED).to_pylist()
    assert {row["task_id"]: row["status"] for row in rows} == {
        "above": "succeeded",
        "below": "succeeded",
        "skipped": "succeeded",
        "monitor_killed": "lost",
        "plain": "succeeded",
    }


def test_nothing_is_left_of_a_run_that_could_not_be_written(everything: Everything) -> None:
    assert BLOCKED not in set(everything.store.runs()["run_id"])
    (blocked,) = everything.airflow.store.glob("spool/*blocked")
    assert blocked.is_file()


def test_memory_is_told_with_what_was_there_before(everything: Everything) -> None:
    row = everything.one("plain")
    noted = {kind: json.loads(detail) for kind, detail in everything.events("plain")}
    before = noted["attached"]["memory_bytes"]
    assert 0 < before <= row["memory_peak_bytes"]
    assert row["observer_memory_bytes"] < 25 * 2**20


def test_what_could_not_be_read_is_said(everything: Everything) -> None:
    row = everything.one("plain")
    noted = everything.events("plain")
    degraded = [json.loads(detail)["what"] for kind, detail in noted if kind == "degraded"]
    if everything.privileged or everything.airflow.major == 2:
        assert "io" not in degraded
        assert row["io_read_chars"] is not None
    else:  # since Airflow 3.2 its processes may not be looked into
        assert "io" in degraded
        assert row["io_read_chars"] is None
    # the process's own count, where nobody else may know
    assert row["disk_write_bytes"] is not None


def test_tune_takes_a_dag_run(everything: Everything) -> None:
    store = everything.airflow.store
    done = tracer_hooks("tune", everything.run, "--for", "airflow", "--store", store)
    assert done.returncode == 0, done.stderr
    compile(done.stdout, "sizes.py", "exec")
    assert '"mapped": {' in done.stdout, "it ran twenty times"


def test_compare_takes_dag_runs(everything: Everything) -> None:
    store = everything.airflow.store
    done = tracer_hooks("compare", *TWICE, "--format", "json", "--store", store)
    assert done.returncode == 0, done.stderr
    compared = json.loads(done.stdout)
    assert compared["runs"] == {"a": [TWICE[0]], "b": [TWICE[1]]}
    assert {row["step"] for row in compared["steps"]} == {"only"}


def test_airflow_reads_the_example(everything: Everything) -> None:
    ask = everything.airflow.query
    assert ("reads_qc",) in ask("select dag_id from dag")
    assert ask("select filename, stacktrace from import_error") == []
