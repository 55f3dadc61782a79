"""What pages list under what stands out: nothing twice, and no verdict is left out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from analysis.synthetic import MIB, RUN, START, table, task

from tracer_hooks.analysis.summary import RunReport, summarise
from tracer_hooks.report.opening import opening
from tracer_hooks.report.points import Point, points
from tracer_hooks.report.sentences import SENTENCES
from tracer_hooks.report.verdict_text import dashboard_sentence, run_sentences


def of(*rows: dict[str, Any], **tables: list[dict[str, Any]]) -> RunReport:
    others = {name: table(name, one) for name, one in tables.items()}
    return summarise({"tasks": table("tasks", list(rows)), **others}, RUN)


def waiting(step: str, *waits: float, **columns: Any) -> dict[str, Any]:
    used = {"cpu_s": waits[0], "cpu_user_s": waits[0], "cpu_system_s": 0.0, "reading_count": 100}
    return task(step, step=step, waits=waits, **{**used, **columns})


def kinds(report: RunReport) -> list[str]:
    return [point.kind for point in points(report)]


def test_what_the_headline_says_of_the_run_is_not_said_again() -> None:
    report = of(waiting("a", 3.0, 7.0, 0.0, 0.0, 0.0))
    assert report.verdicts.run["label"] == "cpu_contended"
    assert "waited_for_core" in {finding.kind for finding in report.findings}
    assert "waited_for_core" not in kinds(report)


def test_contention_is_told_where_the_headline_is_another() -> None:
    report = of(waiting("a", 6.0, 1.0, 0.0, 0.0, 0.0))
    assert report.verdicts.run["label"] != "cpu_contended"
    assert "waited_for_core" in kinds(report)


def test_the_host_is_told_once_and_by_the_opening() -> None:
    hosts = [
        {"host": "n", "at": START + dt.timedelta(seconds=at), "cpu_user_s": busy,
         "cpu_system_s": 0.0, "cpu_idle_s": at - busy, "cpu_iowait_s": 0.0}
        for at, busy in ((0, 0.0), (100, 95.0))
    ]  # fmt: skip
    report = of(waiting("a", 1.0, 0.0, 0.0, 0.0, 9.0), hosts=hosts)
    assert dashboard_sentence(report.dashboard)
    assert "host_against_tasks" in {finding.kind for finding in report.findings}
    assert "host_against_tasks" not in kinds(report)


def test_a_verdict_without_a_finding_is_a_point() -> None:
    """Memory at a group's limit that nobody asked for: no request to compare it with."""
    oom = {"task_id": "a", "attempt": 1, "at": START, "kind": "oom", "detail": "{}",
           "spool": "a.1.x"}  # fmt: skip
    report = of(waiting("a", 9.9, 0.0, 0.1, 0.0, 0.0, memory_requested_bytes=None), events=[oom])
    assert [(p.kind, p.subject) for p in points(report)] == [
        ("out_of_memory", ""), ("memory_bound", "a"),
    ]  # fmt: skip
    (said,) = [p for p in points(report) if p.kind == "memory_bound"]
    assert said.said.startswith(" is memory-bound: out of memory 1 time")
    assert said.advice.startswith("Memory ran out")


def test_a_step_that_computes_is_no_point() -> None:
    assert points(of(waiting("a", 9.9, 0.0, 0.1, 0.0, 0.0, cpus_requested=1.0))) == []


def test_who_sleeps_is_not_told_to_start_threads() -> None:
    asleep = waiting("a", 0.1, 0.0, 0.0, 0.0, 9.9, cpus_requested=4.0)
    report = of(asleep)
    assert report.verdicts.run["label"] == "idle"
    assert "cores_unused" not in kinds(report)
    assert "idle" in kinds(report)


def test_what_is_to_be_typed_names_the_run() -> None:
    report = of(waiting("a", 9.9, 0.0, 0.1, 0.0, 0.0, status="failed", failure_cause="exit_code"))
    first: Point = points(report)[0]
    assert first.advice.startswith(f"`tracer-hooks show {RUN} a`")


def test_who_waits_for_cores_that_others_have_is_told_so() -> None:
    hosts = [
        {"host": "n", "at": START + dt.timedelta(seconds=at), "cpu_user_s": busy,
         "cpu_system_s": 0.0, "cpu_idle_s": 0.0, "cpu_iowait_s": 0.0}
        for at, busy in ((0, 0.0), (10, 20.0))
    ]  # fmt: skip
    for cpu_s, waits, told in (
        (3.0, (3.0, 7.0, 0.0, 0.0, 0.0), True),  # waited, and others had the cores
        (18.0, (3.0, 7.0, 0.0, 0.0, 0.0), False),  # its own threads had them
        (3.0, (9.9, 0.1, 0.0, 0.0, 0.0), False),  # it waited for no core
    ):
        report = of({**waiting("a", *waits), "cpu_s": cpu_s}, hosts=hosts)
        assert ("look for what else runs" in " ".join(run_sentences(report))) is told


@pytest.mark.parametrize(
    ("peak", "said"),
    [(97, "97 % of the 100 MiB asked for."), (130, "30 % more than the 100 MiB asked for."),
     (1079, "10.8 times the 100 MiB asked for.")],
)  # fmt: skip
def test_more_memory_than_was_asked_for_is_no_share_of_it(peak: int, said: str) -> None:
    evidence = {"memory_requested_bytes": 100 * MIB, "memory_peak_bytes": peak * MIB,
                "used_share": peak / 100}  # fmt: skip
    assert SENTENCES["memory_tight"](evidence).endswith(said)


def test_a_run_of_no_pipeline_is_named_once() -> None:
    named, nameless = (
        summarise({"tasks": table("tasks", [{**task(), "pipeline": pipeline}])}, RUN)
        for pipeline in ("rnaseq", None)
    )
    assert RUN in opening(named).outcome
    assert opening(nameless).name == RUN
    assert RUN not in opening(nameless).outcome
