"""A run summed up: attempts, statuses, facts, coverage."""

from __future__ import annotations

import datetime as dt
import gc
import json
from typing import Any

import ibis
import pyarrow as pa
import pytest

from analysis.synthetic import (
    MIB,
    RUN,
    START,
    many_tasks,
    process,
    sequencing_run,
    table,
    task,
)
from tracer_hooks.analysis import usage
from tracer_hooks.analysis.coverage import coverage
from tracer_hooks.analysis.summary import RunReport, run_facts, summarise
from tracer_hooks.analysis.tables import records, relations
from tracer_hooks.analysis.task import summarise_task
from tracer_hooks.report.provenance import degraded_line
from tracer_hooks.store.schema import TABLES


def run_of(*tasks: dict[str, Any], **tables: list[dict[str, Any]]) -> RunReport:
    rows = {name: table(name, found) for name, found in tables.items()}
    return summarise({"tasks": table("tasks", list(tasks)), **rows}, RUN)


def test_the_last_attempt_decides_and_all_attempts_count() -> None:
    report = run_of(
        task("a", attempt=2, status="succeeded", cpu_s=5.0, spool="s2"),
        task("a", attempt=1, status="failed", cpu_s=3.0, spool="s1"),
        task("b", attempt=1, status="succeeded", cpu_s=1.0, spool="s3"),
        task("b", attempt=2, status="failed", cpu_s=1.0, spool="s4"),
    )
    totals = report.totals
    assert (totals["count"], totals["attempt_count"]) == (2, 4)
    assert (totals["succeeded_count"], totals["failed_count"]) == (1, 1)
    assert totals["failed_attempt_count"] == 2
    assert totals["cpu_s"] == 10.0
    by_id = {row["task_id"]: row for row in records(report.by_task)}
    assert by_id["a"]["status"] == "succeeded"
    assert by_id["a"]["cpu_s"] == 8.0
    assert report.run["status"] == "failed"


def test_of_two_records_of_one_attempt_number_the_later_start_decides() -> None:
    report = run_of(
        task("a", status="failed", at=0, spool="z"), task("a", status="succeeded", at=60, spool="y")
    )
    assert report.totals["succeeded_count"] == 1
    assert report.totals["failed_count"] == 0


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [("succeeded", "succeeded"), ("succeeded failed", "failed"), ("failed lost", "lost"),
     ("lost running", "running"), ("cancelled succeeded", "cancelled")],
)  # fmt: skip
def test_a_run_without_a_record_has_the_status_of_its_tasks(statuses: str, expected: str) -> None:
    tasks = [task(f"t{place}", status=status) for place, status in enumerate(statuses.split())]
    tables = relations({"tasks": table("tasks", tasks)}, RUN)
    assert run_facts(tables, RUN)["status"] == expected


def test_a_run_without_a_record_spans_its_tasks() -> None:
    run = run_of(task("a", at=5), task("b", at=30)).run
    assert run["started_at"] == START + dt.timedelta(seconds=5)
    assert run["wall_s"] == 35.0
    assert run["pipeline"] == "rnaseq"
    assert run["run_id"] == RUN


def test_a_run_that_goes_on_has_no_end() -> None:
    run = run_of(task("a"), task("b", status="running", ended_at=None)).run
    assert run["ended_at"] is None
    assert run["wall_s"] is None


def test_the_engines_record_wins_over_the_tasks() -> None:
    record = {"pipeline": "mine", "started_at": START, "ended_at": START + dt.timedelta(hours=1),
              "status": "cancelled", "total_tasks": 9}  # fmt: skip
    run = run_of(task("a"), runs=[record]).run
    assert (run["pipeline"], run["status"], run["wall_s"]) == ("mine", "cancelled", 3600.0)


def test_a_run_that_is_not_there_is_empty_and_knows_nothing() -> None:
    report = summarise({}, "nothing")
    assert report.totals["count"] == 0
    assert report.totals["cpu_s"] is None
    assert report.run["status"] is None
    assert report.findings == ()
    assert records(report.tools)[0]["cpu_s"] is None


