"""What must hold for any run whatever: sums reconcile, nothing unknown becomes a number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from analysis.strategies import WAITS, runs
from tracer_hooks.analysis import coverage, usage, waits
from tracer_hooks.analysis.tables import records, relations

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = list[Row]


def total(values: Iterable[float | None]) -> float | None:
    """The sum of what is known; None if nothing is."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == pytest.approx(other, rel=1e-9, abs=1e-6)


# Without shrinking, which takes minutes where an example takes half a second.
@settings(
    max_examples=7,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
)
@given(runs())
def test_sums_reconcile_and_what_is_unknown_stays_unknown(tables: dict[str, pa.Table]) -> None:
    rows, t = tables["tasks"].to_pylist(), relations(tables)
    totals = usage.totals(t)
    steps, tasks = records(usage.by_step(t)), records(usage.by_task(t))
    check_totals(rows, totals, steps, tasks)
    for step in steps:
        check_step(step, [row for row in rows if row["step"] == step["step"]])
    check_tools(records(usage.by_tool(t)), tables["tools"].to_pylist(), totals["cpu_s"])
    for group in (totals, *steps, *tasks, waits.whole_run(t)):
        check_shares(group)
    check_coverage(coverage.coverage(t), rows)


def check_totals(rows: Rows, totals: Row, steps: Rows, tasks: Rows) -> None:
    for column in ("wall_s", "cpu_s", "disk_read_bytes", "process_count"):
        expected = total(row[column] for row in rows)
        for parts in ([totals], steps, tasks):
            assert same(expected, total(part[column] for part in parts)), column
    assert totals["attempt_count"] == len(rows)
    assert totals["count"] == len({row["task_id"] for row in rows}) == len(tasks)


def check_step(step: Row, rows: Rows) -> None:
    assert step["attempt_count"] == len(rows)
    assert step["count"] == len({row["task_id"] for row in rows})
    assert same(step["cpu_s"], total(row["cpu_s"] for row in rows))
    peaks = [row["memory_peak_bytes"] for row in rows if row["memory_peak_bytes"] is not None]
    assert step["memory_peak_bytes"] == max(peaks, default=None)


def check_tools(tools: Rows, rows: Rows, cpu_s: float | None) -> None:
    """The line of what no process accounts for comes last and completes the run's CPU."""
    *named, rest = tools
    assert [tool["kind"] for tool in tools] == ["tool"] * len(named) + ["unattributed"]
    if cpu_s is None:
        assert rest["cpu_s"] is None
    else:
        assert same(total(tool["cpu_s"] for tool in tools), cpu_s)
    for tool in named:
        mine = [row for row in rows if row["tool"] == tool["tool"]]
        for column in ("count", "short_count", "cpu_s", "wall_s"):
            assert same(tool[column], total(row[column] for row in mine)), column


def check_shares(group: Row) -> None:
    shares = [group[f"{part}_share"] for part in WAITS]
    if None in shares:
        assert shares == [None] * len(WAITS)
        assert not group["wall_known_s"]
    else:
        assert sum(shares) == pytest.approx(1.0)
        assert min(shares) >= 0
        assert 0 < group["wall_known_share"] <= 1


def check_coverage(found: Row, rows: Rows) -> None:
    assert found["attempt_count"] == len(rows)
    assert sum(found["capture"].values()) == sum(row["capture"] is not None for row in rows)
    assert found["missing"]["cpu"] == sum(row["cpu_s"] is None for row in rows)
    unknown = sum(any(row[f"wall_{part}_s"] is None for part in WAITS) for row in rows)
    assert found["missing"]["wall_parts"] == unknown
    assert same(found["observer_cpu_s"], total(row["observer_cpu_s"] for row in rows))
    assert found["lost_count"] == sum(row["status"] == "lost" for row in rows)
