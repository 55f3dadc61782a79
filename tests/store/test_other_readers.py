"""The files are plain Hive-partitioned Parquet: pandas, DuckDB and pyarrow read them unaided."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pytest

from tracer_hooks.store import Store

from . import spools

RUNS = ["plain", "with space/and slash", "é 😀", "quote'\"", "a=b,c", "new\nline", "%41", "\udcff"]
SHOWN = [*RUNS[:-1], "\\xff"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store")
    for run_id in RUNS:
        for task in range(3):
            spools.write(path, spools.attempt(f"t{task}", run_id))
    Store(path).ingest()
    # What an ingest that runs just now leaves in the folders must not disturb.
    for folder in path.glob("*/run_id=*"):
        (folder / ".part-ff.1-1f.tmp").write_bytes(b"half a part")
    return path


def test_pandas(store: Path) -> None:
    tasks = pd.read_parquet(store / "tasks")
    assert sorted(tasks.run_id.astype(str)) == sorted(SHOWN * 3)
    assert len(pd.read_parquet(store / "tools")) == 24


def test_duckdb(store: Path) -> None:
    query = """
        select run_id, count(*), round(sum(cpu_s), 6), any_value(tags['lane'])
        from read_parquet(?, hive_partitioning=true) group by run_id
    """
    rows = duckdb.execute(query, [str(store / "tasks/*/*.parquet")]).fetchall()
    assert sorted(row[0] for row in rows) == sorted(SHOWN)
    assert {row[1:] for row in rows} == {(3, 3.6, "3")}


def test_pyarrow(store: Path) -> None:
    dataset = ds.dataset(store / "processes", partitioning="hive")
    assert sorted(dataset.to_table()["run_id"].to_pylist()) == sorted(SHOWN * 3)
    assert dataset.to_table(filter=ds.field("run_id") == "é 😀").num_rows == 3


def test_ours_agrees(store: Path) -> None:
    assert Store(store).run_ids() == sorted(SHOWN)
    for run_id in SHOWN:
        assert Store(store).table("tasks", run_id).num_rows == 3
