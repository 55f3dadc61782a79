"""The end of a run in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tracer_hooks import Store, finish_apart
from tracer_hooks.adapter import RunRecord, TaskCard, supervised
from tracer_hooks.finish import finish_run
from tracer_hooks.finish_apart import FinishApart


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one run of one task, not yet ingested."""
    record = RunRecord("r1", store=tmp_path / "store", engine="test")
    command = supervised(TaskCard("r1", "count", step="count"), ["true"], store=tmp_path / "store")
    subprocess.run(command, check=True, timeout=60)
    record.end("succeeded", total_tasks=1)
    return tmp_path / "store"


@pytest.mark.parametrize("ahead", [False, True])
def test_the_same_lines_as_in_this_process(store: Path, ahead: bool) -> None:
    apart = FinishApart("r1", store)
    if ahead:
        apart.prepare()
        apart.prepare()  # the second time changes nothing
        assert not list(store.glob("tasks/*/*.parquet"))  # nothing is ingested before the end
    lines = apart.lines()
    assert list(store.glob("tasks/*/*.parquet"))
    assert lines == finish_run("r1", store)
    assert lines[0].startswith("tracer-hooks: 1 task (all succeeded)")


def test_one_that_waited_in_vain_is_started_again(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = FinishApart("r1", store)
    apart.prepare()
    assert apart._process is not None
    apart._process.kill()
    apart._process.wait()
    assert "1 task" in apart.lines()[0]


def test_an_adapter_that_is_gone_ends_it(store: Path) -> None:
    apart = FinishApart("r1", store)
    apart.prepare()
    process = apart._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 0
    assert not list(store.glob("tasks/*/*.parquet"))


def test_what_goes_wrong_is_two_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = FinishApart("r1", tmp_path / "nowhere").lines()
    assert len(lines) == 2
    assert "no store at" in lines[0]
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    lines = FinishApart("r1", tmp_path / "nowhere").lines()
    assert len(lines) == 2
    assert "no python" in lines[0]
    monkeypatch.setattr(sys, "executable", "/bin/false")
    lines = FinishApart("r1", tmp_path / "nowhere").lines()
    assert lines[0] == "tracer-hooks: no summary of this run: exit status 1"


def test_one_that_hangs_is_ended(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finish_apart, "_TIMEOUT_S", 0.05)
    monkeypatch.setattr(sys, "executable", "/bin/cat")
    begin = time.monotonic()
    assert "no summary" in FinishApart("r1", store).lines()[0]
    assert time.monotonic() - begin < 60


def test_it_loads_arrow_and_nothing_heavier(store: Path) -> None:
    """pandas alone would double what the end of a run costs."""
    script = """
import sys
from tracer_hooks import finish, finish_apart
finish_apart._keep_pandas_out()
finish.load()
loaded = set(sys.modules)
print(*finish.finish_run("r1", sys.argv[1]), sep="\\n")
heavy = {"pandas", "ibis", "duckdb", "rich"} & set(sys.modules)
late = {name for name in set(sys.modules) - loaded if name.startswith(("pyarrow", "tracer"))}
assert not heavy, heavy
assert not late, late  # what load() leaves out, the end of the run would wait for
import pandas  # not for pyarrow, but for whoever else asks
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(store)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "1 task" in done.stdout
    assert len(Store(store).tasks()) == 1
