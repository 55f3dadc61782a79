"""Every analysis gives on Spark what it gives on DuckDB, over the same files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from analysis.pricing import METHODS
from analysis.synthetic import RUN
from store import spools

from tracer_hooks import backends
from tracer_hooks.analysis import usage, waits
from tracer_hooks.analysis.carbon import Assumptions
from tracer_hooks.analysis.cost import cost, roll_up
from tracer_hooks.analysis.detail import tools_of_steps
from tracer_hooks.analysis.sizing import size_steps
from tracer_hooks.analysis.summary import summarise
from tracer_hooks.analysis.tables import records
from tracer_hooks.analysis.task import summarise_task
from tracer_hooks.store import Store

from .conftest import OTHER

pytestmark = [
    pytest.mark.spark,
    pytest.mark.engine,
]

Tables = dict[str, Any]
PRICING = METHODS["resource_rates"]

# What a whole report asks is in `summarise`: usage, coverage, signals, failures, verdicts, the
# dashboard, costs, carbon. On Spark a query takes a second or so, so none is asked twice.
ANALYSES: dict[str, Callable[[Tables], Any]] = {
    "summarise": lambda t: summarise(t, RUN, PRICING, Assumptions()),
    "waits.by_attempt": waits.by_attempt,
    "waits.by_step": waits.by_step,
    "waits.whole_run": waits.whole_run,
    "tools_of_steps": tools_of_steps,
    "size_steps": size_steps,
    **{f"cost, {how}": lambda t, how=how: cost(t, METHODS[how], RUN)
       for how in METHODS if METHODS[how] is not PRICING},
}  # fmt: skip
OF_ALL_RUNS: dict[str, Callable[[Tables], Any]] = {
    "usage.by_step": usage.by_step,
    "size_steps": size_steps,
    **{f"roll_up by {by}": lambda t, by=by: roll_up(t, by, PRICING)
       for by in ("run", "tool", "tag:kind")},
}  # fmt: skip


@pytest.fixture(scope="module")
def spark(store: Store) -> Iterator[Callable[[str | None], Tables]]:
    known: dict[str | None, Tables] = {}

    def tables(run_id: str | None) -> Tables:
        if run_id not in known:
            known[run_id] = backends.tables(store, run_id, "local[2]")
        return known[run_id]

    yield tables
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is not None:
        session.stop()


@pytest.mark.parametrize("name", ANALYSES)
def test_the_same_of_one_run(
    name: str, store: Store, spark: Callable[[str | None], Tables]
) -> None:
    analysis = ANALYSES[name]
    expected = plain(analysis(backends.tables(store, RUN)))
    assert expected, "an analysis of nothing shows nothing"
    same(plain(analysis(spark(RUN))), expected, name)


@pytest.mark.parametrize("name", OF_ALL_RUNS)
def test_the_same_of_all_runs(
    name: str, store: Store, spark: Callable[[str | None], Tables]
) -> None:
    analysis = OF_ALL_RUNS[name]
    same(plain(analysis(spark(None))), plain(analysis(backends.tables(store, None))), name)


def test_the_same_of_one_task(store: Store, spark: Callable[[str | None], Tables]) -> None:
    found = [summarise_task(t, OTHER, "t1") for t in (spark(OTHER), backends.tables(store, OTHER))]
    assert len(found[1].processes) > 3
    same(plain(found[0]), plain(found[1]), "task")


def test_files_and_pending_rows_are_read(
    store: Store, spark: Callable[[str | None], Tables]
) -> None:
    for run_id in (RUN, OTHER, None):
        for name, table in spark(run_id).items():
            assert table.count().to_pyarrow().as_py() == store.table(name, run_id).num_rows
    ids = spark(RUN)["tasks"].task_id.to_pyarrow().to_pylist()
    assert "waits" in ids
    assert set(spark(None)["tasks"].run_id.to_pyarrow().to_pylist()) == {RUN, OTHER}


def test_several_files_of_a_run_are_read_once(
    tmp_path: Path, spark: Callable[[str | None], Tables]
) -> None:
    """Also below a folder whose name Spark could take for a pattern."""
    spark(RUN)  # the session
    path = tmp_path / "a {b,c} [d] e*?\\"
    for task in ("one", "two", "three"):
        spools.write(path, spools.attempt(task, RUN))
        Store(path).ingest()
    store = Store(path)
    assert len(store.locate("tasks", RUN).files) == 3
    tasks = backends.tables(store, RUN, "local[2]")["tasks"]
    assert sorted(tasks.task_id.to_pyarrow().to_pylist()) == ["one", "three", "two"]


def test_whole_numbers_beside_nulls_stay_exact(spark: Callable[[str | None], Tables]) -> None:
    rows = spark(RUN)["tasks"].mutate(big=lambda t: t.memory_peak_bytes * 0 + (2**53 + 1))
    big = rows.select("big").to_pyarrow()["big"].to_pylist()
    assert set(big) <= {None, 2**53 + 1}
    assert 2**53 + 1 in big


def plain(value: Any) -> Any:
    """Frames and dataclasses, with what is made when it is asked for, as dicts and lists."""
    if isinstance(value, pd.DataFrame):
        return records(value)
    if is_dataclass(value) and not isinstance(value, type):
        shown = [field.name for field in fields(value) if field.repr]
        made = [name for one in type(value).__mro__ for name, what in vars(one).items()
                if isinstance(what, (property, cached_property))]  # fmt: skip
        return {name: plain(getattr(value, name)) for name in [*shown, *made]}
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def same(found: Any, expected: Any, where: str) -> None:
    """Equal, but for the last digits of sums, whose order is each engine's own."""
    if isinstance(expected, dict):
        assert isinstance(found, dict), where
        assert list(found) == list(expected), where
        for key, value in expected.items():
            same(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        assert isinstance(found, list), where
        assert len(found) == len(expected), where
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            same(one, other, f"{where}[{place}]")
    elif isinstance(expected, float) and isinstance(found, float):
        close = math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
        assert close or (math.isnan(found) and math.isnan(expected)), (where, found, expected)
    else:
        assert type(found) is type(expected), (where, found, expected)
        assert found == expected, where
