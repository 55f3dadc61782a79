"""A run at a glance holds the same figures as the whole report."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from analysis.strategies import runs
from analysis.synthetic import START, sequencing_run, table, task
from tracer_hooks.analysis import usage
from tracer_hooks.analysis.glance import PARTS, STATUSES, Glance, glance


def of(*rows: dict[str, Any]) -> Glance:
    """The glance of these attempts; rows get a spool each, so that none is another's."""
    return glance(table("tasks", [{"spool": str(i), **row} for i, row in enumerate(rows)]))


def agrees(tables: dict[str, Any]) -> None:
    seen, totals = glance(tables["tasks"]), usage.totals(tables)
    assert seen.task_count == totals["count"]
    assert seen.attempt_count == totals["attempt_count"]
    assert dict(seen.status_count) == {s: totals[f"{s}_count"] for s in STATUSES}
    assert seen.cpu_measured_count == totals["cpu_measured_count"]
    for name in ("wall_s", "cpu_s", "memory_peak_bytes", "disk_read_bytes", "disk_write_bytes"):
        assert getattr(seen, name) == pytest.approx(totals[name]), name
    for part in PARTS:
        assert seen.shares[part] == pytest.approx(totals[f"{part}_share"]), part
    rows = usage.by_step(tables).to_dict("records")
    steps = {None if row["step"] != row["step"] else row["step"]: row for row in rows}
    for step in seen.steps:
        assert step.wall_s == known(steps[step.step]["wall_s"])
        assert step.cores_used == known(steps[step.step]["cores_mean"])
        assert step.cpus_requested == known(steps[step.step]["cpus_requested"])
        if step.wait is not None:
            others = [steps[step.step][f"{part}_share"] for part in PARTS[1:]]
            assert step.wait_share == pytest.approx(max(others))


def known(value: float) -> Any:
    return None if value != value else pytest.approx(value)


def test_a_run_as_scientists_have_them() -> None:
    agrees(sequencing_run())
    seen = glance(sequencing_run()["tasks"])
    assert [step.step for step in seen.steps] == ["align", "sort", "trim_reads"]
    assert seen.steps[1].wait == "disk"
    assert seen.memory_peak_task is not None
    assert seen.memory_peak_task.startswith("sort/")


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(runs())
def test_any_run(tables: dict[str, Any]) -> None:
    agrees(tables)


def test_what_was_not_measured_is_never_nothing() -> None:
    seen = of({"task_id": "a", "status": "lost"})
    assert (seen.wall_s, seen.cpu_s, seen.memory_peak_bytes) == (None, None, None)
    assert (seen.disk_read_bytes, seen.elapsed_s, seen.cores_busy) == (None, None, None)
    assert set(seen.shares.values()) == {None}
    assert (seen.steps[0].cores_used, seen.steps[0].wait) == (None, None)
    assert seen.status_count["lost"] == seen.task_count == 1
    assert seen.failures == (("a", "lost"),)


def test_an_attempt_without_a_figure_does_not_dilute_the_others() -> None:
    seen = of(task("a"), task("b", cpu_s=None), task("c", wall_disk_s=None))
    assert seen.cpu_measured_count == 2
    assert seen.cpu_s == 12.0
    assert seen.steps[0].cores_used == pytest.approx(0.6)  # of the two that have both figures
    assert seen.shares["disk"] == pytest.approx(0.2)
    assert sum(share or 0.0 for share in seen.shares.values()) == pytest.approx(1.0)


def test_the_last_attempt_decides() -> None:
    seen = of(
        task("a", attempt=2, at=20), task("a", status="failed"), task("b", attempt=1, at=50),
        task("b", attempt=1, at=5, status="failed"),
    )  # fmt: skip
    assert (seen.task_count, seen.attempt_count) == (2, 4)
    assert seen.status_count["succeeded"] == 2
    assert seen.failures == ()
    assert seen.elapsed_s == 60.0


def test_costly_is_what_holds_the_most_cores() -> None:
    seen = of(
        task("a", step="long", cpus_requested=None),
        task("b", step="wide", cpus_requested=8.0, waits=(1.0, 0.0, 0.0, 3.0, 0.0)),
    )
    assert [step.step for step in seen.steps] == ["wide", "long"]
    assert seen.steps[0].wait == "network"
    assert seen.steps[0].wait_share == 0.75


def test_a_run_that_goes_on_has_no_end_yet() -> None:
    assert of(task("a"), task("b", status="running", ended_at=None)).elapsed_s is None
    assert of(task("a", started_at=START), task("b", at=3)).elapsed_s == 13.0


def test_failures_come_with_their_causes_in_the_order_of_their_ends() -> None:
    rows = [
        task(f"t{n}", task_name=f"map {n}", status="failed", failure_cause="oom", at=-n)
        for n in range(5)
    ]
    seen = of(*rows)
    assert seen.failures == (("map 4", "oom"), ("map 3", "oom"), ("map 2", "oom"))
    assert seen.status_count["failed"] == 5


def test_no_task_at_all() -> None:
    seen = glance(table("tasks", []))
    assert (seen.task_count, seen.steps, seen.failures) == (0, (), ())
