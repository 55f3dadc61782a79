"""What a dashboard showed beside what the tasks did."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from analysis.synthetic import RUN, START, process, table, task
from tracer_hooks.analysis.dashboard import dashboard
from tracer_hooks.analysis.summary import summarise
from tracer_hooks.report import markdown, terminal
from tracer_hooks.report.notebook import Report
from tracer_hooks.report.verdict_text import dashboard_sentence


def host(at: float, busy: float, idle: float, iowait: float) -> dict[str, Any]:
    return {"host": "node1", "at": START + dt.timedelta(seconds=at), "cpu_user_s": busy,
            "cpu_system_s": 0.0, "cpu_idle_s": idle, "cpu_iowait_s": iowait}  # fmt: skip


BUSY_HOST = [host(0, 1000, 5000, 100), host(100, 1087, 5008, 105)]
BLOCKED = {"waits": (11.0, 0.0, 71.0, 0.0, 18.0), "cpu_s": 11.0, "cpu_user_s": 5.0,
           "cpu_system_s": 6.0, "cpu_unattributed_s": 0.0, "process_count_source": "perf",
           "reading_count": 800}  # fmt: skip


def helpers(many: int, each_s: float, apart_s: float) -> list[dict[str, Any]]:
    """A shell that starts one after the other."""
    shell = process(0, None, "bash", lived=100.0, cpu_s=1.0)
    return [shell, *(
        process(n, 0, "cut", at=(n - 1) * apart_s, lived=each_s, cpu_s=0.01)
        for n in range(1, many + 1)
    )]  # fmt: skip


def seed_case() -> dict[str, Any]:
    return {
        "tasks": table("tasks", [task(**BLOCKED)]),
        "hosts": table("hosts", BUSY_HOST),
        "processes": table("processes", helpers(580, 0.1, 0.15)),
    }


def of(scrape_s: float = 15.0, **rows: list[dict[str, Any]]) -> dict[str, Any]:
    return dashboard({name: table(name, found) for name, found in rows.items()}, scrape_s)


def test_the_case_that_this_was_made_for() -> None:
    """A busy host, tasks that hardly compute and wait for the disk, short helpers that dominate."""
    report = summarise(seed_case(), RUN)
    expected = (
        "Host 87 % busy; tasks on CPU 11 %, blocked on disk 71 %, idle 18 %; 580 helpers shorter"
        " than a scrape (15 s) took 58 % of execution time."
    )
    assert dashboard_sentence(report.dashboard) == expected
    for text in (
        " ".join(terminal.render(report, width=100).split()), markdown.render(report),
        Report.of(report)._repr_html_(),
    ):  # fmt: skip
        assert expected in text
    assert report.verdicts.run["label"] == "disk_bound"


def test_helpers_side_by_side_count_once() -> None:
    rows = [process(0, None, "bash", lived=100.0), *(process(n, 0, "cut", at=10.0, lived=4.0)
            for n in range(1, 5)), process(5, 0, "cut", at=12.0, lived=4.0)]  # fmt: skip
    found = of(tasks=[task(**BLOCKED)], processes=rows)
    assert found["helper_count"] == 5
    assert found["helper_s"] == pytest.approx(6.0)
    assert found["helper_cpu_s"] == pytest.approx(2.5)
    assert found["helpers_exact"] is True


def test_what_outlives_a_scrape_and_the_task_itself_are_no_helpers() -> None:
    rows = [process(0, None, "bash", lived=2.0), process(1, 0, "bwa mem", lived=16.0)]
    assert of(tasks=[task(**BLOCKED)], processes=rows)["helper_count"] == 0
    assert of(60.0, tasks=[task(**BLOCKED)], processes=rows)["helper_count"] == 1


def test_helpers_that_have_no_row_of_their_own() -> None:
    rows = [process(0, None, "bash", lived=100.0), process(1, 0, "cut", lived=1.0, cpu_s=0.5)]
    tools = [{"task_id": "t1", "attempt": 1, "spool": "t1.1.x", "tool": "cut", "count": 4001,
              "folded_count": 4000, "cpu_s": 8.5, "wall_s": 41.0}]  # fmt: skip
    found = of(tasks=[task(**BLOCKED)], processes=rows, tools=tools)
    assert found["helper_count"] == 4001
    assert found["helper_s"] == pytest.approx(41.0)
    assert found["helper_cpu_share"] == pytest.approx(8.5 / 11.0)


def test_what_was_only_bounded_is_at_least() -> None:
    polled = BLOCKED | {"process_count_source": "estimated"}
    found = of(tasks=[task(**polled)], hosts=BUSY_HOST, processes=helpers(100, 0.5, 0.6))
    assert found["helpers_exact"] is False
    assert "at least 100 helpers" in dashboard_sentence(found)


def test_unknown_is_not_nothing() -> None:
    found = of(tasks=[task(**BLOCKED)])
    assert (found["host_busy_share"], found["helper_count"], found["helper_share"]) == (
        None, None, None,
    )  # fmt: skip
    assert dashboard_sentence(found) == ""
    assert of()["tasks_cpu_share"] is None
