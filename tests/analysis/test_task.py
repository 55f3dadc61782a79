"""One attempt: found by name, its processes folded, its course over time."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.synthetic import MIB, RUN, one_task, process, table, task
from tracer_hooks.analysis.tables import records
from tracer_hooks.analysis.task import TaskReport, find_task, recorded, summarise_task
from tracer_hooks.errors import TracerError


@pytest.fixture(scope="module")
def report() -> TaskReport:
    return summarise_task(one_task(), RUN, "t1")


def test_the_course_adds_up_to_the_totals(report: TaskReport) -> None:
    timeline = report.timeline
    width = timeline["end_s"] - timeline["start_s"]
    assert (timeline["cores"] * width).sum() == pytest.approx(70.0)
    assert (timeline["disk_read_bytes_per_s"] * width).sum() == pytest.approx(640 * MIB)
    shares = timeline[[f"{p}_share" for p in ("cpu", "runnable", "disk", "network", "idle")]]
    assert (shares.sum(axis=1) * width).sum() == pytest.approx(60.0)
    assert timeline["memory_bytes"].max() == 1900 * MIB
    assert timeline["network_rx_bytes_per_s"].isna().all()


def test_the_course_shows_when_it_happened(report: TaskReport) -> None:
    timeline = report.timeline
    working = (timeline["start_s"] >= 10) & (timeline["end_s"] <= 50)
    assert np.allclose(timeline.loc[working, "cores"], 1.75)
    assert np.allclose(timeline.loc[timeline["end_s"] <= 10, "cores"], 0.0)


def test_a_long_gap_between_readings_is_filled_in_proportion() -> None:
    tables = one_task()
    ends = [0, 120]
    tables["readings"] = tables["readings"].take(ends)
    timeline = summarise_task(tables, RUN, "t1", buckets=6).timeline
    assert np.allclose(timeline["cores"], 70 / 60)


def test_too_few_readings_make_no_course() -> None:
    tables = one_task()
    tables["readings"] = tables["readings"].slice(0, 1)
    assert summarise_task(tables, RUN, "t1").timeline.empty


def test_processes_alike_are_folded_and_none_is_lost(report: TaskReport) -> None:
    groups = {(g["tool"], g["forked"], g["parent_id"]): g for g in records(report.processes)}
    assert sum(g["count"] for g in groups.values()) == 49
    gzip = groups["gzip", False, 8]
    assert gzip["count"] == 40
    assert gzip["cpu_s"] == pytest.approx(0.4)
    workers = groups["bwa mem", True, 2]
    assert (workers["count"], workers["memory_peak_bytes"]) == (4, 400 * MIB)
    # Processes that started others stay by themselves, so that their children have a place.
    assert groups["bash", False, 1]["count"] == 1


def test_unknown_figures_stay_unknown_in_a_group() -> None:
    rows = [process(n, 1, "x", cpu_s=None, memory_peak_bytes=None) for n in (2, 3)]
    tables = {"tasks": table("tasks", [task("t1")]), "processes": table("processes", rows)}
    (group,) = records(summarise_task(tables, RUN, "t1").processes)
    assert group["count"] == 2
    assert group["cpu_s"] is None
    assert group["memory_peak_bytes"] is None


def test_an_attempt_is_chosen_by_number_and_the_last_by_default() -> None:
    rows = [task("a", attempt=n, cpu_s=float(n), spool=f"s{n}") for n in (2, 1, 3)]
    tables = {"tasks": table("tasks", rows)}
    assert summarise_task(tables, RUN, "a").attempt["cpu_s"] == 3.0
    assert summarise_task(tables, RUN, "a", attempt=1).attempt["cpu_s"] == 1.0
    with pytest.raises(TracerError, match=r"no attempt 7; it has 1, 2, 3"):
        summarise_task(tables, RUN, "a", attempt=7)


def test_only_the_attempts_own_rows_are_shown() -> None:
    rows = [task("t1", spool="t1.1.x"), task("t1", attempt=2, spool="t1.2.x")]
    tools = [
        {"task_id": "t1", "attempt": n, "tool": f"tool{n}", "spool": f"t1.{n}.x"} for n in (1, 2)
    ]
    tables = {"tasks": table("tasks", rows), "tools": table("tools", tools)}
    assert list(summarise_task(tables, RUN, "t1", attempt=1).tools["tool"]) == ["tool1"]


def test_everything_on_record_of_an_attempt_and_of_no_other() -> None:
    rows = [task("t1", spool="x"), task("t1", attempt=2, spool="y"), task("t2", spool="z")]
    keys = [{"task_id": row["task_id"], "attempt": row["attempt"], "spool": row["spool"]}
            for row in rows]  # fmt: skip
    readings = [{**key, "elapsed_s": 1.0, "process_id": n} for key in keys for n in (3, None)]
    tables = {"tasks": table("tasks", rows), "readings": table("readings", readings)}
    found = recorded(tables, RUN, "t1")
    assert [row["attempt"] for row in found["tasks"]] == [2]
    assert [(row["attempt"], row["process_id"]) for row in found["readings"]] == [(2, None), (2, 3)]
    assert found["events"] == []
    assert not any("spool" in row for rows in found.values() for row in rows)


NAMES = {"tasks": table("tasks", [
    task("align/S1", task_name="align S1"), task("align/S10", task_name="align S10"),
    task("sort/S1", task_name="sort 100%_"),
])}  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("align/S1", "align/S1"),
        ("align S10", "align/S10"),
        ("sort", "sort/S1"),
        ("S10", "align/S10"),
        ("100%_", "sort/S1"),
    ],
)
def test_a_task_is_found_by_id_name_start_or_part(wanted: str, expected: str) -> None:
    assert find_task(NAMES, RUN, wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("align", r"names 2 tasks: 'align/S1' \('align S1'\), 'align/S10' \('align S10'\); name"),
        ("algin/S1", r"no task 'algin/S1' in run .*: did you mean 'align/S1' \('align S1'\) or '"),
        ("sort 10%_", r"did you mean 'sort/S1' \('sort 100%_'\)\?"),
        ("zzz", r"there are 'align/S1' \('align S1'\), 'align/S10' .*, 'sort/S1' "),
        ("%", "'sort/S1'|names|no task"),
    ],
)
def test_a_name_that_fits_none_or_several_is_refused(wanted: str, said: str) -> None:
    if wanted == "%":
        assert find_task(NAMES, RUN, wanted) == "sort/S1"
        return
    with pytest.raises(TracerError, match=said):
        find_task(NAMES, RUN, wanted)


def test_a_run_without_tasks_says_so() -> None:
    with pytest.raises(TracerError, match="no tasks on record"):
        find_task({}, RUN, "x")
    with pytest.raises(TracerError, match="no task 'x'"):
        summarise_task({}, RUN, "x")
