"""Runs to export: one in full, one with hostile names, one of which hardly anything is known."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from analysis.synthetic import MIB, START, one_task, process, sequencing_run, table, task
from report.conftest import HOSTILE

Tables = dict[str, pa.Table]


def at(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


@pytest.fixture(scope="session")
def full() -> Tables:
    """The task of a minute, a task that failed and was tried again, and the host's readings."""
    one, run = one_task(), sequencing_run(2)
    spool = {"task_id": "t2", "spool": "t2.1.x"}
    more = [
        task("t2", attempt=1, at=70.0, status="failed", signal=9, failure_cause="oom"),
        task("t2", attempt=2, at=90.0, spool="t2.2.x"),
    ]
    events = [
        {**spool, "attempt": 1, "at": at(79.0), "kind": "oom", "detail": '{"comm": "sort"}'},
        {**spool, "attempt": 1, "at": at(80.0), "kind": "signal", "detail": '{"signal": 9}'},
    ]
    # One of its processes has figures of its own over time.
    readings = [
        {"task_id": "t1", "attempt": 1, "process_id": 2, "elapsed_s": float(second),
         "cpu_s": second / 2, "memory_bytes": second * MIB, "spool": "t1.1.x"}
        for second in range(1, 40)
    ]  # fmt: skip
    return {
        "runs": run["runs"],
        "hosts": run["hosts"],
        "tasks": pa.concat_tables([one["tasks"], table("tasks", more)]),
        "processes": one["processes"],
        "readings": pa.concat_tables([one["readings"], table("readings", readings)]),
        "tools": one["tools"],
        "events": pa.concat_tables([one["events"], table("events", events)]),
    }


@pytest.fixture(scope="session")
def hostile() -> Tables:
    """Every name is hostile, processes are their own parents, and go in circles."""
    names = [*HOSTILE, "\x00", "a" * 100_000]
    tasks, processes, events = [], [], []
    for place, name in enumerate(names):
        key = {"task_id": name, "spool": str(place)}
        tasks.append(task(name, step=name, task_name=name, host=name, command=name, at=place,
                          spool=str(place), cpu_unattributed_s=0.0))  # fmt: skip
        for number, parent in ((1, 2), (2, 1), (3, 3), (4, 99)):
            processes.append(process(number, parent, name, argv=[name], cpu_s=0.5, **key))
        events.append({**key, "attempt": 1, "at": at(1.0), "kind": name, "detail": name})
    found: dict[str, list[dict[str, Any]]] = {
        "tasks": tasks, "processes": processes, "events": events,
    }  # fmt: skip
    return {name: table(name, rows) for name, rows in found.items()}


@pytest.fixture(scope="session")
def unknown() -> Tables:
    """A task that never began, one that is lost, one of which only the start is known."""
    nothing = {name: None for name, value in task().items() if not isinstance(value, str)}
    rows: list[dict[str, Any]] = [
        {**task("t1"), **nothing, "attempt": 1, "status": "lost"},
        {**task("t2"), **nothing, "attempt": None, "started_at": START, "status": "running"},
    ]
    processes = [
        process(1, None, "x", task_id="t2", spool="t2.1.x"),
        process(2, 1, "y", task_id="t2", spool="t2.1.x"),
    ]
    for row in processes:
        row.update(started_at=None, ended_at=None, cpu_s=None, tool=None, pid=None, attempt=None)
    processes[1]["started_at"] = START
    return {"tasks": table("tasks", rows), "processes": table("processes", processes)}


@pytest.fixture(params=["full", "hostile", "unknown", "empty"])
def any_run(request: pytest.FixtureRequest) -> Tables:
    found: Tables = {} if request.param == "empty" else request.getfixturevalue(request.param)
    return found
