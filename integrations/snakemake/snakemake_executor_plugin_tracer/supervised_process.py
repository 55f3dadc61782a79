"""A shell command under the supervisor, for code that expects the shell command itself.

Snakemake keeps the `Popen` object of a running job for three things: to wait for it, to kill it
when another member of its pipe group failed, and to measure it for `benchmark:`. Waiting needs
nothing from us; the other two mean the command, not the supervisor in front of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tracer_hooks.adapter import SUPERVISOR

_PATIENCE_S = 2.0  # the supervisor launches its command within milliseconds, on a busy node too


class SupervisedProcess(subprocess.Popen[Any]):
    """A supervisor and the command it runs. A signal for the command goes to the command."""

    def kill(self) -> None:
        """SIGKILL the command, so that the supervisor lives to record it."""
        command = command_of(self.pid)
        if command is None or self.poll() is not None:
            super().kill()
            return
        try:
            os.kill(command, signal.SIGKILL)
        except OSError:
            super().kill()


class BenchmarkedProcess:
    """A supervised process whose `pid` is the command's, all else is the process's own."""

    def __init__(self, process: SupervisedProcess) -> None:
        self._process = process
        self.pid = wait_for_command(process)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._process, name)


def wait_for_command(process: SupervisedProcess) -> int:
    """The pid of the command as soon as there is one; the supervisor's own where there is none."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and _exists(process.pid):
        command = command_of(process.pid)
        if command is not None:
            return command
        if not _is_supervisor(process.pid):
            break
        time.sleep(0.001)
    return process.pid


def command_of(pid: int) -> int | None:
    """The process that the supervisor `pid` launched; None if it did not, or is none."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    # The first child is the command: what comes later are orphans that the supervisor adopted.
    return int(children[0]) if children and _is_supervisor(pid) else None


def _is_supervisor(pid: int) -> bool:
    """False for a command that the supervisor has made way for, because it could not observe."""
    try:
        return os.fsencode(SUPERVISOR) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
