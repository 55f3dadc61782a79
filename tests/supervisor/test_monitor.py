"""What the watched process waits for at its end, and what it leaves to its monitor."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

from tests.supervisor.harness import check_invariants, read_spools
from tracer_hooks.adapter import TaskCard
from tracer_hooks.monitor import Monitor

PROGRAM = """
import os, signal, subprocess, sys, time
from tracer_hooks.adapter import TaskCard
from tracer_hooks.monitor import Monitor
from pathlib import Path
store = Path(sys.argv[1])
monitor = Monitor(TaskCard(run_id="run", task_id="task"), store)
assert monitor.wait_until_ready()
def observer():
    return int(next(store.glob("spool/run/task.*")).read_text().split('"pid":')[1].split(",")[0])
"""


def run(store: Path, body: str) -> None:
    program = PROGRAM + textwrap.dedent(body)
    subprocess.run([sys.executable, "-c", program, str(store)], timeout=60, check=True)


def last_line(store: Path) -> dict[str, Any]:
    (lines,) = read_spools(store)
    return lines[-1]


def test_the_last_figures_are_read_before_the_process_goes_on(tmp_path: Path) -> None:
    body = """
        time.sleep(0.2)
        os.kill(observer(), signal.SIGSTOP)
        end = time.process_time() + 0.3
        while time.process_time() < end: pass
        subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -CONT {observer()}"])
        monitor.end("succeeded", seal=False)
        os._exit(0)
    """
    run(tmp_path, body)
    deadline = time.monotonic() + 20
    while (line := last_line(tmp_path))["t"] != "sealed" and time.monotonic() < deadline:
        time.sleep(0.02)
    check_invariants(line)
    assert line["status"] == "succeeded"
    assert line["cpu_s"] > 0.28


def test_a_python_that_exits_waits_for_what_it_left(tmp_path: Path) -> None:
    body = """
        time.sleep(0.3)
        pid = observer()
        wake = ["sh", "-c", f"sleep 0.5; kill -CONT {pid}"]
        assert monitor.end("succeeded", seal=False)
        os.kill(pid, signal.SIGSTOP)
        subprocess.Popen(wake)
    """
    run(tmp_path, body)
    assert last_line(tmp_path)["t"] == "sealed"


def test_a_monitor_that_dies_over_the_last_line_is_no_record(tmp_path: Path) -> None:
    body = """
        time.sleep(0.3)
        os.kill(observer(), signal.SIGSTOP)
        subprocess.Popen(["sh", "-c", f"sleep 0.2; kill -9 {observer()}"])
        assert not monitor.end("succeeded")
        assert monitor.problem == "the monitor was killed", monitor.problem
    """
    run(tmp_path, body)


def test_a_problem_with_the_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for seal in (True, False):
        monitor = Monitor(TaskCard(run_id="run", task_id="task"), tmp_path / "file" / "store")
        assert monitor.wait_until_ready()
        assert not monitor.end("succeeded", seal=seal)
        assert (monitor.problem or "").endswith("Not a directory")


def test_nothing_is_kept_of_what_is_sealed(tmp_path: Path) -> None:
    def descriptors() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = descriptors()
    for number in range(4):
        monitor = Monitor(TaskCard(run_id="run", task_id=f"t{number}"), tmp_path)
        assert monitor.wait_until_ready()
        assert monitor.end("succeeded", seal=False)
        deadline = time.monotonic() + 20
        while not monitor.is_sealed() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert descriptors() == before + 1, "the last one's"
    monitor.wait_until_sealed(time.monotonic() + 20)
    assert descriptors() == before
    spools = list(tmp_path.glob("spool/run/t*.jsonl"))
    assert len(spools) == 4
    assert all('"t":"sealed"' in spool.read_text() for spool in spools)
