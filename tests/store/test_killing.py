"""SIGKILL at any moment: no attempt lost, none doubled, every part readable."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from tracer_hooks.store import Store
from tracer_hooks.store.parts import open_part

from . import spools
from .forking import Actor

# 200 and more: TRACER_HOOKS_KILLS=250 pytest tests/store/test_killing.py
KILLS = int(os.environ.get("TRACER_HOOKS_KILLS", "60"))
_HAVE_ROWS = ("tasks", "processes", "tools")


@pytest.fixture
def actor() -> Iterator[Actor]:
    actor = Actor()
    yield actor
    actor.close()


def check(store: Path, expected: list[str]) -> None:
    reader = Store(store)
    for name in _HAVE_ROWS:
        found = reader.table(name, columns=["task_id"])["task_id"].to_pylist()
        assert sorted(found) == sorted(expected), name
    for path in spools.parts(store):
        open_part(path).close()
    assert reader.warnings == []


def finish(store: Path, expected: list[str]) -> None:
    """After an undisturbed pass a reader that knows nothing of us sees each row once, too."""
    assert Store(store).ingest().warnings == []
    Store(store).compact()
    check(store, expected)
    assert not list(store.glob("spool/*/*"))
    for name in _HAVE_ROWS:
        assert ds.dataset(store / name, partitioning="hive").count_rows() == len(expected)


def test_killed_before_every_change_in_turn(tmp_path: Path, actor: Actor) -> None:
    """Ingest and compaction, killed before the first change in the filesystem, the second, …"""
    expected: list[str] = []
    for kill_at in range(1, 500):
        for _ in range(2):
            expected.append(f"t{len(expected)}")
            spools.write(tmp_path, spools.attempt(expected[-1]))
        actor.start(tmp_path, "ingest_compact", kill_at)
        status = actor.wait()
        assert status in (0, -signal.SIGKILL)
        check(tmp_path, expected)
        if status == 0:
            break
    assert kill_at > 20  # killed at that many moments before one got through
    finish(tmp_path, expected)


def test_killed_at_random_moments(tmp_path: Path, actor: Actor) -> None:
    chance = random.Random()
    expected: list[str] = []

    def more(count: int) -> None:
        for _ in range(count):
            expected.append(f"t{len(expected)}")
            spools.write(tmp_path, spools.attempt(expected[-1]))

    for _ in range(3):
        more(2)
        started = time.monotonic()
        actor.start(tmp_path, "ingest_compact")
        assert actor.wait() == 0
        usual = time.monotonic() - started
    killed = 0
    for _ in range(KILLS):
        more(chance.randrange(5))
        pid = actor.start(tmp_path, chance.choice(["ingest", "compact", "ingest_compact"]))
        time.sleep(chance.uniform(0, usual))
        os.kill(pid, signal.SIGKILL)  # not reaped before wait(): the pid is its own
        killed += actor.wait() == -signal.SIGKILL
        check(tmp_path, expected)
    assert killed > 0
    finish(tmp_path, expected)
