"""What held an attempt back: every label, its limits, and what must hold whatever was measured."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analysis.strategies import WAITS
from analysis.synthetic import GIB, MIB, RUN, START, many_tasks, table, task
from analysis.verdict_oracle import label_of
from tracer_hooks.analysis.tables import records, relations
from tracer_hooks.analysis.thresholds import THRESHOLDS, threshold
from tracer_hooks.analysis.verdict_advice import advice
from tracer_hooks.analysis.verdict_rules import EVIDENCE
from tracer_hooks.analysis.verdicts import LABELS, Verdicts, verdicts

IO_BOUND = ("disk_bound", "network_bound")
BUSY = {"waits": (9.8, 0.1, 0.0, 0.0, 0.1), "cpu_s": 9.8, "cpu_user_s": 9.5, "cpu_system_s": 0.3,
        "cpus_requested": 1.0, "short_process_count": 0, "major_faults": 0, "network_rx_bytes": 0,
        "network_tx_bytes": 0, "memory_peak_bytes": 100 * MIB, "reading_count": 100}  # fmt: skip
WAITING: dict[str, Any] = BUSY | {"cpu_s": 0.5, "cpu_user_s": 0.3, "cpu_system_s": 0.2}
LIMIT = '{"memory_bytes": %d, "memory_cgroup": "/job", "own": true}'


def of(*tasks: dict[str, Any], **tables: list[dict[str, Any]]) -> Verdicts:
    rows = {name: table(name, found) for name, found in tables.items()}
    return verdicts(relations({"tasks": table("tasks", list(tasks)), **rows}, RUN))


def told(row: dict[str, Any], **tables: list[dict[str, Any]]) -> dict[str, Any]:
    """The verdict of one attempt."""
    found = of(row, **tables)
    return found.verdict(records(found.tasks)[0])


def event(kind: str, detail: str) -> list[dict[str, Any]]:
    return [{"task_id": "t1", "attempt": 1, "at": START, "kind": kind, "detail": detail,
             "spool": "t1.1.x"}]  # fmt: skip


def tool(name: str, **columns: Any) -> list[dict[str, Any]]:
    return [{"task_id": "t1", "attempt": 1, "tool": name, "spool": "t1.1.x", **columns}]


def label(row: dict[str, Any], **tables: list[dict[str, Any]]) -> str:
    return str(told(row, **tables)["label"])


def test_who_waits_for_work_elsewhere_is_not_idle() -> None:
    waiting = WAITING | {"waits": (0.1, 0.0, 0.0, 0.1, 9.8)}
    assert label(task(**waiting)) == "idle"
    found = told(task(**waiting, tags={"elsewhere": "a Kubernetes pod"}))
    assert (found["label"], found["evidence"]["reason"]) == ("uncertain", "elsewhere")
    assert "elsewhere" in found["advice"]
    busy = told(task(**BUSY, tags={"elsewhere": "a Kubernetes pod"}))
    assert busy["label"] == "cpu_bound", "what it did itself stands"


def test_who_computes_is_cpu_bound() -> None:
    found = told(task(**BUSY))
    assert found["label"] == "cpu_bound"
    assert found["confidence"] > 0.9
    assert found["evidence"]["cpu_share"] == pytest.approx(0.98)
    assert found["evidence"]["cores_mean"] == pytest.approx(0.98)
    assert found["advice"]


def test_four_cores_asked_and_one_used() -> None:
    found = told(task(**BUSY | {"cpus_requested": 4.0}))
    assert found["label"] == "cpu_underused"
    assert found["evidence"]["cores_when_free"] == pytest.approx(0.98 / 0.99)
    assert found["advice"].startswith("Ask for 1 core")
    assert label(task(**BUSY | {"cpus_requested": 4.0, "cpu_s": 36.0})) == "cpu_bound"


def test_what_waited_for_a_core_used_what_it_could() -> None:
    threads = {"waits": (10.0, 30.0, 0.0, 0.0, 0.0), "cpu_s": 38.0, "cpus_requested": 4.0}
    found = told(task(**BUSY | threads))
    assert found["label"] == "cpu_contended"
    assert found["evidence"]["contended_share"] == pytest.approx(0.75)


def test_a_quota_is_named() -> None:
    held = event("throttled", '{"seconds": 6.5, "periods": 80, "throttled_periods": 70}')
    found = told(task(**BUSY | {"waits": (3.0, 7.0, 0, 0, 0), "cpu_s": 3.0}), events=held)
    assert found["label"] == "cpu_contended"
    assert found["evidence"]["throttled_s"] == 6.5
    assert "quota" in found["advice"]


def test_between_free_and_contended_is_uncertain() -> None:
    found = told(task(**BUSY | {"waits": (7.5, 2.5, 0.0, 0.0, 0.0)}))
    assert (found["label"], found["evidence"]["reason"]) == ("uncertain", "near_contention")


def test_blocked_on_disk() -> None:
    found = told(task(**WAITING | {"waits": (0.5, 0.0, 9.0, 0.0, 0.5)}))
    assert found["label"] == "disk_bound"


def test_the_kernels_work_for_a_disk_is_the_disks() -> None:
    """A fast disk: half of the time blocked, half of it in the kernel."""
    fast = {"waits": (5.0, 0.0, 5.0, 0.0, 0.0), "cpu_s": 5.0}
    found = told(task(**BUSY | fast | {"cpu_user_s": 0.8, "cpu_system_s": 4.2}))
    assert found["label"] == "disk_bound"
    assert found["evidence"]["disk_work_share"] == pytest.approx(0.92)
    # The same times, but the program's own code computes: two things hold it back.
    own = fast | {"waits": (5.4, 0.0, 4.6, 0.0, 0.0), "cpu_s": 5.4, "cpu_system_s": 0.5}
    assert label(task(**BUSY | own)) == "uncertain"


def test_a_kernel_that_computes_for_itself_is_no_disk() -> None:
    copying = {"waits": (9.0, 0.0, 0.5, 0.0, 0.5), "cpu_s": 9.0, "cpu_user_s": 0.5,
               "cpu_system_s": 8.5}  # fmt: skip
    assert label(task(**BUSY | copying)) == "cpu_bound"


def test_moving_bytes_slowly_and_waiting_for_an_answer() -> None:
    waits = {"waits": (0.5, 0.0, 0.0, 9.5, 0.0)}
    assert label(task(**WAITING | waits | {"network_rx_bytes": 80 * MIB})) == "network_bound"
    found = told(task(**WAITING | waits | {"network_rx_bytes": 3000}))
    assert found["label"] == "idle"
    assert "remote" in found["advice"]
    found = told(task(**WAITING | waits | {"network_rx_bytes": None}))
    assert (found["label"], found["evidence"]["reason"]) == ("uncertain", "network_bytes_unknown")


def test_asleep() -> None:
    assert label(task(**WAITING | {"waits": (0.5, 0.0, 0.0, 0.0, 9.5)})) == "idle"


def test_where_the_network_cannot_be_told_sleep_is_not_idle() -> None:
    blind = {"waits": (0.5, 0.0, 0.0, 0.0, 9.5), "wall_network_s": None}
    found = told(task(**WAITING | blind))
    assert (found["label"], found["evidence"]["reason"]) == ("uncertain", "network_unknown")
    # What does not depend on it can be told.
    assert label(task(**BUSY | {"wall_network_s": None})) == "cpu_bound"


def test_many_short_helpers() -> None:
    many = {"process_count": 3000, "short_process_count": 2990}
    used = tool("cut", count=2990, short_count=2990, cpu_s=6.0, wall_s=7.0)
    found = told(task(**BUSY | many), tools=used)
    assert found["label"] == "process_churn"
    assert found["evidence"]["helper_lifetime_s"] == pytest.approx(7.0 / 2990)
    # Ninety that each work for a while are no habit of starting.
    long = tool("gzip", count=200, short_count=200, cpu_s=9.0, wall_s=12.0)
    assert label(task(**BUSY | {"process_count": 200, "short_process_count": 200}), tools=long) == (
        "cpu_bound"
    )


def test_helpers_that_nobody_saw() -> None:
    polled = {"process_count": 3000, "short_process_count": 2990, "capture": "poll",
              "process_count_source": "estimated", "cpu_unattributed_s": 7.0}  # fmt: skip
    assert label(task(**BUSY | polled)) == "process_churn"
    assert label(task(**BUSY | polled | {"cpu_unattributed_s": 0.1})) == "cpu_bound"


def test_pages_that_come_back_because_memory_is_short() -> None:
    paging = BUSY | {"waits": (4.0, 0.0, 6.0, 0.0, 0.0), "cpu_s": 4.0, "cpu_user_s": 0.5,
                     "cpu_system_s": 3.5, "major_faults": 30_000}  # fmt: skip
    short = event("limit", LIMIT % (101 * MIB))
    found = told(task(**paging), events=short)
    assert found["label"] == "memory_bound"
    assert found["evidence"]["memory_limit_share"] == pytest.approx(100 / 101)
    # The same faults with memory to spare: a mapped file is read for the first time.
    assert label(task(**paging), events=event("limit", LIMIT % GIB)) == "disk_bound"
    assert label(task(**paging)) == "disk_bound"
    # At the limit, but what it waits for are no pages of its own.
    assert label(task(**paging | {"major_faults": 20}), events=short) == "disk_bound"


def test_a_host_without_memory() -> None:
    paging = BUSY | {"waits": (4.0, 0.0, 6.0, 0.0, 0.0), "cpu_system_s": 3.5, "cpu_s": 4.0,
                     "major_faults": 30_000}  # fmt: skip
    hosts = [{"host": "node1", "at": START, "memory_total_bytes": GIB, "swap_used_bytes": 0,
              "memory_available_bytes": 20 * MIB}]  # fmt: skip
    assert label(task(**paging), hosts=hosts) == "memory_bound"


def test_what_the_kernel_counted_of_stalls() -> None:
    stalled = BUSY | {"waits": (2.0, 0.0, 7.0, 0.0, 1.0), "cpu_s": 2.0}
    counted = event(
        "delays", '{"cpu_s": 0.1, "swap_s": 4.5, "reclaim_s": 1.0, "thrashing_s": null}'
    )
    found = told(task(**stalled), events=counted)
    assert found["label"] == "memory_bound"
    assert found["evidence"]["memory_stall_share"] == pytest.approx(0.55)
    unknown = event("delays", '{"swap_s": null, "reclaim_s": null, "thrashing_s": null}')
    assert "memory_stall_share" not in told(task(**stalled), events=unknown)["evidence"]


def test_out_of_memory_is_memory_however_short() -> None:
    killed = BUSY | {"waits": (0.1, 0.0, 0.0, 0.0, 0.1), "status": "failed"}
    assert label(task(**killed | {"failure_cause": "oom"})) == "memory_bound"
    assert label(task(**killed), events=event("oom", "{}")) == "memory_bound"


def test_what_ran_elsewhere_is_not_to_be_put_into_one_task() -> None:
    short = BUSY | {"waits": (0.0, 0.0, 0.0, 0.0, 0.4)}
    found = of(task(**short, tags=[("elsewhere", "job")]), task("other", step="here", **short))
    elsewhere, here = (found.verdict(row) for row in records(found.steps))
    assert elsewhere["label"] == here["label"] == "too_short"
    assert "elsewhere" in elsewhere["advice"]
    assert "put several into one task" in here["advice"]
    assert {found.verdict(row)["advice"] for row in records(found.tasks)} == {
        elsewhere["advice"], here["advice"],
    }  # fmt: skip


def test_too_short() -> None:
    assert label(task(**BUSY | {"waits": (0.3, 0.0, 0.0, 0.0, 0.1)})) == "too_short"


def test_of_two_halves_neither_is_said() -> None:
    found = told(task(**BUSY | {"waits": (5.0, 0.0, 0.0, 0.0, 5.0), "cpu_s": 5.0}))
    assert (found["label"], found["evidence"]["reason"]) == ("uncertain", "mixed")


def test_few_looks_need_more_to_be_sure() -> None:
    waits = {"waits": (3.0, 0.0, 7.0, 0.0, 0.0), "cpu_s": 3.0, "cpu_system_s": 0.0}
    assert label(task(**BUSY | waits | {"reading_count": 200})) == "disk_bound"
    assert label(task(**BUSY | waits | {"reading_count": 2})) == "uncertain"
    assert label(task(**BUSY | waits | {"reading_count": None})) == "uncertain"


def test_nothing_measured_is_uncertain_and_never_a_number() -> None:
    nothing = {name: None for name, value in task().items() if not isinstance(value, str)}
    row = {**task(), **nothing, "attempt": 1, "status": "lost"}
    found = told(row)
    assert (found["label"], found["evidence"]["reason"]) == ("uncertain", "not_measured")
    assert not {"cpu_share", "cores_mean", "major_faults", "helper_share"} & set(found["evidence"])


def test_what_is_no_number_is_not_known() -> None:
    odd = task(**BUSY | {"cpu_s": math.nan, "wall_cpu_s": math.nan})
    assert told(odd)["evidence"]["reason"] == "not_measured"


def test_a_step_is_what_most_of_its_time_says() -> None:
    asleep = WAITING | {"waits": (0.0, 0.0, 0.0, 0.0, 10.0)}
    rows = [task(f"short{n}", **asleep | {"waits": (0.0, 0.0, 0.0, 0.0, 1.0)}) for n in range(9)]
    long = BUSY | {"waits": (30.0, 0.0, 0.0, 0.0, 0.0), "cpu_s": 30.0}
    found = of(*rows, task("long", **long))
    (step,) = records(found.steps)
    assert (step["label"], step["attempt_count"]) == ("cpu_bound", 10)  # nine of ten sleep
    assert step["label_share"] == pytest.approx(30 / 39)
    assert step["cpu_share"] == pytest.approx(1.0)  # the evidence is that of the labelled


def test_a_step_of_which_no_label_has_half_is_uncertain() -> None:
    asleep = WAITING | {"waits": (0.0, 0.0, 0.0, 0.0, 10.0)}
    blocked = WAITING | {"waits": (0.0, 0.0, 10.0, 0.0, 0.0)}
    (step,) = records(of(task("a", **BUSY), task("b", **asleep), task("c", **blocked)).steps)
    assert (step["label"], step["reason"]) == ("uncertain", "mixed_attempts")
    assert step["cpu_share"] == pytest.approx(9.8 / 30)  # of all attempts
    assert step["confidence"] <= 0.5


def test_tasks_of_no_step_and_attempts_alike_have_verdicts_of_their_own() -> None:
    twice = [task("a", spool="s1", **BUSY), task("a", spool="s2", at=20, **WAITING | {
        "waits": (0.0, 0.0, 0.0, 0.0, 10.0)})]  # fmt: skip
    found = of(*twice, task("b", step=None, **BUSY))
    labels = {row["spool"]: row["label"] for row in records(found.tasks)}
    assert labels == {"s1": "cpu_bound", "s2": "idle", "b.1.x": "cpu_bound"}
    assert {row["step"]: row["label"] for row in records(found.steps)}[None] == "cpu_bound"


fractions = st.floats(0, 1)
maybe = st.none() | st.floats(0, 1e6)
whole = st.none() | st.integers(0, 1_000_000)


@st.composite
def any_attempt(draw: st.DrawFn, **fixed: Any) -> dict[str, Any]:
    """An attempt whose figures may be anything, or missing, or contradict each other."""
    wall = draw(st.floats(0.0, 1000.0))
    weights = draw(st.lists(fractions, min_size=5, max_size=5))
    total = sum(weights) or 1.0
    parts: list[float | None] = [wall * weight / total for weight in weights]
    if not draw(st.integers(0, 4)):
        parts[draw(st.integers(0, 4))] = None
    cpu = draw(st.none() | st.floats(0, 4000.0))
    columns = {
        "wall_s": draw(st.none() | st.just(wall)),
        **{f"wall_{name}_s": part for name, part in zip(WAITS, parts, strict=True)},
        "cpu_s": cpu,
        "cpu_system_s": None if cpu is None else draw(st.none() | fractions.map(lambda f: f * cpu)),
        "cpu_unattributed_s": draw(maybe),
        "cpus_requested": draw(st.none() | st.sampled_from([0.5, 1.0, 2.0, 8.0])),
        "reading_count": draw(st.none() | st.integers(0, 500)),
        "process_count": draw(whole),
        "short_process_count": draw(whole),
        "process_count_source": draw(st.sampled_from([None, "estimated", "perf"])),
        "major_faults": draw(whole),
        "network_rx_bytes": draw(whole),
        "network_tx_bytes": draw(whole),
        "memory_peak_bytes": draw(st.none() | st.integers(0, GIB)),
        "failure_cause": draw(st.sampled_from([None, None, None, "oom"])),
    }  # fmt: skip
    return {**columns, **fixed}


@st.composite
def busy_attempt(draw: st.DrawFn) -> dict[str, Any]:
    """A program's own code computes for more than half of the time; all else is noise."""
    row = draw(any_attempt(failure_cause=None))
    wall = draw(st.floats(0.6, 1000.0))
    share = draw(st.floats(0.55, 1.0))
    weights = draw(st.lists(fractions, min_size=4, max_size=4))
    rest = wall * (1 - share) / (sum(weights) or 1.0)
    parts = [wall * share, *(rest * weight for weight in weights)]
    kernel = draw(st.floats(0, 1 - 0.5 / share))
    return {
        **row, "wall_s": wall, "cpu_s": wall * share, "cpu_system_s": wall * share * kernel,
        **{f"wall_{name}_s": part for name, part in zip(WAITS, parts, strict=True)},
    }  # fmt: skip


