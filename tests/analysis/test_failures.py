"""What went wrong, who likely did it, and what it took: from tables."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from analysis.synthetic import GIB, MIB, RUN, START, process, sequencing_run, table, task
from tracer_hooks.analysis.failure_evidence import explain
from tracer_hooks.analysis.failures import Failures, failures
from tracer_hooks.analysis.tables import records, relations


def of(
    rows: list[dict[str, Any]], *events: tuple[str, Any], **others: list[dict[str, Any]]
) -> Failures:
    """The failures of these tasks; events are of `t1`."""
    told = [
        {"task_id": "t1", "attempt": 1, "at": START, "kind": kind, "spool": "t1.1.x",
         "detail": detail if isinstance(detail, str) else json.dumps(detail)}
        for kind, detail in events
    ]  # fmt: skip
    tables = {"tasks": table("tasks", rows), "events": table("events", told)}
    tables |= {name: table(name, more) for name, more in others.items()}
    return failures(relations(tables, RUN))


def evidence(row: dict[str, Any], *events: tuple[str, Any], **others: Any) -> dict[str, Any]:
    (failed,) = records(of([row], *events, **others).attempts)
    return explain(failed)


def bad(cause: str = "signal", status: str = "failed", **columns: Any) -> dict[str, Any]:
    return task(**{"status": status, "exit_code": None, "failure_cause": cause, **columns})


def who(found: dict[str, Any]) -> tuple[str, str]:
    return found["sender"]["who"], found["sender"]["certainty"]


def test_a_sender_that_was_seen() -> None:
    sent = {"signal": 15, "sender": "bash", "sender_pid": 7, "sender_uid": 1000}
    found = evidence(bad("cancelled", "cancelled", exit_code=1), ("failure", {"received": [sent]}))
    assert who(found) == ("process", "seen")
    assert (found["sender"]["name"], found["sender"]["pid"]) == ("bash", 7)


def test_ctrl_c_and_a_closed_terminal_come_from_the_kernel() -> None:
    row = bad("cancelled", "cancelled", signal=2)
    assert who(evidence(row, ("failure", {"received": [{"signal": 2}]}))) == ("terminal", "likely")
    assert who(evidence(row, ("failure", {"received": [{"signal": 1}]}))) == ("hangup", "likely")


def test_an_engine_that_stops_cancels_its_tasks_together() -> None:
    sent = {"signal": 15, "sender": "python3.11", "sender_pid": 7, "sender_uid": 0}
    rows = [
        bad("cancelled", "cancelled", task_id=f"t{n}", spool=f"t{n}.1.x", at=at)
        for n, at in ((1, 0.0), (2, 1.0), (3, 60.0))
    ]
    first, second, third = records(of(rows, ("failure", {"received": [sent]})).attempts)
    assert [row["together_count"] for row in (first, second, third)] == [1, 1, 0]
    assert who(explain(first)) == ("engine", "likely")
    assert explain(first)["sender"]["together"] == 1


@pytest.mark.parametrize(
    ("signal", "expected"), [(11, "kernel_fault"), (6, "itself"), (13, "closed_pipe"),
                             (25, "kernel_limit"), (9, "unknown")],
)  # fmt: skip
def test_signals_that_tell_who_sent_them(signal: int, expected: str) -> None:
    found = evidence(bad(signal=signal), ("failure", {"signal": signal, "oom_counters": ["x"]}))
    assert who(found) == (expected, "unknown" if expected == "unknown" else "likely")


def test_out_of_memory_names_victim_and_limit() -> None:
    found = evidence(
        bad("oom", signal=9, memory_requested_bytes=2 * GIB),
        ("limit", {"memory_bytes": GIB}),
        ("oom", {"own": True, "pid": 77, "comm": "sort", "memory_peak_bytes": 900 * MIB}),
        ("failure", {"oom_kills": 1, "oom_counters": ["memory.events"]}),
    )
    assert who(found) == ("kernel_oom", "seen")
    assert found["oom"] == {
        "kill_count": 1, "scope": "task", "counter": None, "victim": "sort", "pid": 77,
        "memory_peak_bytes": 900 * MIB, "limit_bytes": GIB,
    }  # fmt: skip


def test_killed_at_its_limit_is_likely_for_memory_unless_it_was_watched() -> None:
    row = bad(signal=9, memory_requested_bytes=GIB, memory_peak_bytes=GIB - MIB)
    assert who(evidence(row, ("failure", {"signal": 9}))) == ("kernel_oom", "likely")
    watched = ("failure", {"signal": 9, "oom_counters": ["x"]})
    assert who(evidence(row, watched)) == ("unknown", "unknown")
    low = {**row, "memory_peak_bytes": MIB}
    assert who(evidence(low, ("failure", {"signal": 9}))) == ("unknown", "unknown")


def test_a_kill_that_the_task_itself_started() -> None:
    rows = [process(1, None, "bash", lived=10.0), process(2, 1, "pkill", at=9.0)]
    found = evidence(bad(signal=9), ("failure", {"signal": 9}), processes=rows)
    assert who(found) == ("own_process", "likely")
    assert found["sender"]["name"] == "pkill"


def test_a_shells_status_is_a_signal_only_with_a_body() -> None:
    row = bad("exit_code", exit_code=137)
    assert evidence(row)["signal"] is None
    dead = [process(2, None, "sort", at=9.5, lived=0.4, signal=9)]
    found = evidence(row, ("failure", {}), processes=dead)
    assert (found["signal"], found["signal_by"]) == (9, "shell")
    assert found["killed"]["tool"] == "sort"


def test_workers_that_are_ended_every_day_are_no_evidence() -> None:
    row = bad("exit_code", exit_code=3)
    ended = [process(2, None, "python", at=9.5, lived=0.4, signal=15)]
    assert evidence(row, processes=ended)["killed"] is None
    long_ago = [process(2, None, "python", at=1.0, lived=0.4, signal=9)]
    assert evidence(row, processes=long_ago)["killed"] is None


def test_a_lost_task_says_whether_its_host_lived_on() -> None:
    lost = task(status="lost", ended_at=None, exit_code=None)
    readings = [
        {"task_id": "t1", "attempt": 1, "at": START + dt.timedelta(seconds=s), "elapsed_s": s,
         "cpu_s": s / 2, "memory_bytes": int(s) * MIB, "processes": 3, "spool": "t1.1.x"}
        for s in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
    ]  # fmt: skip
    found = of([lost], readings=readings)
    (row,) = records(found.attempts)
    shown = explain(row)
    assert shown["cause"] == "lost"
    assert shown["lost"]["host_lived_on"] is None
    assert shown["last_reading"]["memory_bytes"] == 7 * MIB
    assert found.last_readings["elapsed_s"].tolist() == [3.0, 4.0, 5.0, 6.0, 7.0]
    assert found.last_readings["cores"].tolist() == [0.5] * 5
    hosts = [{"host": "node1", "at": START + dt.timedelta(seconds=67)}]
    (row,) = records(of([lost], readings=readings, hosts=hosts).attempts)
    assert explain(row)["lost"]["host_lived_on_s"] == 60.0
    assert explain(row)["lost"]["host_lived_on"] is True


def test_groups_and_retries_say_what_was_spent_in_vain() -> None:
    found = failures(relations(sequencing_run(), RUN))
    groups = records(found.groups)
    assert [(g["step"], g["status"], g["unrecovered_count"]) for g in groups] == [
        ("align", "lost", 0), ("sort", "failed", 0),
    ]  # fmt: skip
    assert sum(g["wall_s"] for g in groups) == pytest.approx(found.attempts["wall_s"].sum())
    assert sum(g["cpu_s"] for g in groups) == pytest.approx(found.attempts["cpu_s"].sum())
    tried = {row["task_id"]: row for row in records(found.retries)}
    assert set(tried) == {"align/S06", "sort/S04"}
    assert tried["sort/S04"]["causes"] == "oom"
    assert tried["sort/S04"]["final_status"] == "succeeded"
    assert all(explain(row)["recovered"] for row in records(found.attempts))


def test_what_stopped_the_run_comes_first() -> None:
    rows = [
        bad("exit_code", task_id="a", spool="a1", exit_code=1, step="first", wall_s=900.0),
        task("a", attempt=2, spool="a2", step="first", at=20.0),
        bad("exit_code", task_id="b", spool="b1", exit_code=2, step="second", wall_s=1.0),
    ]
    groups = records(of(rows).groups)
    assert [(g["step"], g["unrecovered_count"]) for g in groups] == [("second", 1), ("first", 0)]


BROKEN: list[Any] = [
    "", "null", "[]", "{", '"x"', {"received": 3}, {"received": [3]}, {"received": [{}]},
    {"oom_kills": "x", "timeout_s": "soon", "timeout_by": 3}, {"oom_counters": 1},
]  # fmt: skip


@pytest.mark.parametrize("detail", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("cause", ["signal", "oom", "timeout", "cancelled", "exit_code"])
def test_broken_details_are_no_evidence_and_no_error(detail: Any, cause: str) -> None:
    kinds = ("failure", "oom", "signal", "limit")
    found = evidence(bad(cause, signal=9), *((kind, detail) for kind in kinds))
    assert found["cause"] == cause
    json.dumps(found, default=str)
