"""What always holds of costs (DESIGN 9), for random runs and every method.

One command: `python -m pytest tests/analysis/test_cost_invariants.py`; with
`--hypothesis-profile thorough` it takes ten times as many runs.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.pricing import METHODS
from analysis.synthetic import GIB, START, table, task
from tracer_hooks.analysis.cost import COSTS, CostReport, RollUp, cost, roll_up
from tracer_hooks.analysis.tables import records
from tracer_hooks.prices.rates import Pricing

PARTS = ("useful", "headroom", "over_requested", "unmeasured")
MANY = settings.default.max_examples  # 100, or what --hypothesis-profile says
SETTINGS = settings(
    max_examples=MANY // 10, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
some = st.none() | st.floats(0.001, 50)


@st.composite
def attempt(draw: st.DrawFn, number: int) -> dict[str, Any]:
    wall = draw(st.none() | st.floats(0.0, 20_000))
    busy = None if wall is None else draw(st.none() | st.floats(0.0, 1.0).map(lambda x: x * wall))
    start = START + dt.timedelta(seconds=draw(st.floats(0, 30_000)))
    peak = draw(st.none() | st.integers(1, 64 * GIB))
    mean = None if peak is None else draw(st.none() | st.integers(0, peak))
    return task(
        draw(st.sampled_from(["t1", "t2", "t3"])),
        waits=None,
        step=draw(st.sampled_from(["align", "sort", None])),
        pipeline=draw(st.sampled_from(["p", None])),
        sample=draw(st.sampled_from(["S1", "S2", None])),
        tags=[("project", draw(st.sampled_from(["x", "y"])))] if draw(st.booleans()) else None,
        attempt=draw(st.integers(1, 3)),
        status=draw(st.sampled_from(["succeeded", "failed", "lost", "cancelled", "running", None])),
        host=draw(st.sampled_from(["node1", "node2", None])),
        started_at=draw(st.sampled_from([start, start, start, None])),
        ended_at=None,
        wall_s=wall,
        wall_cpu_s=busy,
        cpu_s=draw(st.none() | st.floats(0, 100_000)),
        cpu_unattributed_s=draw(st.none() | st.floats(-1, 1000)),
        threads_peak=draw(st.none() | st.integers(1, 64)),
        cpus_requested=draw(st.none() | st.floats(0, 64)),
        memory_requested_bytes=draw(st.none() | st.integers(0, 256 * GIB)),
        memory_peak_bytes=peak,
        memory_mean_bytes=mean,
        spool=f"spool{number}",
    )


@st.composite
def a_run(draw: st.DrawFn, run_id: str = "r") -> dict[str, pa.Table]:
    tasks = [draw(attempt(number)) for number in range(draw(st.integers(0, 7)))]
    tools = [
        {
            "task_id": row["task_id"], "attempt": row["attempt"], "spool": row["spool"],
            "tool": tool, "cpu_s": draw(some), "wall_s": draw(some),
            "memory_peak_bytes": draw(st.none() | st.integers(0, 8 * GIB)),
        }
        for row in tasks
        for tool in draw(st.lists(st.sampled_from(["bwa", "sort", "sh"]), unique=True))
    ]  # fmt: skip
    return {"tasks": table("tasks", tasks, run_id), "tools": table("tools", tools, run_id)}


def total(frame: Any, column: str) -> float | None:
    known = [row[column] for row in records(frame) if row[column] is not None]
    return math.fsum(known) if known else None


def same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def check_parts(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["allocated"] is None:
            assert [row[name] for name in COSTS] == [None] * len(COSTS)
            continue
        known = [row[name] for name in PARTS if row[name] is not None]
        assert same(math.fsum(known), row["allocated"]), row
        assert min(known) >= -1e-12 * max(1.0, row["allocated"]), row
        assert 0 <= row["failed"] <= row["allocated"] * (1 + 1e-9)
        if row["useful"] is None:
            assert same(row["unmeasured"], row["allocated"])


methods = st.sampled_from(sorted(METHODS))


@given(tables=a_run(), method=methods)
@settings(SETTINGS, max_examples=MANY // 4)
def test_the_cost_of_a_run(tables: dict[str, pa.Table], method: str) -> None:
    found = cost(tables, METHODS[method], "r")
    check_parts(records(found.tasks))
    check_views(found)
    check_hosts(found, tables)


def check_views(found: CostReport) -> None:
    """Steps, tools, samples and attempts add up to the same total."""
    for name in COSTS:
        for frame in (found.tasks, found.steps, found.samples, found.tools):
            assert same(total(frame, name), found.run[name]), name
    assert found.run["attempts"] == len(found.tasks)
    share = found.run["unpriced_share"]
    if len(found.tasks):
        priced = found.run["allocated"] is not None
        assert 0 <= share <= 1
        assert priced or share == 1


def check_hosts(found: CostReport, tables: dict[str, pa.Table]) -> None:
    """What was allocated and what was idle is what the hosts cost."""
    run = found.run
    if run["host_cost"] is None:
        assert run["idle"] is None
        return
    # Attempts of which nobody knows when they ran are on no host's bill.
    known = [
        row["allocated"] or 0.0
        for row, attempt in zip(records(found.tasks), in_order(tables), strict=True)
        if attempt["started_at"] is not None and attempt["wall_s"] is not None
    ]
    assert run["idle"] >= 0
    assert same(math.fsum(known) + run["idle"], run["host_cost"])


def in_order(tables: dict[str, pa.Table]) -> list[dict[str, Any]]:
    """Attempts as the report has them: by start, those that have none last."""
    rows: list[dict[str, Any]] = tables["tasks"].to_pylist()
    late = START + dt.timedelta(days=10_000)
    return sorted(
        rows, key=lambda r: (r["started_at"] or late, r["task_id"], r["attempt"], r["spool"])
    )


@given(first=a_run("r1"), second=a_run("r2"), method=methods)
@settings(SETTINGS, max_examples=MANY // 16)
def test_runs_tags_and_tools_of_many_runs_add_up_to_the_same(
    first: dict[str, pa.Table], second: dict[str, pa.Table], method: str
) -> None:
    pricing = METHODS[method]
    both = {name: pa.concat_tables([first[name], second[name]]) for name in first}
    by_run: RollUp = roll_up(both, "run", pricing)
    check_parts(records(by_run.rows))
    for by in ("pipeline", "step", "task", "tool", "sample", "tag:project"):
        found = roll_up(both, by, pricing)
        for name in COSTS:
            assert same(total(found.rows, name), by_run.total[name]), (by, name)
            assert same(found.total[name], by_run.total[name]), (by, name)
        assert same(found.total["idle"], by_run.total["idle"])


@given(tables=a_run())
@SETTINGS
def test_without_a_price_everything_is_null_and_nothing_is_zero(
    tables: dict[str, pa.Table],
) -> None:
    found = cost(tables, Pricing(), "r")
    for frame in (found.tasks, found.steps, found.samples, found.tools):
        for row in records(frame):
            assert [row[name] for name in COSTS] == [None] * len(COSTS)
    assert [found.run[name] for name in (*COSTS, "idle", "host_cost", "currency")] == [None] * 9
    assert found.run["unpriced_share"] == (1.0 if len(found.tasks) else None)


@given(tables=a_run(), margin=st.floats(0, 5))
@SETTINGS
def test_a_larger_margin_never_makes_more_of_a_request_superfluous(
    tables: dict[str, pa.Table], margin: float
) -> None:
    def over(margin: float) -> float:
        pricing = Pricing(METHODS["rates alone"].sheets, margin=margin)
        return cost(tables, pricing, "r").run["over_requested"] or 0.0

    assert over(margin) >= over(margin + 0.5) - 1e-9
