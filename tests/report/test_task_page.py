"""One attempt as text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from analysis.synthetic import RUN, process, table, task
from rich.cells import cell_len

from report.conftest import HOSTILE
from tracer_hooks.analysis.task import TaskReport, summarise_task
from tracer_hooks.report import task as page
from tracer_hooks.report.course import sparkline
from tracer_hooks.report.process_tree import walk


def test_it_says_what_matters(task_report: TaskReport) -> None:
    text = page.render(task_report, color=False, width=100)
    for words in (
        "t1 · succeeded after 1m 00s", "3.20 s after it was submitted", "cores 4 1.17",
        "memory 4 GiB 1.86 GiB", "on CPU 42.0 s 70 %", "max 1.75", "bwa mem worker ×4",
        "gzip ×40", "exit 1", "throttled",
    ):  # fmt: skip
        assert words in " ".join(text.split()), words
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [40, 80, 160])
def test_no_line_leaves_the_page(task_report: TaskReport, width: int) -> None:
    for color in (False, True):
        text = re.sub(r"\x1b\[[0-9;]*m", "", page.render(task_report, color=color, width=width))
        assert max(map(cell_len, text.splitlines())) <= width


def hostile_task(name: str) -> TaskReport:
    named = dict.fromkeys(
        ["task_name", "step", "sample", "command", "workdir", "container_image", "failure_cause"],
        name,
    )
    row = task(name, **named, status="failed", signal=9, spool="s")
    processes = [process(n, n - 1 or None, name, task_id=name, spool="s") for n in range(1, 6)]
    events = [{"task_id": name, "attempt": 1, "kind": name, "detail": name, "spool": "s"}]
    tables = {"tasks": [row], "processes": processes, "events": events}
    return summarise_task({k: table(k, rows) for k, rows in tables.items()}, RUN, name)


@pytest.mark.parametrize("name", HOSTILE[:8])
def test_hostile_names_stay_text(name: str) -> None:
    text = page.render(hostile_task(name), color=False, width=80)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_what_was_not_measured_is_left_open() -> None:
    nothing = {k: None for k, value in task().items() if not isinstance(value, str)}
    row = {**task("t1"), **nothing, "attempt": 1, "status": "lost"}
    text = page.render(summarise_task({"tasks": table("tasks", [row])}, RUN, "t1"), width=100)
    assert "not measured" in text
    assert "none was seen by name" in text
    assert "The task is lost" in text
    assert not re.search(r"\b0 (s|B)\b", text)


def group(process_id: int, parent_id: int | None) -> dict[str, Any]:
    return {"process_id": process_id, "parent_id": parent_id}


def test_every_process_comes_once_even_in_circles_and_without_parents() -> None:
    groups = [group(1, None), group(2, 1), group(3, 2), group(4, 99), group(5, 6), group(6, 5),
              group(7, 7)]  # fmt: skip
    walked = [(depth, row["process_id"]) for depth, row in walk(groups)]
    assert walked[:4] == [(0, 1), (1, 2), (2, 3), (0, 4)]
    assert sorted(process_id for _, process_id in walked) == [1, 2, 3, 4, 5, 6, 7]


def test_a_chain_of_ten_thousand_is_walked() -> None:
    groups = [group(n, n - 1 or None) for n in range(1, 10_001)]
    assert [depth for depth, _ in walk(groups)] == list(range(10_000))


def test_a_sparkline_leaves_a_gap_where_nothing_is_known() -> None:
    assert sparkline([0.0, 1.0, float("nan"), 8.0], 8.0) == "▁▁ █"