@st.composite
def tables(draw: st.DrawFn, attempt: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """Thirty attempts at once, with tools and events: a query takes longer than its rows."""
    found = draw(st.lists(attempt, min_size=30, max_size=30))
    tasks = [task(f"t{n}", waits=None, spool=f"s{n}", **row) for n, row in enumerate(found)]
    tools = [
        {"task_id": f"t{n}", "attempt": 1, "spool": f"s{n}", "tool": "x", "count": draw(whole),
         "short_count": draw(whole), "cpu_s": draw(maybe), "wall_s": draw(maybe)}
        for n in range(0, 30, 2)
    ]  # fmt: skip
    details = ['{"memory_bytes": 500000000}', '{"seconds": 3.5}', '{"swap_s": 9}', "{", None]
    kinds = ["limit", "throttled", "delays", "limit", None]
    events = [
        {"task_id": f"t{n}", "attempt": 1, "spool": f"s{n}", "at": START, "kind": kind,
         "detail": detail}
        for n in range(0, 30, 3) for kind, detail in zip(kinds, details, strict=True)
        if draw(st.booleans())
    ]  # fmt: skip
    return {"tasks": table("tasks", tasks), "tools": table("tools", tools),
            "events": table("events", events)}  # fmt: skip


always = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large,
                           HealthCheck.large_base_example],
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip


