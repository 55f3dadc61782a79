"""One attempt that lets go of its process and goes on in another."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.harness import check_invariants, read_spools
from tracer_hooks.adapter import RunRecord
from tracer_hooks.store import Store

# A process that is watched, from its start to what it says at its end.
PROGRAM = """
import subprocess, sys, time
from tracer_hooks.adapter import TaskCard
from tracer_hooks.monitor import Monitor
from pathlib import Path
card = TaskCard(run_id="run", task_id="task", step="wait", tags={"stretch": sys.argv[2]})
monitor = Monitor(card, Path(sys.argv[1]), ["--resume"])
assert monitor.wait_until_ready()
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
"""


def stretch(store: Path, number: int, body: str) -> int:
    program = PROGRAM + textwrap.dedent(body)
    argv = [sys.executable, "-c", program, str(store), str(number)]
    return subprocess.run(argv, timeout=60).returncode


def lines_of(store: Path) -> list[dict[str, Any]]:
    (lines,) = read_spools(store)
    return lines


def task_row(store: Path) -> dict[str, Any]:
    (row,) = Store(store).table("tasks").to_pylist()
    return dict(row)


def pause(store: Path) -> None:
    body = """
        burn(0.3)
        subprocess.run(["sleep", "0.1"])
        monitor.end("paused", said={"state": "deferred"})
    """
    assert stretch(store, 1, body) == 0


def test_the_stretches_are_one_attempt(tmp_path: Path) -> None:
    pause(tmp_path)
    paused = lines_of(tmp_path)[-1]
    assert paused["t"] == "paused"
    assert "status" not in paused
    body = """
        burn(0.2)
        subprocess.run(["sleep", "0.1"])
        monitor.end("succeeded")
    """
    assert stretch(tmp_path, 2, body) == 0
    lines = lines_of(tmp_path)
    sealed = lines[-1]
    check_invariants(sealed)
    assert sealed["status"] == "succeeded"
    assert paused["cpu_s"] + 0.2 <= sealed["cpu_s"] + 0.02
    assert sealed["wall_s"] > paused["wall_s"] + 0.3
    assert sealed["memory_peak_bytes"] >= paused["memory_peak_bytes"]
    assert sealed["process_count"] >= paused["process_count"] + 2
    resumed = [line for line in lines if line["t"] == "resumed"]
    assert [line["host"] for line in resumed] == [os.uname().nodename]
    ids = [line["id"] for line in lines if line["t"] == "p"]
    assert len(ids) == len(set(ids)), "ids go on where the first stretch ended"
    elapsed = [line["elapsed_s"] for line in lines if line["t"] == "r"]
    assert elapsed == sorted(elapsed)
    kinds = [line["kind"] for line in lines if line["t"] == "e"]
    assert kinds.count("attached") == 2
    assert "resumed" in kinds
    row = task_row(tmp_path)
    assert (row["status"], row["tags"]) == ("succeeded", [("stretch", "1")])
    assert row["cpu_s"] == pytest.approx(sealed["cpu_s"])


def test_what_is_paused_runs_still(tmp_path: Path) -> None:
    pause(tmp_path)
    row = task_row(tmp_path)
    assert row["status"] == "running"
    assert row["wall_s"] == pytest.approx(lines_of(tmp_path)[-1]["wall_s"])
    assert Store(tmp_path).ingest().running == 1
    assert len(read_spools(tmp_path)) == 1


def test_what_is_paused_when_its_run_ends_never_comes_back(tmp_path: Path) -> None:
    pause(tmp_path)
    RunRecord("run", store=tmp_path).end("failed")
    assert Store(tmp_path).ingest().attempts == 1
    assert task_row(tmp_path)["status"] == "lost"
    assert not read_spools(tmp_path)


def test_a_second_stretch_that_still_runs_is_running(tmp_path: Path) -> None:
    pause(tmp_path)
    program = PROGRAM + "print(flush=True)\nsys.stdin.read()\nmonitor.end('failed', 3)"
    argv = [sys.executable, "-c", program, str(tmp_path), "2"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert task_row(tmp_path)["status"] == "running"
        assert Store(tmp_path).ingest().running == 1, "its writer lives, the first one does not"
        process.communicate(timeout=60)
    row = task_row(tmp_path)
    assert (row["status"], row["exit_code"], row["failure_cause"]) == ("failed", 3, "exit_code")


def test_a_kill_in_the_second_stretch_keeps_the_first(tmp_path: Path) -> None:
    pause(tmp_path)
    stretch(tmp_path, 2, "time.sleep(0.3)\nimport os\nos.kill(os.getpid(), 9)")
    for _ in range(200):  # the monitor seals by itself
        sealed = lines_of(tmp_path)[-1]
        if sealed["t"] == "sealed":
            break
        subprocess.run(["sleep", "0.05"], check=True)
    assert sealed["status"] == "failed"
    assert sealed["cpu_s"] > 0.25


def test_an_attempt_that_was_sealed_is_not_gone_on_with(tmp_path: Path) -> None:
    stretch(tmp_path, 1, "monitor.end('failed', 1)")
    stretch(tmp_path, 2, "monitor.end('succeeded')")
    assert sorted(lines[-1]["status"] for lines in read_spools(tmp_path)) == ["failed", "succeeded"]