def test_without_a_single_named_process_all_cpu_is_of_none() -> None:
    (rest,) = records(usage.by_tool({"tasks": table("tasks", [task("a")])}))
    assert (rest["kind"], rest["cpu_s"], rest["cpu_share"]) == ("unattributed", 6.0, 1.0)
    assert rest["count"] is None


def test_other_runs_are_left_out() -> None:
    both = pa.concat_tables(
        [table("tasks", [task("a")]), table("tasks", [task("b", cpu_s=99.0)], run_id="other")]
    )
    assert summarise({"tasks": both}, RUN).totals["cpu_s"] == 6.0


def test_tables_of_an_older_store_lack_columns() -> None:
    old = table("tasks", [task("a")]).drop(["observer_cpu_s", "tags", "wall_network_s"])
    report = summarise({"tasks": old}, RUN)
    assert report.totals["cpu_s"] == 6.0
    assert report.totals["cpu_share"] is None
    assert report.coverage["observer_cpu_s"] is None


def test_a_store_can_be_given_instead_of_tables() -> None:
    tables = sequencing_run(2)
    asked: list[str] = []

    class Reader:
        def table(self, name: str, run_id: str | None = None) -> pa.Table:
            asked.append(name)
            assert run_id == RUN
            return tables.get(name, TABLES[name].empty_table())

    report = summarise(Reader(), RUN)
    assert report.totals["count"] == 10
    assert report.totals["cpu_s"] == pytest.approx(usage.totals(tables)["cpu_s"])
    assert "readings" not in asked  # the time series of a big run is big


def test_tasks_of_no_step_are_a_step_of_their_own() -> None:
    steps = records(run_of(task("a", step=None), task("b")).steps)
    assert {step["step"] for step in steps} == {None, "align"}


def test_coverage_says_what_was_refused_and_why() -> None:
    def refused(task_id: str, detail: str, kind: str = "degraded") -> dict[str, Any]:
        return {"task_id": task_id, "attempt": 1, "kind": kind, "detail": detail}

    why = '{"what": "perf", "why": "paranoid", "pid": %d}'
    events = [refused("a", why % 1), refused("b", why % 2), refused("b", "[broken")]
    events += [refused("a", "{}", "mark"), refused("a", why % 1, "stepped_down")]
    tables = {"tasks": table("tasks", [task("a"), task("b")]), "events": table("events", events)}
    assert coverage(tables)["degraded"] == [
        {"kind": "degraded", "what": "perf", "why": "paranoid", "attempt_count": 2},
        {"kind": "degraded", "what": None, "why": "[broken", "attempt_count": 1},
        {"kind": "stepped_down", "what": "perf", "why": "paranoid", "attempt_count": 1},
    ]
    assert degraded_line("stepped_down", "perf", "of many", 3) == (
        "Stepped down by design in 3 attempts: perf: of many."
    )


def test_reasons_that_differ_in_big_numbers_only_are_one() -> None:
    events = [
        {"task_id": f"t{n}", "attempt": 1, "kind": "degraded",
         "detail": json.dumps({"what": "cpu", "why": f"{15_000 + n} switches a second"})}
        for n in range(20)
    ] + [
        {"task_id": "t0", "attempt": 1, "kind": "degraded",
         "detail": json.dumps({"what": "perf", "why": f"kernel.perf_event_paranoid is {level}"})}
        for level in (3, 4)
    ]  # fmt: skip
    tables = {"tasks": table("tasks", [task("t0")]), "events": table("events", events)}
    told = coverage(tables)["degraded"]
    assert [row["attempt_count"] for row in told] == [20, 1, 1]
    assert told[0]["why"] == "15000 switches a second"


