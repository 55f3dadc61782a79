"""Counters: each attempt once, whatever dies; they never fall, and end at what the attempts had."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.live.following import (
    NOW,
    append,
    crash,
    in_this_process,
    ingest,
    value,
    watched,
    watcher,
)
from tests.store import spools
from tracer_hooks.live import catch_up, fleet
from tracer_hooks.live.attempt import Attempt

CPU = "tracer_task_cpu_time_seconds_total"
ENDED = "tracer_task_attempts_total"
USER = {"cpu_user_s": 1.0, "cpu_system_s": 0.5, "cpu_s": 1.5}


@pytest.fixture
def quick_parquet(monkeypatch: pytest.MonkeyPatch) -> None:
    in_this_process(monkeypatch)


def test_an_attempt_is_counted_while_it_runs_and_once_when_it_ended(tmp_path: Path) -> None:
    path = spools.write(tmp_path, [spools.card_line()])
    with watched(tmp_path) as found:
        found.look(NOW)
        assert value(found, "tracer_task_active", step="align") == 1
        assert value(found, CPU) == 0
        append(path, spools.reading_line(2.0, **USER))
        found.look(NOW + 1)
        assert value(found, CPU, mode="user") == 1.0
        assert value(found, ENDED) == 0
        append(path, *spools.process_lines(), spools.sealed_line(cpu_user_s=3.0, cpu_system_s=1.0))
        found.look(NOW + 2)
        found.look(NOW + 3)
        assert value(found, CPU, mode="user") == 3.0
        assert value(found, ENDED, status="succeeded", pipeline="rna", engine="snakemake") == 1
        assert value(found, "tracer_task_active") is None
        assert value(found, "tracer_tool_cpu_time_seconds_total", tool="bwa mem") == 0.9
        assert value(found, "tracer_task_duration_seconds_bucket", le="5.0") == 1


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    spools.write(tmp_path, spools.attempt("a", ended_at=NOW))
    running = spools.write(tmp_path, [spools.card_line("b"), spools.reading_line(2.0, **USER)])
    first = watcher(tmp_path)
    first.look(spools.START + 2)
    before = value(first, CPU)
    crash(first)
    with watched(tmp_path) as found:
        found.look(spools.START + 3)
        assert value(found, CPU) == before == 1.2 + 1.5
        append(running, spools.sealed_line(**USER))
        found.look(spools.START + 4)
        assert value(found, CPU) == before
        assert value(found, ENDED) == 2


def test_what_was_ingested_unseen_is_counted(tmp_path: Path) -> None:
    with watched(tmp_path) as found:
        found.look(NOW)
    lines = spools.attempt("a")
    oom = {"t": "e", "at": spools.START, "kind": "oom", "detail": {}}
    spools.write(tmp_path, [*lines[:-1], oom, lines[-1]])
    ingest(tmp_path)
    with watched(tmp_path) as found:
        found.look(NOW + 10)  # in a process of its own
        assert value(found, ENDED, status="succeeded") == 1
        assert value(found, "tracer_task_oom_kills_total") == 1
        assert value(found, "tracer_tool_processes_total", tool="bwa mem") == 1


def test_what_ended_before_anybody_counted_is_the_past(tmp_path: Path) -> None:
    spools.write(tmp_path, spools.attempt("a"))
    ingest(tmp_path)
    spools.write(tmp_path, spools.attempt("b"))  # a day old, not ingested
    with watched(tmp_path) as found:
        found.look(spools.START + 86_400)
        assert value(found, ENDED) is None


def test_a_new_step_begins_at_zero(tmp_path: Path) -> None:
    with watched(tmp_path) as found:
        found.look(NOW)
        spools.write(tmp_path, spools.attempt("a"))
        found.look(NOW + 1)
        assert value(found, ENDED, hold_s=30.0) == 0.0
        found.look(NOW + 32)
        assert value(found, ENDED, hold_s=30.0) == 1.0


def test_too_many_steps_are_counted_together(tmp_path: Path) -> None:
    with watched(tmp_path, most={"step": 3}) as found:
        for number in range(10):
            lines = spools.attempt(f"t{number}", card={"step": f"s{number}"})
            spools.write(tmp_path, lines)
            found.look(NOW + number)
        assert value(found, ENDED) == 10
        assert value(found, ENDED, step="other") == 7
        assert found.ledger.groups["step"].folded == 3  # not told apart beyond the bound
    with watched(tmp_path, most={"step": 3}) as found:
        found.look(NOW + 20)
        assert value(found, ENDED, step="other") == 7


def test_names_that_are_no_text_are_counted_under_the_names_of_tables(
    tmp_path: Path,
) -> None:
    no_text = {"step": "latin-\udce9", "pipeline": "half \ud83d", "task_name": "\udcff"}
    spools.write(tmp_path, spools.attempt("a", ended_at=NOW, card=no_text))
    spools.write(tmp_path, [spools.card_line("b", card=no_text), spools.reading_line(2.0, **USER)])
    for _ in range(2):  # and a restart finds them
        with watched(tmp_path) as found:
            found.look(NOW + 1)
            kept = {"step": "latin-\\xe9", "pipeline": "half \\ud83d"}
            assert value(found, ENDED, **kept) == 1
            assert value(found, "tracer_task_active", **kept) == 1


def test_failures_are_told_by_cause_and_retries_counted(tmp_path: Path) -> None:
    failed = spools.sealed_line(status="failed", exit_code=1, failure_cause="oom")
    with watched(tmp_path) as found:
        found.look(NOW)
        spools.write(tmp_path, [spools.card_line(card={"attempt": 2}), failed])
        found.look(NOW + 1)
        assert value(found, "tracer_task_failures_total", cause="oom") == 1
        assert value(found, "tracer_task_retries_total") == 1
        assert value(found, "tracer_task_duration_seconds_count") == 0


def test_a_lost_attempt_is_counted_as_lost(tmp_path: Path) -> None:
    gone = spools.card_line(observer=spools.gone_observer())
    with watched(tmp_path) as found:
        found.look(NOW)
        spools.write(tmp_path, [gone, spools.reading_line(2.0, **USER)])
        found.look(NOW + 10)
        assert value(found, ENDED, status="lost") == 1
        assert value(found, CPU) == 1.5


class Told:
    """Who is told of attempts that ended: their tasks, and whether their processes are known."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, bool]] = []

    def attempt_ended(self, attempt: Attempt, processes: Any, _in_run: bool) -> None:
        self.ended.append((attempt.task_id, bool(processes and processes["p"])))

    def run_ended(self, *_: Any) -> None:
        raise AssertionError("there is no run")


