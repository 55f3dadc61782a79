"""What is said of a run, and what is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from analysis.synthetic import (
    GIB,
    MIB,
    RUN,
    START,
    outbreak_typing,
    sequencing_run,
    table,
    task,
)
from tracer_hooks.analysis import findings, signals, thresholds
from tracer_hooks.analysis.summary import measure, summarise
from tracer_hooks.analysis.tables import relations
from tracer_hooks.report import markdown, terminal
from tracer_hooks.report.sentences import plain

if TYPE_CHECKING:
    from tracer_hooks.analysis.findings import Finding

QUIET = {"waits": (9.8, 0.0, 0.1, 0.0, 0.1), "cpu_s": 9.8, "cpu_unattributed_s": 0.0,
         "cpus_requested": 1.0, "memory_requested_bytes": GIB,
         "short_process_count": 0}  # fmt: skip


def found(*tasks: dict[str, Any], **tables: list[dict[str, Any]]) -> dict[str, Finding]:
    rows = {name: table(name, rows) for name, rows in tables.items()}
    measured = measure(relations({"tasks": table("tasks", list(tasks)), **rows}, RUN))
    return {finding.kind: finding for finding in findings.findings(measured)}


def quiet(task_id: str = "t1", **columns: Any) -> dict[str, Any]:
    return task(task_id, **{**QUIET, **columns})


def test_a_task_that_uses_what_it_asked_for_is_not_worth_a_word() -> None:
    assert found(quiet()) == {}


FACTS: dict[str, dict[str, Any]] = {
    "blocked_on_disk": {"waits": (4.0, 0.0, 6.0, 0.0, 0.0)},
    "waited_for_network": {"waits": (4.0, 0.0, 0.0, 6.0, 0.0)},
    "idle": {"waits": (4.0, 0.0, 0.0, 0.0, 6.0)},
    "waited_for_core": {"waits": (8.0, 2.0, 0.0, 0.0, 0.0)},
    "cores_unused": {"cpus_requested": 4.0},
    "memory_unused": {"memory_requested_bytes": 8 * GIB},
    "memory_tight": {"memory_requested_bytes": 820 * MIB},
    "": {"waits": (9.9, 0.1, 0.0, 0.0, 0.0)},  # on CPU: said to wait for nothing
}


def test_each_fact_is_found_for_its_step_and_no_other() -> None:
    tasks = [quiet(kind, step=kind, **columns) for kind, columns in FACTS.items()]
    measured = measure(relations({"tasks": table("tasks", tasks)}, RUN))
    told = [(finding.step, finding.kind) for finding in findings.findings(measured)]
    of_steps = [(step, kind) for step, kind in told if step is not None]
    assert sorted(of_steps) == sorted(
        (kind, kind) for kind in FACTS if kind and kind != "waited_for_core"
    )
    assert [kind for step, kind in told if step is None] == ["waited_for_core"]


def test_facts_of_the_run() -> None:
    tasks = [quiet(status, status=status) for status in ("failed", "lost", "cancelled")]
    assert set(found(*tasks, quiet(cpu_unattributed_s=8.0))) == {
        "attempts_failed", "attempts_lost", "attempts_cancelled", "cpu_unattributed",
    }  # fmt: skip


def test_cores_asked_for_and_used_are_means_over_the_time() -> None:
    long = quiet("a", waits=(90.0, 0, 0, 0, 0), cpu_s=90.0, cpus_requested=4.0)
    short = quiet("b", waits=(10.0, 0, 0, 0, 0), cpu_s=10.0, cpus_requested=2.0)
    evidence = found(long, short)["cores_unused"].evidence
    assert evidence["cpus_requested"] == pytest.approx(3.8)
    assert evidence["cores_mean"] == pytest.approx(1.0)


def test_what_is_unknown_is_no_finding() -> None:
    unknown = dict.fromkeys(
        ["cpu_s", "cpu_unattributed_s", "memory_peak_bytes", "process_count", "cpus_requested"]
    )
    assert found(quiet(**unknown, **{f"wall_{p}_s": None for p in ("cpu", "disk")})) == {}


def test_a_failure_comes_before_everything_and_says_what_it_took() -> None:
    told = found(
        quiet("a", waits=(0, 0, 1000.0, 0, 0)),
        quiet("b", status="failed", failure_cause="oom", spool="b1"),
        quiet("b", attempt=2, spool="b2"),
    )
    first = next(iter(told.values()))
    assert first.kind == "attempts_failed"
    assert first.evidence["oom_count"] == 1
    assert first.evidence["unrecovered_count"] == 0
    assert first.evidence["cpu_s"] == 9.8
    weights = [finding.weight for finding in told.values()]
    assert len(weights) > 1
    assert weights == sorted(weights, reverse=True)


def test_an_oom_kill_that_no_attempt_failed_of_is_said_too() -> None:
    oom = {"task_id": "t1", "attempt": 1, "at": START, "kind": "oom", "detail": "{}"}
    assert "out_of_memory" in found(quiet(), events=[oom])
    assert "out_of_memory" not in found(quiet(status="failed", failure_cause="oom"), events=[oom])


def test_short_helpers_are_named_with_their_cpu() -> None:
    busy = quiet(process_count=400, short_process_count=390)
    tools = [
        {"task_id": "t1", "attempt": 1, "tool": tool, "count": n, "short_count": n - 1,
         "cpu_s": cpu, "spool": "t1.1.x"}
        for tool, n, cpu in (("grep", 300, 3.0), ("awk", 91, 1.9), ("bwa mem", 1, 4.0))
    ]  # fmt: skip
    evidence = found(busy, tools=tools)["short_helpers"].evidence
    assert evidence["helpers"] == ["grep", "awk"]
    assert evidence["helper_cpu_s"] == pytest.approx(4.9)
    assert evidence["helper_cpu_share"] == pytest.approx(0.5)


def test_helpers_that_nobody_saw_by_name_weigh_by_what_is_left_over() -> None:
    busy = quiet(process_count=400, short_process_count=390, cpu_unattributed_s=4.9,
                 process_count_source="estimated")  # fmt: skip
    finding = found(busy)["short_helpers"]
    assert finding.weight == pytest.approx(0.5)
    assert finding.evidence["helper_cpu_s"] is None
    assert finding.evidence["process_estimated_count"] == 1
    said = plain(finding)
    assert "at most 400 processes, at most 390 shorter" in said
    assert "50 % of its CPU (4.90 s) is of none that was seen by name" in said


def test_a_bound_without_cpu_behind_it_is_no_habit() -> None:
    """Beside a storm every task's bound is high: the host's fork counter is one for all."""
    assert "short_helpers" not in found(
        quiet(
            process_count=9000,
            short_process_count=8999,
            process_count_source="estimated",
            cpu_unattributed_s=0.5,
        )
    )


def test_waiting_for_cores_is_one_fact_of_the_run_that_names_the_worst() -> None:
    tasks = [
        quiet(f"t{n}", step=f"s{n}", waits=(6.0, float(n), 0.0, 0.0, 0.0)) for n in range(1, 6)
    ]
    measured = measure(relations({"tasks": table("tasks", tasks)}, RUN))
    (contention,) = (f for f in findings.findings(measured) if f.kind == "waited_for_core")
    assert contention.evidence["step_count"] == 5
    assert contention.evidence["worst_step"] == "s5"
    assert contention.evidence["wall_runnable_s"] == pytest.approx(15.0)
    assert "5 steps" in plain(contention)
    assert "s5 longest (45 %)" in plain(contention)


def test_a_busy_host_hides_no_habit() -> None:
    """Seven of ten seconds each task waits for a core: shares of the wall time are small then."""
    busy = {"waits": (2.0, 14.0, 4.0, 0.0, 0.0), "cpu_s": 2.0}
    evidence = found(quiet(**busy))["blocked_on_disk"].evidence
    assert evidence["disk_share"] == pytest.approx(0.2)
    assert evidence["disk_share_when_free"] == pytest.approx(4 / 6)
    threads = quiet(waits=(10.0, 30.0, 0.0, 0.0, 0.0), cpu_s=38.0, cpus_requested=4.0)
    # Less than one core of four on average, but nearly all four when it got them.
    assert "cores_unused" not in found(threads)


HABITS = {"map": "cores_unused", "tile_qc": "short_helpers", "archive": "blocked_on_disk",
          "annotate": "idle"}  # fmt: skip


@pytest.mark.parametrize(
    ("contended", "seen"), [(0.0, "perf"), (0.75, "perf"), (0.6, "estimated"), (0.75, "estimated")]
)
def test_the_habits_of_the_example_stand_in_the_first_ten_lines(
    contended: float, seen: str
) -> None:
    report = summarise(outbreak_typing(contended, seen), RUN)
    told = {(finding.step, finding.kind) for finding in report.findings}
    assert told >= set(HABITS.items())
    for text, heading in (
        (terminal.render(report, width=100), "What stands out"),
        (markdown.render(report), "### What stands out\n"),
    ):
        lines = text.partition(heading + "\n")[2].splitlines()[:10]
        for step in HABITS:
            assert any(re.match(rf" *[•-] \**{step.replace('_', '.?_')}\W", x) for x in lines), (
                step, lines,
            )  # fmt: skip


def host(at: float, busy: float, idle: float, iowait: float) -> dict[str, Any]:
    import datetime as dt

    return {"host": "n", "at": START + dt.timedelta(seconds=at), "cpu_user_s": busy,
            "cpu_system_s": 0.0, "cpu_idle_s": idle, "cpu_iowait_s": iowait}  # fmt: skip


def test_a_busy_host_whose_tasks_wait_is_told() -> None:
    waiting = quiet(waits=(1.1, 0.0, 7.1, 0.0, 1.8), cpu_s=1.1)
    hosts = [host(0, 1000, 5000, 100), host(100, 1087, 5008, 105)]
    evidence = found(waiting, hosts=hosts)["host_against_tasks"].evidence
    assert evidence["busy_share"] == pytest.approx(0.87)
    assert evidence["iowait_share"] == pytest.approx(0.05)
    assert evidence["tasks_disk_share"] == pytest.approx(0.71)


def test_a_host_that_was_restarted_or_read_once_says_nothing() -> None:
    restarted = [host(0, 1000, 5000, 100), host(100, 1080, 10, 105)]
    waiting = quiet(waits=(1.1, 0.0, 7.1, 0.0, 1.8))
    assert "host_against_tasks" not in found(waiting, hosts=restarted)
    assert "host_against_tasks" not in found(waiting, hosts=restarted[:1])


def test_only_what_the_hosts_did_meanwhile_counts() -> None:
    """A run that was resumed two days later, on hosts one of which was restarted in between."""
    day = 2 * 86_400
    rows = [
        *(host(0, 1000, 5000, 100), host(100, 1087, 5008, 105)),
        *(host(day, 9000, 90_000, 100), host(day + 100, 9087, 90_008, 105)),
        *({**row, "host": "m"} for row in (host(0, 1000, 5000, 100), host(60, 1087, 5008, 105))),
        *({**row, "host": "m"} for row in (host(90, 1, 9, 0), host(190, 88, 17, 5))),
    ]
    seen = signals.hosts(relations({"hosts": table("hosts", rows)}, RUN))
    assert seen["host_count"] == 2
    assert seen["cpu_busy_s"] == pytest.approx(4 * 87)
    assert (seen["busy_share"], seen["iowait_share"]) == pytest.approx((0.87, 0.05))


def test_a_realistic_run_tells_its_story() -> None:
    measured = measure(relations(sequencing_run(), RUN))
    told = {(finding.kind, finding.step) for finding in findings.findings(measured)}
    assert told >= {
        ("cores_unused", "align"),
        ("blocked_on_disk", "sort"),
        ("idle", "wait_for_licence"),
        ("short_helpers", "annotate"),
        ("waited_for_network", "fetch_reference"),
    }


def test_every_threshold_is_used_and_has_a_reason() -> None:
    from pathlib import Path

    folder = Path(findings.__file__).parent
    source = "".join(
        path.read_text() for path in folder.glob("*.py") if path.name != "thresholds.py"
    )
    for name, limit in thresholds.THRESHOLDS.items():
        # The parts of the wall time are put together from their names.
        assert f'"{name}"' in source or name.startswith("wall_"), name
        assert limit.reason.endswith(".")
        assert limit.unit


def test_who_reads_pages_again_for_want_of_memory_is_not_told_to_sync_less() -> None:
    waits = {"waits": (3.0, 0.0, 7.0, 0.0, 0.0), "cpu_s": 3.0, "major_faults": 50_000}
    limit = {"task_id": "t1", "attempt": 1, "at": START, "kind": "limit", "spool": "t1.1.x",
             "detail": '{"memory_bytes": 838860800}'}  # fmt: skip
    for events, told in (([], True), ([limit], False)):
        rows = {"tasks": table("tasks", [quiet(**waits)]), "events": table("events", events)}
        kinds = [finding.kind for finding in summarise(rows, RUN).findings]
        assert ("blocked_on_disk" in kinds) is told


@pytest.mark.parametrize(("scale", "told"), [(1.0, True), (0.001, False)])
def test_what_is_too_short_to_tell_is_not_told_to_wait(scale: float, told: bool) -> None:
    waits = tuple(scale * part for part in (4.0, 0.0, 0.0, 0.0, 6.0))
    rows = {"tasks": table("tasks", [quiet(waits=waits, cpu_s=scale * 4.0)])}
    kinds = [finding.kind for finding in summarise(rows, RUN).findings]
    assert ("idle" in kinds) is told


def test_what_waited_and_then_failed_is_no_idle_step() -> None:
    waited = {"waits": (0.1, 0.0, 0.0, 0.0, 9.9), "cpu_s": 0.1}
    assert "idle" in found(quiet(**waited))
    assert "idle" not in found(quiet(**waited, status="failed", failure_cause="timeout"))
