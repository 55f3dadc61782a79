"""Right-sizing: what is recommended is enough for what was seen, and says what it rests on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analysis.strategies import task_rows
from analysis.synthetic import GIB, MIB, START, table, task
from tracer_hooks.analysis.sizing import Margins, size_steps
from tracer_hooks.analysis.tables import records
from tracer_hooks.prices.files import parse_sheet
from tracer_hooks.prices.rates import Pricing

Row = dict[str, Any]


def sized(rows: list[Row], margins: Margins | None = None, **tables: Any) -> dict[str, Row]:
    found = size_steps({"tasks": table("tasks", rows), **tables}, margins)
    return {row["step"]: row for row in records(found.steps)}


def some(count: int, **columns: Any) -> list[Row]:
    return [task(f"t{i}", spool=f"s{i}", **columns) for i in range(count)]


def test_memory_is_the_largest_peak_and_the_margin() -> None:
    rows = [task(f"t{i}", memory_peak_bytes=(i + 1) * 100 * MIB) for i in range(4)]
    row = sized(rows)["align"]
    assert row["memory_bytes"] == 500 * MIB
    assert row["observation_count"] == 4
    assert row["next_share"] == pytest.approx(1 / 5)
    assert sized(rows, Margins(memory=0.5))["align"]["memory_bytes"] == 600 * MIB


def test_an_attempt_that_ran_out_of_memory_is_a_lower_bound() -> None:
    killed = task("t0", attempt=1, status="failed", failure_cause="oom", spool="k",
                  memory_peak_bytes=900 * MIB, memory_requested_bytes=GIB)  # fmt: skip
    row = sized([killed, *some(4, memory_peak_bytes=300 * MIB)])["align"]
    assert row["memory_bytes"] == 1.25 * GIB  # not below what was not enough
    assert row["oom_count"] == 1
    assert row["exceeded_count"] == 0
    covered = sized([killed, *some(4, memory_peak_bytes=300 * MIB)], Margins(cover=0.5))["align"]
    assert covered["memory_bytes"] == 1.25 * GIB  # nor does --cover spare it


def test_one_that_ran_out_of_time_too() -> None:
    killed = task("t0", waits=None, wall_s=3600.0, time_requested_s=3600.0, status="failed",
                  failure_cause="timeout", spool="k")  # fmt: skip
    row = sized([killed, *some(4)])["align"]
    assert row["time_s"] == pytest.approx(5400)
    assert row["timeout_count"] == 1


def test_cores_are_those_of_the_busiest_and_of_its_bursts() -> None:
    busy = (10.0, 0.0, 0.0, 0.0, 0.0)
    assert sized(some(3, waits=busy, cpu_s=19.0, cpus_requested=4.0))["align"]["cpus"] == 2
    rows = some(
        3, waits=busy, cpu_s=10.0, cpus_requested=8.0
    )  # one core on average, four for a while
    course = [(0.0, 0.0), (8.0, 2.0), (10.0, 10.0)]
    readings = [
        {"task_id": "t0", "attempt": 1, "spool": "s0", "at": START, "elapsed_s": at, "cpu_s": cpu}
        for at, cpu in course
    ]
    assert sized(rows, readings=table("readings", readings))["align"]["cpus"] == 4


def test_who_waited_for_a_core_would_have_used_more() -> None:
    waits = (5.0, 5.0, 0.0, 0.0, 0.0)
    assert sized(some(3, waits=waits, cpu_s=18.0, cpus_requested=4.0))["align"]["cpus"] == 4
    assert sized(some(3, waits=waits, cpu_s=18.0, cpus_requested=3.0))["align"]["cpus"] == 3


def test_a_step_seen_too_rarely_is_left_alone() -> None:
    row = sized([*some(2), task("t9", status="failed", spool="f")])["align"]
    assert row["left_alone"] == "too few"
    assert {row[name] for name in ("cpus", "memory_bytes", "time_s", "saved_gib_h")} == {None}
    assert sized(some(2), Margins(observations=2))["align"]["left_alone"] is None


def test_memory_that_follows_the_input_gets_a_line() -> None:
    rows = [
        task(f"t{i}", input_bytes=(i + 1) * GIB, memory_peak_bytes=100 * MIB + (i + 1) * GIB // 2)
        for i in range(8)
    ]
    row = sized(rows)["align"]
    assert row["fitted"]
    assert row["fit_r2"] == pytest.approx(1)
    assert row["fit_per_byte"] == pytest.approx(0.5 * 1.25)
    assert row["fit_base_bytes"] == pytest.approx(125 * MIB, rel=1e-6)
    assert not sized([{**r, "input_bytes": 5 * GIB} for r in rows])["align"]["fitted"]
    assert not sized(rows[:5])["align"]["fitted"]
    noise = [900, 100, 500, 120, 800, 130, 700, 300]
    loose = [{**r, "memory_peak_bytes": n * MIB} for r, n in zip(rows, noise, strict=True)]
    assert not sized(loose)["align"]["fitted"]


def test_saving_in_hours_and_in_money() -> None:
    rows = some(4, waits=None, wall_s=3600.0, cpu_s=3600.0, cpus_requested=4.0,
                memory_mean_bytes=GIB, memory_requested_bytes=10 * GIB,
                memory_peak_bytes=4 * GIB)  # fmt: skip
    sheet = parse_sheet(
        [
            {"PricingUnit": "vCPU-Hours", "ListUnitPrice": "0.1", "BillingCurrency": "EUR"},
            {"PricingUnit": "GiB-Hours", "ListUnitPrice": "0.01", "BillingCurrency": "EUR"},
        ],
        "own",
    )
    tables = {"tasks": table("tasks", rows)}
    sizing = size_steps(tables, pricing=Pricing(sheets=(sheet,)))
    (row,) = records(sizing.steps)
    assert row["saved_core_h"] == pytest.approx(12)
    assert row["saved_gib_h"] == pytest.approx(20)
    assert row["saved_cost"] == pytest.approx(12 * 0.1 + 20 * 0.01)
    assert sizing.currency == "EUR"
    (unpriced,) = records(size_steps(tables, pricing=Pricing()).steps)
    assert unpriced["saved_cost"] is None
    assert unpriced["saved_core_h"] == pytest.approx(12)


@settings(
    max_examples=8, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip
@given(st.lists(task_rows(), max_size=14, unique_by=lambda row: row["spool"]),
       st.sampled_from([1.0, 0.8, 0.5]))  # fmt: skip
def test_what_is_recommended_holds_what_was_seen_or_counts_it(
    rows: list[Row], cover: float
) -> None:
    rows = [{**row, "step": row["step"] and row["step"][:1]} for row in rows]
    for step, said in sized(rows, Margins(cover=cover)).items():
        mine = [r for r in rows if r["step"] == step and r["status"] not in (None, "running")]
        done = [r for r in mine if r["status"] == "succeeded"]
        assert said["observation_count"] == len(done)
        assert (said["left_alone"] is None) == (len(done) >= 3)
        if said["left_alone"]:
            continue
        over = 0
        for row in mine:
            memory, wall = row["memory_peak_bytes"], row["wall_s"]
            too_big = memory is not None and said["memory_bytes"] < memory
            too_long = wall is not None and said["time_s"] < wall
            over += too_big or too_long
            if row["status"] != "succeeded":
                assert not too_big
                assert not too_long
        # A line may hold one that a constant does not, and the other way round.
        if not said["fitted"]:
            assert said["exceeded_count"] == over
        if cover == 1.0:
            assert said["exceeded_count"] == 0
