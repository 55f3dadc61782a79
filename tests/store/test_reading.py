"""Readers: what is damaged is named and passed over, older stores are read, errors are one line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tracer_hooks.errors import TracerError
from tracer_hooks.store import TABLES, Store, StoreWarning
from tracer_hooks.store import parts as parts_module
from tracer_hooks.store.compaction import compact_table
from tracer_hooks.store.layout import Layout
from tracer_hooks.store.parts import write_part

from . import spools


def fill(store: Path, *task_ids: str, run_id: str = "r1") -> None:
    """Each task in parts of its own."""
    for task_id in task_ids:
        spools.write(store, spools.attempt(task_id, run_id))
        Store(store).ingest()


def part_of(store: Path, table: str, task_id: str) -> Path:
    for path in store.glob(f"{table}/*/*.parquet"):
        if task_id in pq.read_table(path, partitioning=None)["task_id"].to_pylist():
            return path
    raise AssertionError(task_id)


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "pages", "foreign"])
def test_a_damaged_part_is_named_once_and_the_rest_is_read(tmp_path: Path, damage: str) -> None:
    fill(tmp_path, "a", "b", "c")
    path = part_of(tmp_path, "tasks", "b")
    data = path.read_bytes()
    if damage == "foreign":
        pq.write_table(pa.table({"x": [1]}), path)
    else:
        path.write_bytes(
            {
                "garbage": b"\x00garbage" * 50,
                "empty": b"",
                "cut": data[: len(data) // 2],
                "pages": data[:4] + b"\xff" * 1500 + data[1504:],
            }[damage]
        )
    store = Store(tmp_path, on_warning=spools.ignore)
    assert store.table("tasks")["task_id"].to_pylist() in (["a", "c"], ["c", "a"])
    assert sorted(store.tasks().task_id) == ["a", "c"]
    assert store.processes().task_id.nunique() == 3
    assert len(store.warnings) == 1
    assert str(path) in store.warnings[0]
    assert "\n" not in store.warnings[0]
    store.compact()
    assert path.exists()
    assert len(list(path.parent.glob("*.parquet"))) == 2
    assert sorted(store.tasks().task_id) == ["a", "c"]
    spools.write(tmp_path, spools.attempt("d"))
    with pytest.warns(StoreWarning, match=path.name):
        assert sorted(Store(tmp_path).tasks().task_id) == ["a", "c", "d"]


def test_an_older_part_lacks_columns_and_has_some_that_are_gone(tmp_path: Path) -> None:
    fill(tmp_path, "new")
    (path,) = tmp_path.glob("tasks/*/*.parquet")
    footer = pq.read_metadata(path).metadata
    old = pa.table(
        {"task_id": ["old"], "exit_code": pa.array([3], pa.int16()), "gone": [1], "spool": ["s"]}
    )
    import base64
    import zlib

    spool_names = base64.b64encode(zlib.compress(b"s"))
    older = path.with_name("part-older.parquet")
    with pq.ParquetWriter(older, old.schema) as writer:
        writer.write_table(old)
        writer.add_key_value_metadata({**footer, b"tracer_hooks.spools": spool_names})
    for _ in range(2):
        rows = {row["task_id"]: row for row in Store(tmp_path).table("tasks").to_pylist()}
        assert rows["old"]["exit_code"] == 3
        assert rows["old"]["cpu_s"] is None
        assert rows["new"]["cpu_s"] == 1.2
        assert "gone" not in rows["old"]
        Store(tmp_path).compact()
    assert older.exists()  # rewriting it would lose what this release does not know


def test_a_newer_store_is_refused_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_module, "SCHEMA_VERSION", 9)
    fill(tmp_path, "a")
    monkeypatch.undo()
    with pytest.raises(TracerError, match=r"newer tracer-hooks .schema 9.*upgrade"):
        Store(tmp_path).tasks()


@pytest.mark.parametrize("make", [False, True])
def test_no_store(tmp_path: Path, make: bool) -> None:
    store = tmp_path / "none"
    if make:
        (store / "spool" / "r1").mkdir(parents=True)
    for read in (Store(store).tasks, Store(store).runs, lambda: Store(store).resolve("latest")):
        with pytest.raises(TracerError, match=r"no store at .*tracer-hooks run.*--store"):
            read()
    assert Store(store).ingest().attempts == 0
    assert Store(store).compact() == 0
    assert store.exists() == make


def test_a_url_is_no_folder() -> None:
    with pytest.raises(TracerError, match="folder"):
        Store("s3://bucket/store")


def test_which_run_of_which_pipeline(tmp_path: Path) -> None:
    for run_id in ("etl/daily-1", "ml/daily-1", "ml/daily-2"):
        spools.write(tmp_path, spools.attempt("t", run_id))
    store = Store(tmp_path)
    assert store.resolve("ml/daily-1") == "ml/daily-1"
    assert store.resolve("daily-2") == "ml/daily-2"
    with pytest.raises(TracerError, match="run daily-1 could be"):
        store.resolve("daily-1")


def test_which_run(tmp_path: Path) -> None:
    for number, run_id in enumerate(["2024-a", "2024-b", "2024", "other"]):
        started = spools.START + (100 if run_id == "2024-b" else number)
        spools.write(tmp_path, spools.attempt("t", run_id, started_at=started))
    store = Store(tmp_path)
    assert store.resolve("latest") == "2024-b"
    assert store.resolve("2024") == "2024"
    assert store.resolve("oth") == "other"
    assert store.tasks("oth").run_id.tolist() == ["other"]
    with pytest.raises(TracerError, match="run 2024- could be 2024-b, 2024-a"):
        store.resolve("2024-")
    with pytest.raises(TracerError, match=r"no run x in .*: there are 2024-b, other, 2024, 2024-a"):
        store.resolve("x")
    with pytest.raises(TracerError, match="no run nope"):
        store.table("tasks", "nope")
    assert store.table("events", "other").num_rows == 0
    with pytest.raises(TracerError, match="no table jobs: there are runs, tasks"):
        store.table("jobs")
    with pytest.raises(TracerError, match="no column colour"):
        store.table("tasks", columns=["colour"])


def test_only_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    spools.write(tmp_path, spools.attempt("b"))
    store = Store(tmp_path)
    assert store.table("tasks", columns=["cpu_s", "run_id"]).column_names == ["run_id", "cpu_s"]
    only = store.table("tasks", "r1", ["run_id"])
    assert only.to_pydict() == {"run_id": ["r1", "r1"]}
    assert store.table("tasks").column_names == ["run_id", *TABLES["tasks"].names]


def test_frames(tmp_path: Path) -> None:
    spools.write(tmp_path, spools.attempt("b", started_at=spools.START + 5))
    fill(tmp_path, "a")
    store = Store(tmp_path)
    tasks = store.tasks("r1")
    assert tasks.columns[0] == "run_id"
    assert "spool" not in tasks.columns
    assert tasks.task_id.tolist() == ["a", "b"]
    assert tasks.exit_code.dtype == "Int32"
    assert tasks.memory_mean_bytes.isna().all()
    assert str(tasks.started_at.dt.tz) == "UTC"
    assert tasks.tags.tolist() == [{"lane": "3"}] * 2
    assert list(store.processes().argv[0]) == ["bwa", "mem"]
    for name in TABLES:
        assert isinstance(getattr(store, name)(), pd.DataFrame)


def test_overlapping_parts_are_read_once_and_merged(tmp_path: Path) -> None:
    """Two ingests at once, which saw different sets of spools."""
    fill(tmp_path, "a", "b", "c", "d")
    folder = Layout(tmp_path).partition("tasks", "r1")
    rows = {
        row["task_id"]: row for row in Store(tmp_path).table("tasks").drop(["run_id"]).to_pylist()
    }
    for path in folder.glob("*.parquet"):
        path.unlink()
    for some in ("abc", "bcd", "b", "ab"):
        table = pa.Table.from_pylist([rows[name] for name in some], schema=TABLES["tasks"])
        write_part(folder, "tasks", [table], [rows[name]["spool"] for name in some])
    assert sorted(Store(tmp_path).table("tasks")["task_id"].to_pylist()) == list("abcd")
    assert sorted(Store(tmp_path).table("tasks", columns=["task_id"])[1].to_pylist()) == list(
        "abcd"
    )
    assert compact_table(folder, "tasks", spools.ignore, only_if_worth_it=True) == 3
    (path,) = folder.glob("*.parquet")
    assert sorted(pq.ParquetFile(path).read()["task_id"].to_pylist()) == list("abcd")


def test_compaction_merges_and_keeps_every_row(tmp_path: Path) -> None:
    fill(tmp_path, *"abcdef")
    fill(tmp_path, *"xyz", run_id="r2")
    before = Store(tmp_path).tasks().to_dict("records")
    seen: list[tuple[int, int]] = []
    assert Store(tmp_path).compact("r1", lambda done, total: seen.append((done, total))) == 15
    assert seen[-1][0] == seen[-1][1] > 0
    assert len(list(tmp_path.glob("tasks/run_id=r1/*"))) == 1
    assert len(list(tmp_path.glob("tasks/run_id=r2/*"))) == 3
    assert str(Store(tmp_path).tasks().to_dict("records")) == str(before)
    Store(tmp_path).compact()
    assert len(spools.parts(tmp_path)) == 6
    assert Store(tmp_path).compact() == 0


def test_importing_the_store_does_not_import_pandas() -> None:
    heavy = "{'pandas', 'duckdb', 'ibis'}"
    code = f"import sys, tracer_hooks.store; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_reading_changes_nothing(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    spools.write(tmp_path, spools.attempt("b"))
    before = sorted((str(p), p.stat().st_mtime_ns) for p in tmp_path.rglob("*"))
    store = Store(tmp_path)
    store.runs()
    store.tools("latest")
    assert sorted((str(p), p.stat().st_mtime_ns) for p in tmp_path.rglob("*")) == before


def test_one_store_object_sees_what_comes_and_goes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(3):
        spools.write(tmp_path, spools.attempt(f"t{number}"))
        assert store.table("tasks").num_rows == number + 1
    Store(tmp_path).ingest()
    assert store.table("tasks").num_rows == 3
    spools.write(tmp_path, spools.attempt("late"))
    assert sorted(store.table("tools")["task_id"].to_pylist()) == ["late", "t0", "t1", "t2"]


def test_a_part_is_not_seen_before_it_is_whole(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    (path,) = tmp_path.glob("tasks/*/*.parquet")
    table = pq.ParquetFile(path).read()
    seen: list[list[Path]] = []

    def batches(fail: bool) -> Iterator[pa.Table]:
        yield table
        seen.append([p for p in (tmp_path / "new").iterdir() if not p.name.startswith(".")])
        if fail:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_part(tmp_path / "new", "tasks", batches(True), ["s"])
    assert list((tmp_path / "new").iterdir()) == []
    written = write_part(tmp_path / "new", "tasks", batches(False), ["s"])
    assert seen == [[], []]
    assert list((tmp_path / "new").iterdir()) == [written]
    assert write_part(tmp_path / "new", "tasks", batches(False), ["s"]) == written
