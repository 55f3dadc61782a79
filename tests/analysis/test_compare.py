"""Comparison: nothing changes against itself, sides can be swapped, noise is called noise."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analysis.strategies import runs
from analysis.synthetic import sequencing_run, table, task
from tracer_hooks.analysis.compare import Comparison, compare
from tracer_hooks.analysis.compare_limits import exceeded, parse_limits
from tracer_hooks.analysis.student import t_quantile
from tracer_hooks.analysis.summary import RunReport, summarise
from tracer_hooks.analysis.tables import records
from tracer_hooks.errors import TracerError, UsageError

Row = dict[str, Any]


def report(rows: list[Row], run_id: str) -> RunReport:
    return summarise({"tasks": table("tasks", rows, run_id)}, run_id)


def some(walls: list[float], run_id: str, step: str = "align", **columns: Any) -> RunReport:
    """A run of one step, a task for each wall time; ids are new each time."""
    rows = [
        task(
            f"{i}-{run_id}",
            task_name=f"t{i}",
            step=step,
            waits=None,
            wall_s=wall,
            cpu_s=wall,
            **columns,
        )
        for i, wall in enumerate(walls)
    ]
    return report(rows, run_id)


def step(comparison: Comparison, measure: str = "wall", name: str = "align") -> Row:
    rows = comparison.steps
    (row,) = records(rows[(rows["measure"] == measure) & (rows["step"] == name)])
    return row


def over(comparison: Comparison, text: str) -> list[str | None]:
    return [excess.subject for excess in exceeded(comparison, parse_limits(text))]


def test_quantiles_of_t_are_those_of_the_tables() -> None:
    known = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 10: 2.228, 30: 2.042, 1000: 1.962}
    got = t_quantile(0.975, np.array([*known, 0], dtype="float64"))
    assert got[:-1] == pytest.approx(list(known.values()), rel=2e-3)
    assert np.isnan(got[-1])


@settings(
    max_examples=3, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.generate],
)  # fmt: skip
@given(runs())
def test_against_itself_nothing_changes(tables: Any) -> None:
    if not tables["tasks"].num_rows:
        return
    mine = summarise(tables, "20260501T101112-a1b2c3")
    comparison = compare([mine], [mine])
    for frame in (comparison.steps, comparison.tasks, comparison.whole):
        assert set(frame["change"]) <= {"same"}
    assert comparison.statuses.empty
    assert comparison.verdicts.empty
    assert comparison.added.empty
    assert comparison.removed.empty
    found = exceeded(comparison, parse_limits("wall>0%,cpu>0%,task.memory>0%,status,verdict"))
    # A measure of which nothing is known can't be checked, and that is said.
    assert not [e for e in found if e.ratio is not None or e.limit.measure in ("status", "verdict")]


@settings(max_examples=3, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(st.lists(st.tuples(st.floats(0.01, 1e4), st.floats(0.01, 1e4)), min_size=1, max_size=8))
def test_swapped_sides_turn_every_ratio_upside_down(walls: list[tuple[float, float]]) -> None:
    a, b = some([one for one, _ in walls], "a"), some([other for _, other in walls], "b")
    there, back = compare([a], [b]), compare([b], [a])
    for one, other in zip(records(there.tasks), records(back.tasks), strict=True):
        assert one["ratio"] * other["ratio"] == pytest.approx(1)
    one, other = step(there), step(back)
    assert one["ratio"] * other["ratio"] == pytest.approx(1)
    assert one["change"] == other["change"]
    if one["low"] is not None:
        assert one["low"] * other["high"] == pytest.approx(1)


def test_a_change_beyond_the_noise_and_one_within() -> None:
    rng = random.Random(3)
    walls = [rng.lognormvariate(3, 0.5) for _ in range(20)]
    noisy = [wall * rng.lognormvariate(0, 0.1) for wall in walls]
    slower = [wall * 1.5 for wall in noisy]
    quiet, changed = (compare([some(walls, "a")], [some(b, "b")]) for b in (noisy, slower))
    assert step(quiet)["change"] == "noise"
    assert step(changed)["change"] == "changed"
    assert step(changed)["low"] < 1.5 < step(changed)["high"]
    assert over(quiet, "wall>0%") == []
    assert over(changed, "step.wall>20%") == ["align"]
    assert over(changed, "step.wall>80%") == []


def test_repeats_on_a_side_say_how_large_the_noise_is() -> None:
    before = [some([wall], f"a{i}") for i, wall in enumerate([10, 14, 8, 12, 9, 15])]
    comparison = compare(before, [some([14], "b")])
    assert step(comparison)["noise"] == "own"
    assert step(comparison)["change"] == "noise"
    assert step(compare(before, [some([80], "b")]))["change"] == "changed"
    # Without repeats, and with one task alone, there is nothing to tell noise by.
    alone = compare(before[:1], [some([14], "b")])
    assert step(alone)["change"] == "unknown"
    assert over(alone, "step.wall>20%") == ["align"]


def test_what_one_side_alone_has_and_other_statuses() -> None:
    a = report([task("t1", task_name="x"), task("o", step="old", spool="o")], "a")
    b = report([task("t1", task_name="x", status="failed"), task("n", step="new", spool="n"),
                task("t2", task_name="y", spool="y")], "b")  # fmt: skip
    comparison = compare([a], [b])
    assert list(comparison.removed["step"]) == ["old"]
    assert list(comparison.added["step"]) == ["new"]
    assert comparison.unmatched == {"a": 0, "b": 1}
    (row,) = records(comparison.statuses)
    assert (row["a"], row["b"]) == ("succeeded", "failed")
    assert over(comparison, "status") == ["x"]
    assert over(compare([b], [a]), "status") == []


def test_what_cannot_be_checked_is_not_passed() -> None:
    comparison = compare([some([1, 2], "a")], [some([1, 2], "b")])
    (excess,) = exceeded(comparison, parse_limits("cost>10%"))
    assert excess.ratio is None


@pytest.mark.parametrize(
    "text", ["", ",", "wall", "wall>20", "wall<20%", "walls>20%", "node.wall>2%", "run.memory>1%"]
)
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--fail-on"):
        parse_limits(text)


def test_sums_are_those_of_the_reports() -> None:
    mine = summarise(sequencing_run(), "20260501T101112-a1b2c3")
    comparison = compare([mine], [mine])
    walls = {row["step"]: row["wall_s"] for row in records(mine.steps)}
    for name, wall in walls.items():
        assert step(comparison, name=name)["b"] == pytest.approx(wall)


def test_a_run_without_tasks_is_refused() -> None:
    one, none = some([1.0], "one"), report([], "none")
    for a, b in ((one, none), (none, one)):
        with pytest.raises(TracerError, match="run none has no tasks to compare"):
            compare([a], [b])