def test_who_ends_while_its_life_is_asked_for_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watched(tmp_path) as found:
        found.look(NOW)
        found.listeners.append(told := Told())
        path = spools.write(tmp_path, spools.attempt("a")[:-1])

        def asked(*_: Any) -> str:
            append(path, spools.sealed_line())
            return "gone"

        monkeypatch.setattr(fleet, "observer_life", asked)
        found.look(NOW + 10)
        assert value(found, ENDED, status="succeeded") == 1
        assert told.ended == [("a", True)]


@pytest.mark.usefixtures("quick_parquet")
def test_what_has_a_spool_is_counted_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watched(tmp_path) as found:
        found.look(NOW)
        found.listeners.append(told := Told())
        spools.write(tmp_path, spools.attempt("a"))
        ingest(tmp_path)
        looked = catch_up.uncounted

        def later(*of: Any) -> Any:
            spools.write(tmp_path, spools.attempt("b"))  # since its folder was listed
            yield from looked(*of)

        monkeypatch.setattr(catch_up, "uncounted", later)
        found.look(NOW + 20)
        assert told.ended == [("a", False)]
        found.look(NOW + 40)
        assert told.ended == [("a", False), ("b", True)]


STEPS = st.sampled_from(["start", "read", "seal", "ingest", "look", "restart"])


@pytest.mark.usefixtures("quick_parquet")
@settings(max_examples=25, suppress_health_check=[])
@given(steps=st.lists(STEPS, max_size=14))
def test_counters_never_fall_and_end_at_the_sum(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        found = watcher(store)
        now = NOW
        found.look(now)
        running: list[tuple[Path, float]] = []
        names = iter(range(100))
        sealed = 0
        expected = shown = 0.0
        for step in [*steps, "ingest", "look"]:
            now += 20
            if step == "start":
                path = spools.write(store, [spools.card_line(f"t{next(names)}")])
                running.append((path, 0.0))
            elif step == "read" and running:
                path, elapsed = running.pop()
                append(path, spools.reading_line(elapsed + 1, cpu_user_s=elapsed + 1))
                running.append((path, elapsed + 1))
            elif step == "seal" and running:
                path, elapsed = running.pop(0)
                total = elapsed + 0.5
                append(path, spools.sealed_line(cpu_user_s=total, cpu_system_s=0.0, cpu_s=total))
                sealed += 1
                # What a reading has said stands, also where the end says less.
                expected += total
            elif step == "ingest":
                ingest(store)
            elif step == "look":
                found.look(now)
            elif step == "restart":
                crash(found)
                found = watcher(store)
                found.look(now)
            if step in ("look", "restart"):
                figure = value(found, CPU, mode="user") or 0.0
                assert figure >= shown
                shown = figure
        expected += sum(elapsed for _, elapsed in running)
        assert value(found, CPU, mode="user") in (None, pytest.approx(expected))
        assert (value(found, ENDED) or 0) == sealed
        found.close()
