"""Tables as datasets: the same rows as when read, and analyses that outlive their files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tracer_hooks.analysis import memory, usage
from tracer_hooks.analysis.tables import loaded, relations
from tracer_hooks.analysis.verdicts import verdicts
from tracer_hooks.errors import TracerError
from tracer_hooks.store import TABLES, Store

from . import spools


def rows(table: pa.Table) -> list[str]:
    return sorted(map(str, table.to_pylist()))


def filled(path: Path, batches: int = 1) -> Store:
    """Two runs; of the first as many parts as batches."""
    for batch in range(batches):
        for task in range(3):
            spools.write(path, spools.attempt(f"t{batch}-{task}", "one"))
        Store(path).ingest()
    spools.write(path, spools.attempt("t", "the other"))
    Store(path).ingest()
    return Store(path, on_warning=spools.ignore)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("run_id", ["one", "the other", None])
def test_a_scan_has_what_a_table_has(name: str, run_id: str | None, tmp_path: Path) -> None:
    store = filled(tmp_path, 2)
    spools.write(tmp_path, spools.attempt("pending", "one"))
    found, expected = store.scan(name, run_id).to_table(), store.table(name, run_id)
    assert found.schema.names == expected.schema.names
    assert found.schema.types == expected.schema.types
    assert rows(found) == rows(expected)


def test_an_attempt_in_two_parts_counts_once(tmp_path: Path) -> None:
    store = filled(tmp_path, 2)
    parts = sorted((tmp_path / "tasks" / "run_id=one").iterdir())
    kept = [part.read_bytes() for part in parts]
    store.compact("one")
    for part, data in zip(parts, kept, strict=True):
        part.write_bytes(data)  # as a compaction leaves it that was killed
    assert len(list(parts[0].parent.iterdir())) == 3
    assert store.scan("tasks", "one").count_rows() == 6
    assert usage.totals(relations(store, "one"))["attempt_count"] == 6


def test_a_part_that_is_gone_before_it_is_read(tmp_path: Path) -> None:
    store = filled(tmp_path, 3)
    t = relations(store, "one")
    assert usage.totals(t)["attempt_count"] == 9
    assert t.frame(usage._by_tool)["count"].sum() == 9  # now DuckDB knows the files of `tools`
    store.compact("one")
    assert t.record(usage_of_tools)["rows"] == 9


@pytest.mark.parametrize("many", [250_000, 1])
def test_what_is_derived_of_parts_that_are_gone_is_derived_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(memory, "MANY_ROWS", many)
    store = filled(tmp_path, 3)
    t = relations(store, "one")
    assert usage.totals(t)["attempt_count"] == 9
    assert t.frame(usage._by_tool)["count"].sum() == 9
    store.compact("one")
    assert len(verdicts(t).tasks) == 9
    assert usage.by_step(t)["attempt_count"].sum() == 9


def usage_of_tools(t):  # type: ignore[no-untyped-def]
    """A query of files that were scanned before."""
    tools = t["tools"]
    return tools.agg(rows=tools.count(), cpu_s=tools.cpu_s.sum())


def test_a_damaged_part_is_passed_over(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    warnings: list[str] = []
    store = Store(tmp_path, on_warning=warnings.append)
    part = min((tmp_path / "tasks" / "run_id=one").iterdir())
    data = bytearray(part.read_bytes())
    data[4 : len(data) // 3] = b"\0" * (len(data) // 3 - 4)  # pages; the footer is whole
    part.write_bytes(data)
    assert usage.totals(relations(store, "one"))["attempt_count"] == 3
    assert len(warnings) == 1
    assert part.name in warnings[0]


def test_what_is_derived_from_many_rows_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path, 2)
    few = usage.by_step(relations(store))
    monkeypatch.setattr(memory, "MANY_ROWS", 3)
    monkeypatch.setattr(memory, "_SOME_ROWS", 2)
    many = usage.by_step(relations(store))
    assert list(many["attempt_count"]) == [7]
    pd.testing.assert_frame_equal(many, few)  # but for the last digits of sums


@pytest.mark.parametrize("folder", ["plain", "it's", "a[b]*?"])
def test_what_duckdb_reads_is_what_a_table_has(folder: str, tmp_path: Path) -> None:
    """Two parts, of which one is of a release that knew fewer columns, and rows in no part."""
    store = filled(tmp_path / folder, 2)
    without_column(min((tmp_path / folder / "tasks" / "run_id=one").iterdir()), "io_read_chars")
    spools.write(tmp_path / folder, spools.attempt("pending", "one"))
    for number in range(2):  # before and after what is pending is in a part too
        expected = {name: store.table(name, "one") for name in TABLES}
        assert expected["tasks"].num_rows == 7
        for run_id in ("one", None):
            t = relations(store, run_id).of(task_id="t1-1")
            (row,) = usage.by_attempt(t).to_dict("records")
            (same,) = usage.by_attempt(relations(expected, "one").of(task_id="t1-1")).to_dict(
                "records"
            )
            assert str(row) == str(same)
        assert usage.totals(relations(store, "one")) == usage.totals(relations(expected, "one"))
        if not number:
            store.ingest()


def without_column(part: Path, name: str) -> None:
    """Make a part one that has no such column."""
    footer = pq.read_metadata(part).metadata
    mine = {key: value for key, value in footer.items() if key.startswith(b"tracer_hooks")}
    table = pq.read_table(part, partitioning=None).drop_columns(name)
    pq.write_table(table.replace_schema_metadata(mine), part)


def test_rows_of_a_few_tasks(tmp_path: Path) -> None:
    store = filled(tmp_path)
    found = loaded(store.stored("tasks", "one"), "task_id", ["t0-1", "t0-2", "none"])
    assert sorted(found["task_id"].to_pylist()) == ["t0-1", "t0-2"]
    assert rows(loaded(store.table("tasks", "one"), "task_id", ["t0-1", "t0-2"])) == rows(
        found.select(store.table("tasks", "one").schema.names)
    )
    assert loaded(store.stored("tasks", "one")).num_rows == 3


def test_no_such_table(tmp_path: Path) -> None:
    with pytest.raises(TracerError, match="no table nonsense: there are runs, tasks"):
        filled(tmp_path).scan("nonsense")