def test_counts_and_bounds_of_processes_are_kept_apart() -> None:
    exact = {"process_count": 100, "short_process_count": 90, "process_count_source": "perf"}
    bound = {"process_count": 7000, "short_process_count": 6999}
    report = run_of(
        task("a", **exact), task("b", **{**exact, "process_count_source": "taskstats"}),
        task("c", **bound, process_count_source="estimated"),
        task("d", **bound, process_count_source=None), task("e", process_count=None),
    )  # fmt: skip
    for row in (report.totals, report.coverage, records(report.steps)[0]):
        assert row["process_exact_count"] == 200
        assert row["short_process_exact_count"] == 181  # of the last task too, which counted one
        assert row["process_bound_count"] == 14_000
        assert row["process_estimated_count"] == 2


def test_rows_of_processes_say_how_they_are_known() -> None:
    rows = [
        process(1, None, "bash", cpu_s=1.0, cpu_source="schedstat", argv_source="argv"),
        process(2, 1, "x", cpu_s=0.5, cpu_source="apportioned", argv_source="comm"),
        process(3, 1, "x", cpu_s=None, cpu_source=None, argv_source="comm"),
    ]
    found = run_of(task("t1"), processes=rows).coverage
    assert (found["process_row_count"], found["only_name_count"]) == (3, 2)
    assert found["cpu_source_s"] == {"schedstat": 1.0, "apportioned": 0.5}


def test_network_bytes_of_nobody_are_added_up_and_broken_events_left_out() -> None:
    details = [
        '{"rx_bytes": 5, "tx_bytes": 7, "not_counted_rx_bytes": 11, "not_counted_tx_bytes": 0}',
        '{"rx_bytes": 5, "tx_bytes": null}', '{"rx_bytes": 99999999999999999999}', "[broken", None,
    ]  # fmt: skip
    events = [{"task_id": "a", "kind": "network_unattributed", "detail": d} for d in details]
    events.append({"task_id": "a", "kind": "mark", "detail": '{"rx_bytes": 1000}'})
    found = run_of(task("a"), events=events).coverage
    assert found["network_unattributed_rx_bytes"] == 10
    assert found["network_unattributed_tx_bytes"] == 7
    assert found["network_not_counted_rx_bytes"] == 11


def test_the_same_query_is_right_for_every_store() -> None:
    """What is compiled for one run answers for another, whose tables have other rows."""
    one, other = run_of(task("a", cpu_s=1.0)), run_of(task("a", cpu_s=2.0), task("b", cpu_s=3.0))
    assert (one.totals["cpu_s"], other.totals["cpu_s"]) == (1.0, 5.0)


# Ibis asks DuckDB in a way that DuckDB means to drop.
@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
def test_tables_that_live_in_a_database_are_analysed_there() -> None:
    backend = ibis.duckdb.connect()
    tables = sequencing_run(2)
    for name, found_here in tables.items():
        backend.con.register(name, found_here)
    there = {name: backend.table(name) for name in tables}
    found, expected = summarise(there, RUN), summarise(tables, RUN)
    assert found.totals == pytest.approx(expected.totals, nan_ok=True)
    assert [f.kind for f in found.findings] == [f.kind for f in expected.findings]
    assert len(found.by_task) == len(expected.by_task)
    task_id = records(expected.by_task)[0]["task_id"]
    one, same = summarise_task(there, RUN, task_id), summarise_task(tables, RUN, task_id)
    assert records(one.tools) == records(same.tools)
    assert one.attempt["cpu_s"] == same.attempt["cpu_s"]
    temporary = "SELECT count(*) FROM duckdb_tables() WHERE temporary"
    assert backend.con.execute(temporary).fetchone() > (0,)
    del found
    gc.collect()
    assert backend.con.execute(temporary).fetchone() == (0,)


def test_tags_are_dicts_and_big_integers_stay_whole() -> None:
    size = (1 << 53) + 1
    report = run_of(task("a", tags=[("lane", "3")], disk_read_bytes=size), task("b"))
    row = records(report.tasks)[0]
    assert dict(row["tags"]) == {"lane": "3"}
    assert row["disk_read_bytes"] == size
    assert report.totals["memory_peak_bytes"] == 800 * MIB


def test_a_run_of_many_tasks() -> None:
    report = summarise(many_tasks(5_000), RUN)
    assert report.totals["count"] == 5_000
    assert len(report.steps) == 40
