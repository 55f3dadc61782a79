"""The end of a run, as an adapter sees it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tracer_hooks import Store
from tracer_hooks.adapter import RunRecord, TaskCard, supervised
from tracer_hooks.errors import TracerError
from tracer_hooks.finish import close_run, finish_run, report_command


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one run of one task, not yet ingested."""
    monkeypatch.delenv("TRACER_HOOKS_STORE", raising=False)
    folder = tmp_path / "a store"
    record = RunRecord("night 7", store=folder, pipeline="nightly", engine="test")
    card = TaskCard("night 7", "count", step="count")
    subprocess.run(supervised(card, ["sh", "-c", "exit 0"], store=folder), check=True, timeout=60)
    record.end("succeeded", total_tasks=1)
    return folder


def test_the_run_is_ingested_and_summed_up(store: Path) -> None:
    lines = finish_run("night 7", store)
    assert 3 <= len(lines) <= 12
    assert all(line == line.rstrip() and "\n" not in line for line in lines)
    assert lines[-1] == f"Full report: tracer-hooks report 'night 7' --store '{store}'"
    assert list(store.glob("tasks/*/*.parquet"))
    assert not list(store.glob("spool/*/count*.jsonl"))
    assert list(Store(store).tasks()["task_id"]) == ["count"]


def test_twice_is_no_harm(store: Path) -> None:
    assert finish_run("night 7", store) == finish_run("night 7", store)
    assert len(Store(store).tasks()) == 1


def test_a_failure_is_two_lines_and_no_exception(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    lines = finish_run("r1", nowhere)
    assert len(lines) == 2
    assert lines[0].startswith("tracer-hooks: no summary of this run: ")
    assert lines[1].endswith(f"tracer-hooks report r1 --store {nowhere}")
    with pytest.raises(TracerError):
        close_run("r1", nowhere)


def test_the_command_works_from_any_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACER_HOOKS_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert report_command("r1") == f"tracer-hooks report r1 --store {tmp_path / '.tracer'}"
    monkeypatch.setenv("TRACER_HOOKS_STORE", "elsewhere")
    assert report_command("r1") == f"tracer-hooks report r1 --store {tmp_path / 'elsewhere'}"
    assert report_command("r1", "x") == f"tracer-hooks report r1 --store {tmp_path / 'x'}"
