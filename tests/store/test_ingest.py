"""Ingest: each spool once, whatever happened before."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tracer_hooks.store import TABLES, Store
from tracer_hooks.store import ingest as ingest_module
from tracer_hooks.store.parts import open_part

from . import spools


def everything(store: Path) -> dict[str, list[str]]:
    found = Store(store)
    return {
        name: sorted(json.dumps(row, default=str) for row in found.table(name).to_pylist())
        for name in TABLES
    }


def test_what_is_ingested_reads_as_what_was_pending(tmp_path: Path) -> None:
    for task in range(30):
        lines = spools.attempt(f"t{task}", f"r{task % 3}")
        lines.insert(2, spools.reading_line(p=[[1, 0.1, 5, None, 7]]))
        lines.insert(
            2, {"t": "e", "at": spools.START, "kind": "signal", "id": 1, "detail": {"n": 9}}
        )
        spools.write(tmp_path, lines)
    before = everything(tmp_path)
    assert [len(before[n]) for n in ("tasks", "processes", "tools", "readings", "events")] == [
        30, 30, 30, 60, 30,
    ]  # fmt: skip
    result = Store(tmp_path).ingest()
    assert result.attempts == 30
    assert everything(tmp_path) == before
    assert not list(tmp_path.glob("spool/*/*"))
    assert Store(tmp_path).ingest().attempts == 0
    assert everything(tmp_path) == before


def test_a_part_names_its_spools(tmp_path: Path) -> None:
    stems = {spools.write(tmp_path, spools.attempt(f"t{task}")).stem for task in range(5)}
    Store(tmp_path).ingest()
    (path,) = tmp_path.glob("tasks/run_id=r1/*.parquet")
    assert open_part(path).spools == stems
    footer = pq.read_metadata(path).metadata
    assert footer[b"tracer_hooks.table"] == b"tasks"
    assert footer[b"tracer_hooks.schema_version"] == b"1"
    assert pq.read_metadata(path).row_group(0).column(0).compression == "ZSTD"


def test_no_part_without_rows(tmp_path: Path) -> None:
    spools.write(tmp_path, [spools.card_line(), spools.sealed_line()])
    Store(tmp_path).ingest()
    assert [path.parts[-3] for path in spools.parts(tmp_path)] == ["tasks"]


@pytest.mark.parametrize("published", ["processes", "tools", "tasks"])
def test_an_ingest_that_was_killed_is_finished_by_the_next(tmp_path: Path, published: str) -> None:
    """As if killed after publishing one table, with another set of spools by then."""
    for task in range(4):
        spools.write(tmp_path, spools.attempt(f"t{task}"))
    whole = everything(tmp_path)
    done = tmp_path / "done"
    shutil.copytree(tmp_path / "spool", done / "spool")
    Store(done).ingest()
    survivors = ["processes", "tools", "tasks"]
    for name in survivors[: survivors.index(published) + 1]:
        shutil.copytree(done / name, tmp_path / name)
    shutil.rmtree(done)
    assert everything(tmp_path) == whole
    spools.write(tmp_path, spools.attempt("late"))
    Store(tmp_path).ingest()
    assert not list(tmp_path.glob("spool/*/*"))
    after = everything(tmp_path)
    assert {name: len(rows) for name, rows in after.items() if rows} == {
        "tasks": 5, "processes": 5, "tools": 5,
    }  # fmt: skip
    assert set(whole["tasks"]) < set(after["tasks"])


def test_batches_bound_the_memory_and_many_small_parts_are_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "BATCH_SPOOLS", 10)
    for task in range(60):
        spools.write(tmp_path, spools.attempt(f"t{task}"))
    seen: list[tuple[int, int]] = []
    Store(tmp_path).ingest(progress=lambda done, total: seen.append((done, total)))
    assert len(list(tmp_path.glob("tasks/*/*"))) == 6
    assert seen[-1] == (60, 60)
    for task in range(40):
        spools.write(tmp_path, spools.attempt(f"u{task}"))
    Store(tmp_path).ingest()
    assert len(list(tmp_path.glob("tasks/*/*"))) == 1
    assert Store(tmp_path).table("tasks").num_rows == 100


def test_only_one_run(tmp_path: Path) -> None:
    spools.write(tmp_path, spools.attempt("t", "r1"))
    spools.write(tmp_path, spools.attempt("t", "r2"))
    assert Store(tmp_path).ingest("r2").attempts == 1
    assert [path.parent.name for path in tmp_path.glob("tasks/*/*")] == ["run_id=r2"]


def test_the_store_is_kept_out_of_version_control(tmp_path: Path) -> None:
    spools.write(tmp_path, spools.attempt())
    Store(tmp_path).ingest()
    assert (tmp_path / ".gitignore").read_text() == "*\n"
    (tmp_path / ".gitignore").write_text("mine\n")
    spools.write(tmp_path, spools.attempt("t2"))
    Store(tmp_path).ingest()
    assert (tmp_path / ".gitignore").read_text() == "mine\n"


def test_a_store_that_cannot_be_written_is_read_all_the_same(tmp_path: Path) -> None:
    path = spools.write(tmp_path, spools.attempt())
    (tmp_path / "processes").write_text("a file where a folder should be")
    store = Store(tmp_path, on_warning=spools.ignore)
    result = store.ingest()
    assert len(result.warnings) == 1
    assert "cannot write" in result.warnings[0]
    assert path.exists()
    assert store.table("tasks").num_rows == 1


def test_temporary_files_that_nobody_finishes_go(tmp_path: Path) -> None:
    spools.write(tmp_path, spools.attempt())
    Store(tmp_path).ingest()
    folder = tmp_path / "tasks/run_id=r1"
    ours = folder / f".part-aa.{os.getpid()}-1f.tmp"
    gone = folder / ".part-ab.2000000000-1f.tmp"
    fresh = folder / ".part-ac.2000000000-1f.tmp"
    for path, age in ((ours, 120), (gone, 120), (fresh, 1)):
        path.write_bytes(b"PAR1")
        os.utime(path, (time.time() - age,) * 2)
    Store(tmp_path).compact()
    assert [path.exists() for path in (ours, gone, fresh)] == [True, False, True]
    os.utime(ours, (time.time() - 7200,) * 2)
    Store(tmp_path).compact()
    assert not ours.exists()


def run_lines(**changes: object) -> list[dict[str, object]]:
    from tracer_hooks.supervisor.observer_identity import observer_identity

    line = {
        "t": "run", "v": 1, "run_id": "r1", "pipeline": "rna", "engine": "snakemake",
        "started_at": spools.START, "host": os.uname().nodename, "tags": {"a": "b"},
        "observer": observer_identity(), **changes,
    }  # fmt: skip
    return [line]


def test_a_run_record_is_ingested_when_it_is_closed(tmp_path: Path) -> None:
    path = spools.write(tmp_path, run_lines(), name="@run.h-1-aa.jsonl")
    assert Store(tmp_path).ingest().runs == 0
    assert Store(tmp_path).table("runs")["status"].to_pylist() == ["running"]
    with path.open("a") as file:
        file.write('{"t": "e", "at": 1.7e9, "kind": "mark", "detail": {}}\n')
        file.write(
            '{"t": "run_end", "ended_at": 1700000060, "status": "failed", "total_tasks": 3}\n'
        )
    assert Store(tmp_path).ingest().runs == 1
    assert not path.exists()
    (row,) = Store(tmp_path).table("runs").to_pylist(maps_as_pydicts="lossy")
    assert (row["status"], row["wall_s"], row["total_tasks"]) == ("failed", 60.0, 3)
    assert row["tags"] == {"a": "b"}
    assert Store(tmp_path).table("events")["task_id"].to_pylist() == [None]


def test_a_run_whose_engine_died_is_lost_and_may_still_be_closed(tmp_path: Path) -> None:
    path = spools.write(
        tmp_path, run_lines(observer=spools.gone_observer()), name="@run.h-1-aa.jsonl"
    )
    assert Store(tmp_path).runs().status.tolist() == ["lost"]
    assert Store(tmp_path).ingest().runs == 1
    assert Store(tmp_path).runs().status.tolist() == ["lost"]
    path.write_text('{"t": "run_end", "ended_at": 1700000060, "status": "succeeded"}\n')
    assert Store(tmp_path).runs().status.tolist() == ["succeeded"]
    assert Store(tmp_path).ingest().runs == 1
    (run,) = Store(tmp_path).runs().to_dict("records")
    assert (run["status"], run["wall_s"], run["pipeline"]) == ("succeeded", 60.0, "rna")


def host_lines(first: int, last: int) -> list[dict[str, object]]:
    return [
        {"t": "h", "at": spools.START + n / 2, "host": "n1", "cpu_count": 8, "cpu_user_s": n}
        for n in range(first, last)
    ]


def test_host_readings_are_ingested_when_the_run_is_over(tmp_path: Path) -> None:
    path = spools.write(tmp_path, host_lines(0, 20), name="@host.n1.jsonl")
    live = spools.write(tmp_path, [spools.card_line()])
    ago = time.time() - 60
    os.utime(path, (ago, ago))
    Store(tmp_path).ingest()
    assert path.exists()  # a task runs: it may write on
    assert Store(tmp_path).table("hosts")["cpu_user_s"].to_pylist() == list(range(0, 20, 2))
    with live.open("a") as file:
        file.write(json.dumps(spools.sealed_line()) + "\n")
    Store(tmp_path).ingest()
    assert not list(tmp_path.glob("spool/*/*"))
    assert Store(tmp_path).table("hosts")["cpu_user_s"].to_pylist() == list(range(0, 20, 2))
    # A late writer begins a new file; what both have is there once.
    path = spools.write(tmp_path, host_lines(16, 24), name="@host.n1.jsonl")
    os.utime(path, (ago, ago))
    for _ in range(2):
        assert Store(tmp_path).hosts().cpu_user_s.tolist() == list(range(0, 24, 2))
        Store(tmp_path).ingest()
    assert not list(tmp_path.glob("spool/*/*"))
