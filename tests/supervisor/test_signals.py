"""Each signal reaches the command exactly once, whoever sent it and to whom."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.supervisor.harness import PYTHON, command_for, read_spools

# Counts signals for as long as they may still come, then says how many.
COUNTER = """
import os, signal, sys, time
count = 0
def handler(number, frame):
    global count
    count += 1
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
    signal.signal(number, handler)
print("ready", flush=True)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    time.sleep(0.02)
print("count", count, flush=True)
"""


def counter(store: Path, seconds: float, **popen: bool) -> subprocess.Popen[bytes]:
    command = command_for(store, [PYTHON, "-I", "-S", "-c", COUNTER, str(seconds)])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
@pytest.mark.parametrize("after_s", [0.0, 0.3], ids=["at once", "later"])
def test_to_the_supervisor_alone(tmp_path: Path, number: int, after_s: float) -> None:
    process = counter(tmp_path, 0.8)
    time.sleep(after_s)
    os.kill(process.pid, number)
    output, _ = process.communicate(timeout=20)
    assert output == b"count 1\n"
    (lines,) = read_spools(tmp_path)
    (event,) = [line for line in lines if line["t"] == "e" and line["kind"] == "signal"]
    assert event["detail"]["signal"] == number
    assert event["detail"]["sender_pid"] == os.getpid()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_to_the_whole_group(tmp_path: Path, number: int) -> None:
    process = counter(tmp_path, 1.2)
    time.sleep(0.4)
    for expected in range(2):
        os.killpg(process.pid, number)
        time.sleep(0.2 + 0.0 * expected)
    output, _ = process.communicate(timeout=20)
    assert output == b"count 2\n"


def test_one_after_the_other_to_every_process(tmp_path: Path) -> None:
    # as Slurm and systemd do it: by pid, the supervisor first
    process = counter(tmp_path, 1.0)
    time.sleep(0.4)
    for pid in (process.pid, *_group(process.pid)):
        os.kill(pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert output == b"count 1\n"


def _group(leader: int) -> list[int]:
    listing = subprocess.run(["ps", "-eo", "pid,pgid"], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listing.stdout.splitlines()[1:]]
    return [int(pid) for pid, group in rows if int(group) == leader and int(pid) != leader]


def test_terminated_task_is_cancelled(tmp_path: Path) -> None:
    process = subprocess.Popen(command_for(tmp_path, ["sleep", "60"]), start_new_session=True)
    time.sleep(0.4)
    process.terminate()
    assert process.wait(20) == 128 + 15
    (lines,) = read_spools(tmp_path)
    assert lines[-1]["status"] == lines[-1]["failure_cause"] == "cancelled"
    assert lines[-1]["signal"] == 15


def test_timeout_command_works_around_and_inside(tmp_path: Path) -> None:
    outside = ["timeout", "1", *command_for(tmp_path / "a", ["sleep", "60"])]
    assert subprocess.run(outside, timeout=30).returncode == 124
    inside = command_for(tmp_path / "b", ["timeout", "1", "sleep", "60"])
    assert subprocess.run(inside, timeout=30).returncode == 124
    ends = [read_spools(tmp_path / name)[0][-1] for name in "ab"]
    assert [end["failure_cause"] for end in ends] == ["timeout", "timeout"]
    assert (ends[0]["signal"], ends[1]["exit_code"]) == (15, 124)


def test_alarm_from_before_the_supervisor_reaches_the_command(tmp_path: Path) -> None:
    # `perl -e 'alarm 1; exec @ARGV'` is the old way to limit a command's time
    program = (
        "import os, signal, sys; signal.setitimer(0, 0.6); os.execv(sys.argv[1], sys.argv[1:])"
    )
    argv = [sys.executable, "-I", "-S", "-c", program, *command_for(tmp_path, ["sleep", "60"])]
    assert subprocess.run(argv, timeout=30).returncode == 128 + signal.SIGALRM


def test_stop_and_continue_without_a_terminal(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command_for(tmp_path, ["sh", "-c", "kill -STOP $$; exit 9"]), start_new_session=True
    )
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    os.kill(process.pid, signal.SIGCONT)  # to us alone: the command must wake too
    assert process.wait(20) == 9


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _child(pid: int, comm: str) -> int | None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in children:
        with contextlib.suppress(OSError):  # it may have been reaped meanwhile
            if Path(f"/proc/{each}/comm").read_text().strip() == comm:
                return int(each)
    return None


def _until(happens: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP])
@pytest.mark.parametrize("then", [signal.SIGCONT, signal.SIGKILL])
def test_the_command_alone_is_stopped_and_goes_on(tmp_path: Path, number: int, then: int) -> None:
    # no session of its own: in a group that nobody else in the session is the parent of, the
    # kernel drops SIGTSTP
    words = command_for(tmp_path, ["sleep", "0.3"])
    process = subprocess.Popen(words, preexec_fn=os.setpgrp)
    _until(lambda: _child(process.pid, "sleep"))
    command = _child(process.pid, "sleep")
    assert command
    os.kill(command, number)
    _until(lambda: _state(process.pid) == "T")
    os.kill(command, then)
    assert process.wait(10) == (0 if then == signal.SIGCONT else 128 + 9)


def test_a_canary_that_was_killed_is_replaced(tmp_path: Path) -> None:
    process = counter(tmp_path, 1.2)
    _until(lambda: _child(process.pid, "tracer-canary"))
    canary = _child(process.pid, "tracer-canary")
    assert canary
    os.kill(canary, signal.SIGKILL)
    _until(lambda: _child(process.pid, "tracer-canary") not in (None, canary))
    os.killpg(process.pid, signal.SIGUSR1)
    output, _ = process.communicate(timeout=20)
    assert output == b"count 1\n"
    (lines,) = read_spools(tmp_path)
    assert not [line for line in lines if line["t"] == "p" and line["comm"] == "tracer-canary"]


def test_a_signal_that_the_command_ignores_does_not_make_its_failure_a_cancellation(
    tmp_path: Path,
) -> None:
    script = "trap '' TERM; echo ready; sleep 0.3; exit 3"
    process = subprocess.Popen(
        command_for(tmp_path, ["sh", "-c", script]), stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.wait(20) == 3
    process.stdout.close()
    (lines,) = read_spools(tmp_path)
    assert (lines[-1]["status"], lines[-1]["failure_cause"]) == ("failed", "exit_code")


IGNORING_CHILDREN = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""


TELLS_WHAT_IT_IGNORES = """
import signal, sys, time
print(signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN, flush=True)
time.sleep(0.1)
sys.exit(7)
"""


def test_a_parent_that_ignores_its_children(tmp_path: Path) -> None:
    command = [PYTHON, "-I", "-S", "-c", TELLS_WHAT_IT_IGNORES]
    results = []
    for argv in (command, command_for(tmp_path, command)):
        done = subprocess.run(
            [PYTHON, "-I", "-S", "-c", IGNORING_CHILDREN, *argv],
            capture_output=True,
            timeout=20,
            restore_signals=False,
        )
        results.append((done.returncode, done.stdout))
    assert results == [(7, b"True\n")] * 2
    (lines,) = read_spools(tmp_path)
    assert lines[-1]["exit_code"] == 7


class Terminal:
    """An interactive bash with job control on a real pseudo-terminal."""

    def __init__(self) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(PS1="PROMPT> ", TERM="dumb")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])  # noqa: S606 - a shell is meant
        self.seen = ""
        self.expect("PROMPT> ")

    def send(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def expect(self, text: str, timeout_s: float = 20.0) -> str:
        """Read up to and with `text`; returns what came."""
        deadline = time.monotonic() + timeout_s
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come; got {self.seen!r}"
            self.seen += os.read(self.fd, 65536).decode(errors="replace")
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def close(self) -> None:
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    shell = Terminal()
    yield shell
    shell.close()


def typed(store: Path, command: str) -> str:
    """The supervised command as somebody would type it, quoting the words of ours."""
    words = command_for(store, ["COMMAND"])[:-1]
    return " ".join("'" + word + "'" for word in words) + " " + command + "\n"


def test_ctrl_c_is_delivered_once(tmp_path: Path, terminal: Terminal) -> None:
    script = tmp_path / "count.py"
    script.write_text(COUNTER)
    for after_s in (0.0, 0.4):
        terminal.send(typed(tmp_path / "store", f"{PYTHON} -I -S {script} 1"))
        terminal.expect("ready")
        time.sleep(after_s)
        terminal.send("\x03")
        terminal.expect("count 1")
        terminal.expect("PROMPT> ")


def test_ctrl_c_ends_a_command_with_130(tmp_path: Path, terminal: Terminal) -> None:
    terminal.send(typed(tmp_path, "sh -c 'echo up; exec sleep 60'"))
    terminal.expect("\nup")
    terminal.send("\x03")
    terminal.expect("PROMPT> ")
    terminal.send("echo status=$?\n")
    terminal.expect("status=130")
    (lines,) = read_spools(tmp_path)
    assert lines[-1]["status"] == "cancelled"


def test_ctrl_z_stops_and_fg_resumes(tmp_path: Path, terminal: Terminal) -> None:
    # not sh: a dash that is stopped between vfork and exec hangs, with or without us
    for _ in range(3):  # the order in which two signals are seen varies
        terminal.send(typed(tmp_path, "bash -c 'echo up; sleep 0.7; echo fin; exit 3'"))
        terminal.expect("\nup")
        terminal.send("\x1a")
        terminal.expect("Stopped")
        terminal.expect("PROMPT> ")
        terminal.send("fg\n")
        terminal.expect("\nfin")
        rest = terminal.expect("PROMPT> ")
        assert "Stopped" not in rest
        terminal.send("echo status=$?\n")
        terminal.expect("status=3")
        terminal.expect("PROMPT> ")


def test_reading_and_end_of_file_on_a_terminal(tmp_path: Path, terminal: Terminal) -> None:
    terminal.send(typed(tmp_path, "sh -c 'echo up; test -t 0 && test -t 1 && cat'"))
    terminal.expect("\nup")
    terminal.send("hello\n")
    terminal.expect("hello\r\nhello")
    terminal.send("\x04")
    terminal.expect("PROMPT> ")


def test_background_reader_is_stopped_by_the_terminal(tmp_path: Path, terminal: Terminal) -> None:
    terminal.send("set -b\n" + typed(tmp_path, "cat &"))
    terminal.expect("Stopped")
    terminal.send("fg\n")
    time.sleep(0.3)
    terminal.send("line\n")
    terminal.expect("line\r\nline")
    terminal.send("\x04")
    terminal.expect("PROMPT> ")
