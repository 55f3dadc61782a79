"""The report for programs: the contract, and no number for what is unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from analysis.synthetic import RUN, sequencing_run, table, task

from tracer_hooks.analysis.summary import RunReport, summarise
from tracer_hooks.report import json as renderer
from tracer_hooks.store.schema import TABLES

KEYS = [
    "schema_version",
    "run",
    "totals",
    "tasks",
    "steps",
    "tools",
    "findings",
    "cost",
    "failures",
    "coverage",
]


def strict(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    read: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return read


def test_the_keys_of_the_contract(any_report: RunReport) -> None:
    text = renderer.render(any_report)
    assert text.isascii()
    read = strict(text)
    assert list(read) == KEYS
    assert read["cost"] is None


def test_a_task_has_the_columns_of_the_store_and_a_place_for_verdict_and_cost(
    report: RunReport,
) -> None:
    tasks = strict(renderer.render(report))["tasks"]
    assert len(tasks) == 52  # one for each attempt
    stored = [name for name in TABLES["tasks"].names if name != "spool"]
    assert list(tasks[0]) == ["run_id", *stored, "verdict", "cost"]
    assert list(tasks[0]["verdict"]) == ["label", "confidence", "evidence", "advice"]
    verdicts = {task["task_id"]: task["verdict"] for task in tasks}
    assert verdicts["wait_for_licence/S01"]["label"] == "idle"
    assert verdicts["sort/S01"]["label"] == "disk_bound"
    assert verdicts["sort/S01"]["evidence"]["disk_share"] == pytest.approx(0.71)
    assert tasks[0]["cost"] is None
    assert tasks[0]["started_at"] == "2026-05-01T10:11:12.000000Z"


def test_steps_and_tools_carry_what_the_contract_says(report: RunReport) -> None:
    read = strict(renderer.render(report))
    for step in read["steps"]:
        assert {"step", "count", "cpu_s", "wall_s", "cost", "verdict"} <= set(step)
        assert step["verdict"]["evidence"]["label_share"] > 0.5
    for tool in read["tools"]:
        assert {"tool", "count", "cpu_s", "wall_s"} <= set(tool)
    assert read["tools"][-1]["kind"] == "unattributed"
    cpu = sum(tool["cpu_s"] for tool in read["tools"])
    assert cpu == pytest.approx(read["totals"]["cpu_s"], abs=1e-4)
    for finding in read["findings"]:
        assert finding["sentence"].endswith(".")
        assert finding["evidence"]


def test_what_was_not_measured_is_null(unknown: RunReport) -> None:
    read = strict(renderer.render(unknown))
    for row in (read["tasks"][0], read["totals"], read["steps"][0]):
        for column in ("wall_s", "cpu_s", "memory_peak_bytes", "disk_read_bytes", "process_count"):
            assert row[column] is None, column
    assert read["totals"]["cpu_share"] is None
    assert read["tools"][-1]["cpu_s"] is None


def test_not_a_number_in_the_store_is_null_in_the_report() -> None:
    odd = [task("a", cpu_s=float("nan"), wall_s=float("inf"), observer_cpu_s=float("nan"))]
    row = strict(renderer.render(summarise({"tasks": table("tasks", odd)}, RUN)))["tasks"][0]
    assert (row["cpu_s"], row["wall_s"], row["observer_cpu_s"]) == (None, None, None)


def test_integers_stay_integers_and_tags_are_an_object() -> None:
    size = (1 << 53) + 1
    tasks = [task("a", disk_read_bytes=size, tags=[("b", "2"), ("a", "1")]),
             task("b", disk_read_bytes=None)]  # fmt: skip
    read = strict(renderer.render(summarise({"tasks": table("tasks", tasks)}, RUN)))
    assert read["tasks"][0]["disk_read_bytes"] == size
    assert read["tasks"][0]["tags"] == {"b": "2", "a": "1"}
    assert read["totals"]["disk_read_bytes"] == size


def test_the_same_run_gives_the_same_bytes(report: RunReport) -> None:
    shuffled = {
        name: found.take(list(range(found.num_rows))[::-1])
        for name, found in sequencing_run().items()
    }
    assert renderer.render(summarise(shuffled, RUN)) == renderer.render(report)
