"""The metrics of finished runs as text: right by the format, and right by the store."""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from analysis.synthetic import START, many_tasks, sequencing_run
from export.conftest import any_run, full, hostile, unknown  # noqa: F401 - fixtures
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.grafana.database import Tables, run_to_send
from tracer_hooks.export.metrics import metric_table
from tracer_hooks.export.openmetrics import export_runs
from tracer_hooks.export.openmetrics.timeline import STEP_S
from tracer_hooks.export.sender import RunToSend

# What rests on how a task behaved in its last minutes, or on `serve` itself, is for live metrics.
LIVE_ONLY = {
    "tracer_task_waiting", "tracer_task_idle_cores", "tracer_task_memory_limit_ratio",
    "tracer_task_memory_projected_ratio", "tracer_task_progress_age_seconds",
    "tracer_task_elapsed_seconds", "tracer_task_slowness_sigma", "tracer_task_capture_degraded",
    "tracer_run_elapsed_seconds", "tracer_run_cost", "tracer_run_budget_ratio",
}  # fmt: skip
_SAMPLE = re.compile(r"(\w+)\{(.*)\} (\S+) (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\\\]|\\\\.)*)"')
Points = dict[tuple[str, frozenset[tuple[str, str]]], list[tuple[float, float]]]


def text_of(*runs: RunToSend) -> str:
    file = io.BytesIO()
    export_runs(runs, file)
    return file.getvalue().decode()


def points_of(text: str) -> Points:
    """Each series, with its points as (time, value)."""
    found: defaultdict[Any, list[tuple[float, float]]] = defaultdict(list)
    for name, labels, value, at in (_SAMPLE.fullmatch(line).groups() for line in _samples(text)):  # type: ignore[union-attr]
        pairs = frozenset(
            (label, json.loads(f'"{text}"')) for label, text in _LABEL.findall(labels)
        )
        found[name, pairs].append((float(at), float(value)))
    return found


def _samples(text: str) -> list[str]:
    return [line for line in text.split("\n") if line and not line.startswith("#")]


def last(points: Points, name: str, **labels: str) -> float:
    """The sum of the last values of all series of this name with these labels."""
    chosen = set(labels.items())
    return sum(p[-1][1] for (known, own), p in points.items() if known == name and chosen <= own)


def total(tables: Tables, column: str, table: str = "tasks") -> float:
    return float(pc.sum(tables[table][column]).as_py() or 0)


def test_it_is_what_the_format_asks_for(any_run: Tables) -> None:  # noqa: F811
    """By Prometheus' own parser, moment by moment: of several it would drop a histogram's
    buckets."""
    text = text_of(run_to_send(any_run)) if any_run else text_of()
    assert text.endswith("# EOF\n")
    families = re.split(r"(?m)^(?=# TYPE )", text.removesuffix("# EOF\n"))
    for family in filter(None, families):
        head = [line for line in family.split("\n") if line.startswith("#")]
        for moment in {line.rpartition(" ")[2] for line in _samples(family)}:
            lines = [line for line in _samples(family) if line.endswith(f" {moment}")]
            one = "\n".join([*head, *lines, "# EOF"]) + "\n"
            [parsed] = text_string_to_metric_families(one)
            assert len(parsed.samples) == len(lines)


def test_at_the_end_counters_are_what_the_store_has() -> None:
    tables = sequencing_run(6)
    points = points_of(text_of(run_to_send(tables)))
    for name, column in (
        ("tracer_task_cpu_time_seconds_total", "cpu_s"),
        ("tracer_task_wall_time_seconds_total", "wall_s"),
        ("tracer_task_processes_total", "process_count"),
        ("tracer_task_short_processes_total", "short_process_count"),
        ("tracer_task_memory_peak_bytes_sum", "memory_peak_bytes"),
        ("tracer_task_observer_cpu_time_seconds_total", "observer_cpu_s"),
    ):
        assert last(points, name) == pytest.approx(total(tables, column)), name
    read = last(points, "tracer_task_disk_io_bytes_total", direction="read")
    assert read == pytest.approx(total(tables, "disk_read_bytes"))
    for name, column in (("tracer_tool_cpu_time_seconds_total", "cpu_s"),
                         ("tracer_tool_processes_total", "count")):  # fmt: skip
        assert last(points, name) == pytest.approx(total(tables, column, "tools")), name
    statuses = tables["tasks"]["status"].to_pylist()
    for status in ("succeeded", "failed", "cancelled", "lost"):
        counted = last(points, "tracer_task_attempts_total", status=status)
        assert counted == statuses.count(status)
    assert last(points, "tracer_task_failures_total", cause="oom") == statuses.count("failed")
    assert last(points, "tracer_task_started_total") == len(statuses)
    assert last(points, "tracer_run_total") == 1
    assert last(points, "tracer_task_duration_seconds_count") == statuses.count("succeeded")


def test_kills_and_degradations_are_counted_with_their_step(full: Tables) -> None:  # noqa: F811
    points = points_of(text_of(run_to_send(full)))
    assert last(points, "tracer_task_oom_kills_total", step="align") == 1
    assert last(points, "tracer_task_retries_total") == 1
    assert last(points, "tracer_task_degraded_total") == 0


def test_cost_is_what_the_report_says() -> None:
    from tracer_hooks.analysis.cost import cost

    run = run_to_send(sequencing_run(4))
    points = points_of(text_of(run))
    found = cost(run.tables, run.pricing, run.run_id).run
    parts = last(points, "tracer_task_cost_total", currency="USD")
    assert parts == pytest.approx(found["allocated"])
    assert last(points, "tracer_task_wasted_cost_total") == pytest.approx(found["failed"])
    assert last(points, "tracer_task_unpriced_total") == 0
    unpriced = points_of(text_of(run_to_send(sequencing_run(4), "list")))
    count = run.tables["tasks"].num_rows
    assert last(unpriced, "tracer_task_unpriced_total") == count
    assert not any(name == "tracer_task_cost_total" for name, _ in unpriced)


def test_every_series_is_as_the_table_of_metrics_says(any_run: Tables) -> None:  # noqa: F811
    if not any_run:
        any_run = {"tasks": sequencing_run(1)["tasks"].slice(0, 1)}
    for (name, labels), points in points_of(text_of(run_to_send(any_run))).items():
        metric = next(
            m for m in metric_table().metrics.values()
            if name in (m.name, *(m.name + s for s in ("_bucket", "_sum", "_count")))
        )  # fmt: skip
        # A label that is empty is as good as absent.
        assert {label for label, _ in labels} <= {*metric.label_names, "le"}
        times = [at for at, _ in points]
        assert times == sorted(set(times))
        values = [value for _, value in points]
        if metric.type == "gauge":
            assert values[-1] == 0, "a gauge ends when its task ends"
        else:
            assert values == sorted(values), "a counter never falls"
            assert values[0] == 0, "its first increase has a point before it"


def test_all_that_can_be_known_later_is_there() -> None:
    tables = sequencing_run(4)
    tables["readings"] = _readings(tables["tasks"])
    names = {name for name, _ in points_of(text_of(run_to_send(tables)))}
    for metric in metric_table().metrics.values():
        parts = {"histogram": "_bucket", "summary": "_sum"}.get(metric.type, "")
        expected = metric.name not in LIVE_ONLY and metric.group.name != "serve"
        assert (metric.name + parts in names) is expected, metric.name


def test_what_ran_at_a_moment_is_what_the_store_has_of_it() -> None:
    tables = many_tasks(400)
    points = points_of(text_of(run_to_send(tables)))
    start = tables["tasks"]["started_at"].to_pylist()
    wall = tables["tasks"]["wall_s"].to_pylist()
    times = {at for (name, _), p in points.items() if name == "tracer_task_active" for at, _ in p}
    assert len(times) > 2
    for at in times:
        active = sum(
            dict(p).get(at, 0) for (name, _), p in points.items() if name == "tracer_task_active"
        )
        expected = sum(
            s.timestamp() <= at < s.timestamp() + w for s, w in zip(start, wall, strict=True)
        )
        assert active == expected


def test_runs_of_one_pipeline_go_on_where_the_last_one_ended() -> None:
    first, second = sequencing_run(1), sequencing_run(2)
    later = pa.scalar(7200_000_000, pa.duration("us"))
    for table in ("runs", "tasks"):
        for place, field in enumerate(second[table].schema):
            if pa.types.is_timestamp(field.type):
                moved = pc.add(second[table][field.name], later).cast(field.type)
                second[table] = second[table].set_column(place, field, moved)
    points = points_of(text_of(run_to_send(first), run_to_send(second)))
    whole = total(first, "cpu_s") + total(second, "cpu_s")
    assert last(points, "tracer_task_cpu_time_seconds_total") == pytest.approx(whole)
    [series] = [
        p for (name, labels), p in points.items()
        if name == "tracer_task_started_total" and ("step", "annotate") in labels
    ]  # fmt: skip
    assert [value for _, value in series] == sorted(value for _, value in series)
    assert series[-1][1] == 3
    # Nothing in between: two hours without a task are no points.
    assert max(b - a for (a, _), (b, _) in pairwise(series)) > 3600


def test_too_many_steps_are_counted_as_other() -> None:
    most = metric_table().groups["step"].most
    tables = many_tasks(most + 50)
    steps = pa.array([f"step{n}" for n in range(most + 50)])
    place = tables["tasks"].schema.get_field_index("step")
    tables["tasks"] = tables["tasks"].set_column(place, "step", steps)
    points = points_of(text_of(run_to_send(tables)))
    groups = {labels for name, labels in points if name == "tracer_task_started_total"}
    assert len(groups) == most + 1
    assert last(points, "tracer_task_started_total", step="other", pipeline="other") == 50
    assert last(points, "tracer_task_started_total") == most + 50


def _readings(tasks: pa.Table) -> pa.Table:
    from analysis.synthetic import table

    return table("readings", [
        {"task_id": row["task_id"], "attempt": row["attempt"], "spool": row["spool"],
         "at": START, "elapsed_s": part * STEP_S, "cpu_s": part * 0.1, "memory_bytes": 1000}
        for row in tasks.to_pylist(maps_as_pydicts="lossy") for part in range(2)
    ])  # fmt: skip
