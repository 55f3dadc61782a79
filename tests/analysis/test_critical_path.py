"""The chain of attempts that the run's end had to wait for, as far as it was seen."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.synthetic import RUN, START, table, task
from tracer_hooks.analysis.tables import records, relations
from tracer_hooks.analysis.verdicts import verdicts

BUSY = {"cpu_user_s": 1.0, "cpu_system_s": 0.0}


def attempt(name: str, start: float, end: float, **columns: Any) -> dict[str, Any]:
    waits = columns.pop("waits", (end - start, 0.0, 0.0, 0.0, 0.0))
    return task(name, step=name, at=start, waits=waits, cpu_s=waits[0], **BUSY | columns)


def path(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    found = verdicts(relations({"tasks": table("tasks", list(rows))}, RUN))
    return records(found.critical_path)


def test_backwards_from_the_last_end() -> None:
    found = path(
        attempt("fetch", 0, 10), attempt("aside", 1, 14), attempt("align", 11, 30),
        attempt("short", 11, 12), attempt("report", 30.5, 33),
    )  # fmt: skip
    assert [row["task_id"] for row in found] == ["fetch", "align", "report"]
    assert [row["wait_before_s"] for row in found] == pytest.approx([0.0, 1.0, 0.5])


def test_what_started_late_waited_for_the_engine() -> None:
    found = path(attempt("early", 0, 1), attempt("late", 60, 70))
    assert found[1]["wait_before_s"] == pytest.approx(59.0)


def test_the_first_waits_from_the_first_start() -> None:
    found = path(attempt("early", 0, 100), attempt("late", 5, 101))
    assert [row["task_id"] for row in found] == ["late"]
    assert found[0]["wait_before_s"] == pytest.approx(5.0)


def test_who_did_not_end_is_not_on_it() -> None:
    lost = attempt("lost", 0, 50, status="lost")
    assert [row["task_id"] for row in path(lost | {"ended_at": None}, attempt("a", 0, 2))] == ["a"]
    assert path(lost | {"ended_at": None}) == []


def test_attempts_that_took_no_time_do_not_go_in_circles() -> None:
    rows = [attempt(f"t{n}", 5, 5) for n in range(4)]
    assert [row["task_id"] for row in path(*rows)] == ["t0", "t1", "t2", "t3"]


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), min_size=1, max_size=20))
def test_it_reaches_from_the_first_start_to_the_last_end(spans: list[tuple[int, int]]) -> None:
    rows = [attempt(f"t{n}", s, s + length) for n, (s, length) in enumerate(spans)]
    found = path(*rows)
    first, last = min(s for s, _ in spans), max(s + length for s, length in spans)
    assert (found[-1]["ended_at"] - START).total_seconds() == last
    for one, other in pairwise(found):
        assert one["ended_at"] <= other["started_at"]
    assert all(row["wait_before_s"] >= 0 for row in found)
    whole = sum(row["wait_before_s"] + row["wall_s"] for row in found)
    assert whole == pytest.approx(last - first)


def run_of(*rows: dict[str, Any]) -> Any:
    return verdicts(relations({"tasks": table("tasks", list(rows))}, RUN)).run


def test_the_run_is_what_most_of_the_path_says_not_most_of_the_time() -> None:
    asleep = {"waits": (0.0, 0.0, 0.0, 0.0, 10.0)}
    beside = [attempt(f"aside{n}", 0, 10, **asleep) for n in range(9)]
    run = run_of(*beside, attempt("first", 0, 20), attempt("second", 20, 40))
    assert (run["label"], run["step"]) == ("cpu_bound", "first")
    assert run["evidence"]["label_share"] == pytest.approx(1.0)
    assert run["evidence"]["sum_label"] == "idle"
    assert run["evidence"]["sum_share"] == pytest.approx(90 / 130)


def test_a_run_that_mostly_waits_between_tasks_is_idle() -> None:
    run = run_of(attempt("a", 0, 2), attempt("b", 30, 32))
    assert run["label"] == "idle"
    assert run["evidence"]["between_share"] == pytest.approx(28 / 32)


def test_a_path_without_a_half_is_uncertain() -> None:
    run = run_of(
        attempt("a", 0, 10), attempt("b", 10, 20, waits=(0.0, 0.0, 10.0, 0.0, 0.0)),
        attempt("c", 20, 30, waits=(0.0, 0.0, 0.0, 0.0, 10.0)),
    )  # fmt: skip
    assert run["label"] == "uncertain"
    assert run["evidence"]["label_share"] == pytest.approx(1 / 3)


def test_a_run_of_nothing() -> None:
    run = run_of()
    assert (run["label"], run["step"], run["evidence"]["path_s"]) == ("uncertain", None, None)
