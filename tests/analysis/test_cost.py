"""Costs of runs small enough to be worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analysis.pricing import BILLING, HERE, RATES, host_price, priced, rate
from analysis.synthetic import GIB, RUN, START, table, task
from tracer_hooks.analysis.carbon import Assumptions
from tracer_hooks.analysis.cost import CostReport, cost, roll_up
from tracer_hooks.analysis.tables import records
from tracer_hooks.prices.rates import SPLIT, Pricing
from tracer_hooks.prices.sheet import PriceError

HOUR = 3600.0


def an_hour(task_id: str = "t1", **columns: Any) -> dict[str, Any]:
    """An hour on one core of two, all the while; 1 GiB of 4, peak 2."""
    return task(task_id, waits=None, **{
        "wall_s": HOUR, "ended_at": None, "cpu_s": HOUR, "wall_cpu_s": HOUR, "threads_peak": 4,
        "cpu_unattributed_s": 0.0, "cpus_requested": 2.0, "memory_requested_bytes": 4 * GIB,
        "memory_mean_bytes": GIB, "memory_peak_bytes": 2 * GIB, **columns,
    })  # fmt: skip


def of(*rows: dict[str, Any], pricing: Pricing, **tables: Any) -> CostReport:
    return cost({"tasks": table("tasks", list(rows)), **tables}, pricing, RUN)


def one(found: CostReport) -> dict[str, Any]:
    (row,) = records(found.tasks)
    return row


def test_an_attempt_by_rates() -> None:
    row = one(of(an_hour(), pricing=priced(*RATES)))
    assert row["allocated"] == pytest.approx(2 * 0.04 + 4 * 0.005)
    assert row["useful"] == pytest.approx(1 * 0.04 + 1 * 0.005)
    # Recommended: 1.25 cores and 2.5 GiB.
    assert row["over_requested"] == pytest.approx(0.75 * 0.04 + 1.5 * 0.005)
    assert row["headroom"] == pytest.approx(0.25 * 0.04 + 1.5 * 0.005)
    assert (row["unmeasured"], row["failed"]) == (0.0, 0.0)


def test_what_is_used_beyond_the_request_is_allocated() -> None:
    row = one(of(an_hour(cpus_requested=0.5), pricing=priced(rate("vCPU-Hours", 1.0))))
    assert (row["allocated"], row["useful"], row["over_requested"]) == (1.0, 1.0, 0.0)


def test_the_peak_is_what_ran_while_it_computed_and_no_more_than_its_threads() -> None:
    pricing = priced(rate("vCPU-Hours", 1.0), margin=0.0)
    half = an_hour(wall_cpu_s=HOUR / 4, cpus_requested=8.0)  # four cores, a quarter of the time
    assert one(of(half, pricing=pricing))["over_requested"] == pytest.approx(4.0)
    assert one(of({**half, "threads_peak": 2}, pricing=pricing))["over_requested"] == 6.0


def test_a_host_price_is_split_by_what_cores_and_memory_are_worth() -> None:
    row = one(of(an_hour(), pricing=priced(host_price(), instance=HERE)))
    worth = 4 * SPLIT["cpu"] + 16 * SPLIT["memory"]
    assert row["allocated"] == pytest.approx((2 * SPLIT["cpu"] + 4 * SPLIT["memory"]) / worth)


def test_the_dominant_share() -> None:
    row = one(of(an_hour(), pricing=priced(host_price(), instance=HERE, method="dominant_share")))
    assert row["allocated"] == pytest.approx(0.5)  # two of four cores; a quarter of the memory
    assert row["useful"] == pytest.approx(0.25)
    assert row["over_requested"] == pytest.approx(0.5 - 1.25 / 4)


def test_the_whole_instance_is_paid_for_and_shared_by_those_who_are_on_it() -> None:
    pricing = priced(host_price(), instance=HERE, method="whole_instance")
    assert one(of(an_hour(), pricing=pricing))["allocated"] == pytest.approx(1.0)
    found = of(an_hour("a"), an_hour("b"), pricing=pricing)
    assert [row["allocated"] for row in records(found.tasks)] == pytest.approx([0.5, 0.5])
    assert (found.run["host_cost"], found.run["idle"]) == (pytest.approx(1.0), 0.0)


def test_slurm_bills_weights() -> None:
    row = one(of(an_hour(), pricing=priced(BILLING, method="slurm_tres")))
    assert row["allocated"] == pytest.approx(0.02 * (2 * 1.0 + 4 * 0.25))
    most = priced({**BILLING, "x_MaxTRES": "true"}, method="slurm_tres")
    assert one(of(an_hour(), pricing=most))["allocated"] == pytest.approx(0.02 * 2)


def test_what_no_task_had_is_idle() -> None:
    found = of(an_hour("a"), an_hour("b", at=HOUR / 2), pricing=priced(host_price(), instance=HERE))
    assert found.run["host_cost"] == pytest.approx(1.5)
    assert found.run["idle"] == pytest.approx(1.5 - found.run["allocated"])


def test_an_oversubscribed_host_costs_no_more_than_it_does() -> None:
    tasks = [an_hour(f"t{i}", cpus_requested=4.0, spool=str(i)) for i in range(3)]
    found = of(*tasks, pricing=priced(host_price(), instance=HERE))
    assert found.run["allocated"] == pytest.approx(1.0)
    assert found.run["idle"] == pytest.approx(0.0, abs=1e-12)
    rows = records(found.tasks)
    assert sum(rows[0][p] for p in ("useful", "headroom", "over_requested")) == pytest.approx(1 / 3)


def test_a_host_that_was_silent_for_a_week_was_given_back() -> None:
    found = of(
        an_hour("a"), an_hour("b", at=7 * 24 * HOUR), pricing=priced(host_price(), instance=HERE)
    )
    assert found.run["host_cost"] == pytest.approx(2.0)


def test_two_runs_on_one_host_pay_for_it_once() -> None:
    runs = [table("tasks", [an_hour()], run_id) for run_id in ("r1", "r2")]
    import pyarrow as pa

    found = roll_up({"tasks": pa.concat_tables(runs)}, "run", priced(host_price(), instance=HERE))
    assert found.total["host_cost"] == pytest.approx(1.0)


@pytest.mark.parametrize("status", ["failed", "lost", "cancelled"])
def test_what_failed_has_a_line_of_its_own(status: str) -> None:
    row = one(of(an_hour(status=status), pricing=priced(*RATES)))
    assert row["failed"] == row["allocated"] > 0


def test_an_attempt_that_was_made_again_is_failed_whatever_it_said() -> None:
    first, again = an_hour(), an_hour(attempt=2, spool="t1.2.x", at=HOUR)
    rows = records(of(first, again, pricing=priced(*RATES)).tasks)
    assert [row["failed"] for row in rows] == [rows[0]["allocated"], 0.0]


def test_what_was_not_measured_is_allocated_but_neither_useful_nor_wasted() -> None:
    unknown = an_hour(cpu_s=None, memory_mean_bytes=None, memory_peak_bytes=None)
    row = one(of(unknown, pricing=priced(*RATES)))
    assert row["unmeasured"] == row["allocated"] == pytest.approx(0.1)
    assert (row["useful"], row["headroom"], row["over_requested"]) == (None, None, None)


def test_nothing_asked_and_nothing_measured_has_no_cost() -> None:
    unknown = an_hour(cpu_s=None, cpus_requested=None)
    found = of(unknown, an_hour("t2"), pricing=priced(*RATES))
    first, second = records(found.tasks)
    assert first["allocated"] is None
    assert found.run["allocated"] == second["allocated"]
    assert found.run["unpriced_share"] == pytest.approx(0.5)


def test_gpus_that_were_asked_for_are_charged_and_said_to_be_unmeasured() -> None:
    row = one(of(an_hour(tags=[("gpus", "2")]), pricing=priced(*RATES)))
    assert row["unmeasured"] == pytest.approx(2.0)
    assert row["allocated"] == pytest.approx(2.1)


@pytest.mark.parametrize("change", [{"RegionId": "there"}, {"ListUnitPrice": 0},
                                    {"PricingCategory": "Dynamic"}, {"SkuId": "n"}])  # fmt: skip
def test_no_price_is_null_and_never_anothers(change: dict[str, Any]) -> None:
    found = of(an_hour(), pricing=priced(host_price(**change), instance=HERE))
    assert one(found)["allocated"] is None
    assert (found.run["allocated"], found.run["idle"]) == (None, None)
    assert found.run["unpriced_share"] == 1.0
    assert found.hosts["node1"]


def test_tools_share_an_attempt_by_cpu_and_memory() -> None:
    row = an_hour(cpu_unattributed_s=HOUR / 4)
    tools = [
        {"task_id": "t1", "attempt": 1, "spool": row["spool"], "tool": name, "cpu_s": cpu,
         "wall_s": HOUR, "memory_peak_bytes": size}
        for name, cpu, size in (("bwa", HOUR / 2, 2 * GIB), ("sort", HOUR / 4, 0))
    ]  # fmt: skip
    pricing = priced(rate("vCPU-Hours", 0.04), rate("GiB-Hours", 0.005))
    found = of(row, pricing=pricing, tools=table("tools", tools))
    weights = {"bwa": 0.02 + 0.01, "sort": 0.01, "(unattributed)": 0.01}
    shares = {r["tool"]: r["allocated"] / found.run["allocated"] for r in records(found.tools)}
    assert shares == pytest.approx({name: w / 0.05 for name, w in weights.items()})


def test_hosts_are_priced_by_what_was_recorded_there() -> None:
    said = {"host": "node1", "provider": "aws", "region": "here", "instance_type": "m",
            "purchase": "Standard", "source": "AWS IMDSv2"}  # fmt: skip
    events = table("events", [{"kind": "instance", "at": START, "detail": json.dumps(said)}])
    tasks = [an_hour("a"), an_hour("b", host="node2")]
    first, second = records(of(*tasks, pricing=priced(host_price()), events=events).tasks)
    assert first["allocated"] is not None
    assert second["allocated"] is None


@pytest.mark.parametrize("detail", ["[]", "{}", "", '{"host": 1, "instance_type": "m"}', "x"])
def test_an_event_that_says_nothing_is_no_instance(detail: str) -> None:
    events = table("events", [{"kind": "instance", "at": START, "detail": detail}])
    assert one(of(an_hour(), pricing=priced(host_price()), events=events))["allocated"] is None


def test_a_sheet_without_sizes_takes_those_that_were_measured() -> None:
    bare = host_price(x_VCpus="", x_MemoryGiB="")
    assert one(of(an_hour(), pricing=priced(bare, instance=HERE)))["allocated"] is None
    hosts = [{"host": "node1", "at": START, "cpu_count": 4, "memory_total_bytes": 16 * GIB}]
    found = of(an_hour(), pricing=priced(bare, instance=HERE), hosts=table("hosts", hosts))
    whole = of(an_hour(), pricing=priced(host_price(), instance=HERE))
    assert one(found)["allocated"] == pytest.approx(one(whole)["allocated"])


def test_prices_in_two_currencies_do_not_add_up() -> None:
    pricing = priced(
        host_price(ResourceId="node1"),
        host_price(ResourceId="node2", BillingCurrency="EUR"),
    )
    with pytest.raises(PriceError, match="EUR and USD"):
        of(an_hour(), an_hour("b", host="node2"), pricing=pricing)


def test_energy_by_the_green_algorithms_formula() -> None:
    found = cost({"tasks": table("tasks", [an_hour()])}, Pricing(), RUN, Assumptions())
    assert found.carbon is not None
    kwh = (1 * 12.0 + 4 * 0.3725) * 1.67 / 1000
    assert found.carbon["energy_kwh"] == pytest.approx(kwh)
    assert found.carbon["carbon_g"] == pytest.approx(kwh * 475)
    assert found.carbon["assumptions"]["pue"] == 1.67
    nothing = cost({"tasks": table("tasks", [an_hour(cpu_s=None)])}, Pricing(), RUN, Assumptions())
    assert nothing.carbon is not None
    assert nothing.carbon["energy_kwh"] is None
