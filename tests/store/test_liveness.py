"""running, lost, or sealed: told by the process that writes, and by nothing that is guessed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracer_hooks.adapter import RunRecord
from tracer_hooks.store import Store
from tracer_hooks.store.liveness import observer_life
from tracer_hooks.supervisor.observer_identity import observer_identity

from . import spools


@pytest.fixture
def writer() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


def statuses(store: Path) -> list[str]:
    return list(Store(store).table("tasks")["status"].to_pylist())


def test_running_while_the_writer_lives_and_lost_when_it_was_killed(
    tmp_path: Path, writer: subprocess.Popen[bytes]
) -> None:
    lines = [
        spools.card_line(observer=observer_identity(writer.pid)),
        *spools.process_lines(end=None),
        spools.reading_line(1.0, p=[[1, 0.4, 800, 5, 6]]),
        spools.reading_line(2.0, memory_peak_bytes=5000, container_id="c1"),
    ]
    path = spools.write(tmp_path, lines, torn=b'{"t": "r", "elap')
    result = Store(tmp_path).ingest()
    assert (result.attempts, result.running) == (0, 1)
    assert statuses(tmp_path) == ["running"]

    os.kill(writer.pid, signal.SIGKILL)
    os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)  # dead, and not reaped: a zombie
    assert statuses(tmp_path) == ["lost"]
    writer.wait()
    assert statuses(tmp_path) == ["lost"]

    assert Store(tmp_path).ingest().attempts == 1
    assert not path.exists()
    (task,) = Store(tmp_path).table("tasks").to_pylist()
    assert task["status"] == "lost"
    assert (task["cpu_s"], task["wall_s"], task["memory_peak_bytes"]) == (1.8, 2.0, 5000)
    assert task["container_id"] == "c1"
    assert task["ended_at"] is None
    assert task["exit_code"] is None
    readings = Store(tmp_path).table("readings").to_pylist()
    assert [(r["process_id"], r["elapsed_s"], r["cpu_s"]) for r in readings] == [
        (None, 1.0, 0.9), (1, 1.0, 0.4), (None, 2.0, 1.8),
    ]  # fmt: skip
    assert Store(tmp_path).table("processes")["ended_at"].to_pylist() == [None]


def test_a_pid_that_was_given_away_is_not_the_writer(tmp_path: Path) -> None:
    spools.write(tmp_path, [spools.card_line(observer=spools.gone_observer())])
    assert statuses(tmp_path) == ["lost"]


@pytest.mark.parametrize(
    ("age_s", "shown", "ingested"), [(1, "running", 0), (700, "lost", 0), (90_000, "lost", 1)]
)
@pytest.mark.parametrize(
    "changes",
    [
        {"boot_id": "another-host"},
        {"pid_ns": "pid:[1]"},
        {"pid_ns": None},
        {"boot_id": None},
        {"pid": "x"},
    ],
)
def test_a_writer_that_cannot_be_asked_is_judged_by_the_age_of_its_file(
    tmp_path: Path, changes: dict[str, object], age_s: float, shown: str, ingested: int
) -> None:
    observer = {**spools.gone_observer(), **changes}
    path = spools.write(tmp_path, [spools.card_line(observer=observer, host="elsewhere")])
    at = time.time() - age_s
    os.utime(path, (at, at))
    assert statuses(tmp_path) == [shown]
    assert Store(tmp_path).ingest().attempts == ingested
    assert statuses(tmp_path) == [shown]


def test_after_a_reboot_of_this_host_the_writer_is_gone(tmp_path: Path) -> None:
    observer = {**observer_identity(), "boot_id": "the boot before"}
    path = spools.write(tmp_path, [spools.card_line(observer=observer)])
    assert statuses(tmp_path) == ["running"]  # may be another host of the same name, writing now
    at = time.time() - 120
    os.utime(path, (at, at))
    assert statuses(tmp_path) == ["lost"]
    assert Store(tmp_path).ingest().attempts == 1


def test_a_hidden_process_is_not_taken_for_dead(tmp_path: Path) -> None:
    """/proc mounted with hidepid shows nothing of others' processes."""
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/pid").symlink_to(Path("/proc/self/ns/pid").readlink())
    boot = tmp_path / "sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text(Path("/proc/sys/kernel/random/boot_id").read_text())
    assert observer_life(observer_identity(), None, 5.0, proc=tmp_path) == "unknown"


def test_a_record_that_was_sealed_after_its_writer_was_judged(tmp_path: Path) -> None:
    spools.write(tmp_path, spools.attempt(observer=spools.gone_observer()))
    assert statuses(tmp_path) == ["succeeded"]


def paused(store: Path) -> Path:
    return spools.write(store, [spools.card_line("waits"), {"t": "paused"}])


def test_what_waits_in_a_run_that_goes_on_is_left(tmp_path: Path) -> None:
    """Neither a note about the run that is complete, nor a record of before it was resumed, says
    that it is over."""
    path = paused(tmp_path)
    note = path.with_name("@run.note.jsonl")
    note.write_text('{"t":"e","at":1,"kind":"instance","detail":{}}\n{"t":"run_end"}\n')
    assert Store(tmp_path).ingest().attempts == 0
    RunRecord("r1", store=tmp_path).end("failed")
    resumed = RunRecord("r1", store=tmp_path)
    assert Store(tmp_path).ingest().attempts == 0
    assert path.exists()
    assert statuses(tmp_path) == ["running"]
    resumed.end("failed")
    assert Store(tmp_path).ingest().attempts == 1
    assert statuses(tmp_path) == ["lost"]


def test_a_run_whose_first_engine_died_is_over_when_the_next_one_says_so(tmp_path: Path) -> None:
    path = paused(tmp_path)
    died = {"t": "run", "v": 1, "run_id": "r1", "observer": spools.gone_observer()}
    path.with_name("@run.died.jsonl").write_text(json.dumps(died) + "\n")
    RunRecord("r1", store=tmp_path).end("succeeded")
    assert Store(tmp_path).ingest().attempts == 1
