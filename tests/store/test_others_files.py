"""A store that several users share: what one may not read costs a warning, and nothing else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tracer_hooks.plugins import tool_rules
from tracer_hooks.store import Store

from . import spools

NOBODY = 65534
RULES = tool_rules()


@contextmanager
def another_user() -> Iterator[None]:
    """Root may read everything, so that it is somebody else meanwhile."""
    us = os.geteuid()
    if us == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(us)


def opened(store: Path) -> Store:
    return Store(store, tool_rules=RULES, on_warning=spools.ignore)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A store of two users' runs, in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="tracer-shared-") as name:
        store = Path(name)
        store.chmod(0o755)
        for run_id in ("theirs", "ours"):
            spools.write(store, spools.attempt("t", run_id))
        # What is imported late, the other user may be unable to import.
        opened(store).runs()
        opened(store).scan("tasks")
        yield store


def closed(path: Path) -> Path:
    path.chmod(0)
    return path


@pytest.mark.parametrize("pattern", ["spool/theirs", "spool/theirs/*.jsonl", "tasks/run_id=theirs"])
def test_what_we_may_not_read_is_named_once_and_the_rest_is_read(
    shared: Path, pattern: str
) -> None:
    if pattern.startswith("tasks"):
        Store(shared).ingest("theirs")
    (theirs,) = [closed(path) for path in shared.glob(pattern)]
    store = opened(shared)
    with another_user():
        assert store.runs()["run_id"].tolist() == ["ours"]
        assert store.tasks("ours")["task_id"].tolist() == ["t"]
        assert store.scan("tasks").to_table()["run_id"].to_pylist() == ["ours"]
    (warning,) = store.warnings
    assert str(theirs) in warning
    assert "Permission denied" in warning
    theirs.chmod(0o755)


@pytest.mark.parametrize("pattern", ["spool/theirs", "spool/theirs/*.jsonl"])
def test_ingest_goes_on_and_leaves_them_be(shared: Path, pattern: str) -> None:
    (theirs,) = [closed(path) for path in shared.glob(pattern)]
    if os.geteuid() == 0:
        for path in (shared, shared / "spool/ours", *shared.glob("spool/ours/*")):
            os.chown(path, NOBODY, -1)
    store = opened(shared)
    with another_user():
        result = store.ingest()
    assert result.attempts == 1
    assert len([text for text in result.warnings if str(theirs) in text]) == 1
    theirs.chmod(0o755)
    assert [path.name for path in shared.glob("spool/*/*")] == [
        path.name for path in shared.glob("spool/theirs/*.jsonl")
    ]
    assert sorted(Store(shared).runs()["run_id"]) == ["ours", "theirs"]


def test_a_record_that_we_may_not_read_does_not_say_that_its_run_is_over(shared: Path) -> None:
    (theirs,) = shared.glob("spool/theirs/*.jsonl")
    record = theirs.with_name("@run.x.jsonl")
    record.write_text('{"t":"run","v":1,"run_id":"theirs"}\n{"t":"run_end","status":"failed"}\n')
    spools.write(shared, [spools.card_line("later", "theirs"), {"t": "paused"}])
    mine = record.with_name("@run.y.jsonl")
    mine.write_bytes(record.read_bytes())
    closed(record)
    if os.geteuid() == 0:
        for path in (shared, shared / "spool/theirs", *shared.glob("spool/*/*")):
            os.chown(path, NOBODY, -1)
    with another_user():
        opened(shared).ingest()
    assert len(list(shared.glob("spool/theirs/later.*"))) == 1