@always
@given(tables(any_attempt()))
def test_the_evidence_alone_gives_the_label(run: dict[str, Any]) -> None:
    found = verdicts(relations(run, RUN))
    rows = records(found.tasks)
    assert len(rows) == 30
    for row in rows:
        assert row["label"] in LABELS
        assert 0 <= row["confidence"] <= threshold("confidence_most")
        assert row["label"] == label_of(row), {k: row[k] for k in EVIDENCE if row[k] is not None}
        shares = [row[f"{part}_share"] for part in WAITS]
        if None not in shares:
            assert sum(shares) == pytest.approx(1.0)
        assert (row["label"] == "uncertain") == (row["reason"] is not None)
        assert advice(row["label"], found.verdict(row)["evidence"]).endswith(".")
    for step in records(found.steps):
        assert step["label"] in LABELS
        assert 0 <= step["confidence"] <= 1
    assert found.run["label"] in LABELS


@always
@given(tables(busy_attempt()))
def test_what_computes_is_never_called_io_bound(run: dict[str, Any]) -> None:
    found = verdicts(relations(run, RUN))
    for row in [*records(found.tasks), *records(found.steps)]:
        assert row["label"] not in (*IO_BOUND, "idle"), row
    assert found.run["label"] not in IO_BOUND


def test_fifty_thousand_attempts_have_a_verdict_each() -> None:
    found = verdicts(relations(many_tasks(50_000), RUN))
    assert len(found.tasks) == 50_000
    assert found.tasks["label"].isin(LABELS).all()
    assert found.tasks["confidence"].notna().all()


def test_the_rules_page_shows_the_limits_that_are_in_force() -> None:
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "verdicts.md").read_text()
    shown = {line.split("|")[1].strip(" `"): line for line in text.splitlines() if "| `" in line}
    from_verdicts = [name for name in THRESHOLDS if f'"{name}"' in _rules()]
    for name in from_verdicts:
        limit = THRESHOLDS[name]
        assert f"| {limit.value:g} {limit.unit} |" in shown[name], name
        assert limit.reason in shown[name], name
    for one in LABELS:
        assert f"`{one}`" in text


def _rules() -> str:
    from pathlib import Path

    from tracer_hooks.analysis import verdicts as module

    return "".join(path.read_text() for path in Path(module.__file__).parent.glob("verdict*.py"))
