"""The monitor that watches a running process from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.supervisor.harness import PYTHON, SUPERVISOR, check_invariants, read_spools
from tracer_hooks.supervisor import attached_end
from tracer_hooks.supervisor.attached_end import patience_s
from tracer_hooks.supervisor.procfs import Proc

PRELUDE = f"""
import json, os, subprocess, sys, time
STORE = sys.argv[1]
def attach():
    ready_read, ready_write = os.pipe()
    control_read, control_write = os.pipe()
    card = json.dumps({{"run_id": "run", "task_id": "task"}})
    monitor = subprocess.Popen(
        [{PYTHON!r}, "-I", "-S", {str(SUPERVISOR)!r}, "attach", "--store", STORE, "--run", "run",
         "--task", "task", "--card", card, "--pid", str(os.getpid()),
         "--ready-fd", str(ready_write), "--control-fd", str(control_read)],
        pass_fds=(ready_write, control_read), start_new_session=True)
    os.close(ready_write); os.close(control_read)
    assert os.read(ready_read, 16) == b"ready\\n"
    return monitor, control_write
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
def end(monitor, control, text="end succeeded 0\\n"):
    os.write(control, text.encode()); monitor.wait(20)
"""


def traced(store: Path, body: str) -> tuple[int, list[dict[str, Any]]]:
    program = PRELUDE + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", program, str(store)], timeout=60)
    deadline = 200
    while True:  # after a crash the monitor seals by itself
        (lines,) = read_spools(store)
        if lines[-1]["t"] == "sealed":
            check_invariants(lines[-1])
            return done.returncode, lines
        deadline -= 1
        assert deadline, lines
        subprocess.run(["sleep", "0.05"], check=True)


def test_only_what_happens_inside_counts(tmp_path: Path) -> None:
    body = """
        earlier = subprocess.Popen([sys.executable, "-c",
            "import time\\nwhile time.process_time() < 0.5: pass\\ntime.sleep(0.6)"])
        burn(0.6)
        time.sleep(0.3)
        monitor, control = attach()
        burn(0.3)
        burner = "import time\\nwhile time.process_time() < 0.3: pass"
        subprocess.run([sys.executable, "-c", burner])
        block = bytearray(120 << 20)
        earlier.wait()
        time.sleep(0.3)
        end(monitor, control)
    """
    code, lines = traced(tmp_path, body)
    assert code == 0
    sealed = lines[-1]
    assert sealed["status"] == "succeeded"
    assert 0.5 < sealed["cpu_s"] < 0.95
    assert sealed["memory_peak_bytes"] > 120 * 2**20
    assert lines[0]["mode"] == "attach"


@pytest.mark.parametrize(
    ("how", "status", "exit_code", "number"),
    [
        ("os._exit(5)", "failed", 5, None),
        ("os._exit(0)", "succeeded", 0, None),
        ("os.kill(os.getpid(), 9)", "failed", None, 9),
    ],
)
def test_an_end_without_a_word(
    tmp_path: Path, how: str, status: str, exit_code: int | None, number: int | None
) -> None:
    _, lines = traced(tmp_path, f"monitor, control = attach()\ntime.sleep(0.4)\n{how}")
    sealed = lines[-1]
    if sealed["failure_cause"] == "unknown":
        pytest.skip("this kernel (before 6.15) tells no exit status to who is not the parent")
    assert (sealed["status"], sealed["exit_code"], sealed["signal"]) == (status, exit_code, number)


def test_told_how_it_ended(tmp_path: Path) -> None:
    body = "monitor, control = attach()\nend(monitor, control, 'end failed 4\\n')"
    _, lines = traced(tmp_path, body)
    assert (lines[-1]["status"], lines[-1]["exit_code"]) == ("failed", 4)


def test_orphans_are_followed(tmp_path: Path) -> None:
    body = """
        monitor, control = attach()
        program = "import time\\nwhile time.process_time() < 0.7: pass\\ntime.sleep(0.3)"
        lives_read, lives_write = os.pipe()
        if os.fork() == 0:
            if os.fork() == 0:
                os.set_inheritable(lives_write, True)
                os.execv(sys.executable, [sys.executable, "-c", program])
            os.close(lives_write)
            time.sleep(0.2)
            os._exit(0)
        os.close(lives_write)
        os.wait()
        os.read(lives_read, 1)  # nothing comes: the orphan has ended
        end(monitor, control)
    """
    _, lines = traced(tmp_path, body)
    assert 0.55 < lines[-1]["cpu_s"] < 1.0


def test_process_that_is_gone_already(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    argv = [PYTHON, "-I", "-S", str(SUPERVISOR), "attach", "--store", str(tmp_path)]
    argv += ["--run", "run", "--task", "task", "--card", json.dumps({}), "--pid", str(gone.pid)]
    done = subprocess.run(argv, capture_output=True, timeout=20)
    assert done.returncode == 0
    assert done.stderr == b""
    (lines,) = read_spools(tmp_path)
    assert lines[-1]["t"] == "sealed"
    assert Path(lines[0]["workdir"]).exists()


def test_a_process_that_is_being_taken_down_is_waited_for() -> None:
    """Its pipe closes before its end shows: a killed task must not pass for one that let go."""
    with subprocess.Popen([PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"]) as dead:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
        assert patience_s(Proc().read(f"{dead.pid}/stat")) > 10
    assert patience_s(Proc().read(f"{os.getpid()}/stat")) < 1
    assert patience_s(None) < 1


ZOMBIE = b"7 (task) Z " + b"0 " * 48 + b"%d"


@pytest.mark.parametrize(
    ("shown", "may_know", "told", "status"),
    [
        (0, False, [None, None, 9], 9),  # 0 only because it may not be known: till it is reaped
        (0, True, [None], 0),
        (9, False, [None], 9),
        (0, False, [1280], 1280),
    ],
)
def test_an_exit_status_that_may_not_be_known_is_no_success(
    monkeypatch: pytest.MonkeyPatch, shown: int, may_know: bool, told: list[int | None], status: int
) -> None:
    answers = iter(told)
    monkeypatch.setattr(attached_end, "exit_status", lambda pidfd: next(answers))
    proc = SimpleNamespace(
        read=lambda name: ZOMBIE % shown, io=lambda pid: (0, 0, 0, 0) if may_know else None
    )
    record: Any = SimpleNamespace(pid=7, proc=proc)
    assert attached_end.wait_status(record, 3, None) == status
