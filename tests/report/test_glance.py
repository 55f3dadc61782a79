"""The lines that an engine prints when a run is over."""

from __future__ import annotations

from typing import Any

import pytest
from analysis.strategies import runs
from analysis.synthetic import RUN, sequencing_run, table, task
from hypothesis import HealthCheck, given, settings
from rich.cells import cell_len

from report.conftest import HOSTILE
from tracer_hooks.analysis.glance import glance
from tracer_hooks.report.glance import WIDTH, glance_lines, warning_line


def lines_of(*rows: dict[str, Any]) -> list[str]:
    rows = tuple({"spool": str(i), **row} for i, row in enumerate(rows))
    return glance_lines(RUN, glance(table("tasks", list(rows))))


def plain(lines: list[str]) -> bool:
    return len(lines) <= 10 and all(
        cell_len(line) <= WIDTH and line.splitlines() == [line] and line == line.rstrip()
        for line in lines
    )


def test_a_run_as_scientists_have_them() -> None:
    lines = glance_lines(RUN, glance(sequencing_run()["tasks"]))
    assert plain(lines)
    assert lines[0].startswith("tracer-hooks: 50 tasks (all succeeded, 2 retries) in ")
    text = "\n".join(lines)
    for words in (
        "cores busy on average", "GiB (sort/S", "65 % on CPU", "20 % disk",
        "align 19m 52s, 1.04 cores used of 4, biggest wait: idle 8 %",
        "sort 8m 33s, 0.42 cores used of 2, biggest wait: disk 71 %",
    ):  # fmt: skip
        assert words in text, words


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(runs())
def test_any_run_is_about_ten_plain_lines(tables: dict[str, Any]) -> None:
    lines = glance_lines(RUN, glance(tables["tasks"]))
    assert plain(lines), lines


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_harmless(name: str) -> None:
    rows = [
        task(str(n), task_name=name, step=name, status="failed", failure_cause=name)
        for n in range(5)
    ]
    assert plain(lines_of(*rows))
    assert "\x1b" not in "".join(lines_of(*rows))
    assert plain([warning_line(name or "x")])


def test_no_task() -> None:
    assert "no task on record" in lines_of()[0]


def test_what_is_not_known_is_a_dash() -> None:
    lines = lines_of({"task_id": "a", "status": "lost"})
    assert plain(lines)
    assert "0 s" not in "\n".join(lines)
    assert "0 B" not in "\n".join(lines)
    assert "a (lost)" in lines[-1]


def test_a_sum_that_lacks_a_part_is_a_lower_bound() -> None:
    assert "≥6.00 s" in lines_of(task("a"), task("b", cpu_s=None))[1]


def test_failures_are_named_with_their_causes() -> None:
    rows = [task(f"t{n}", status="failed", failure_cause="oom") for n in range(5)]
    assert lines_of(*rows)[-1].split(maxsplit=1)[1] == "t0 (oom), t1 (oom), t2 (oom) and 2 more"
