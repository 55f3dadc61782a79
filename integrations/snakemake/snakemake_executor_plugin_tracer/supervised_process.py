"""A shell command under the supervisor, for code that expects the shell command itself."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tracer_hooks.adapter import SUPERVISOR
from tracer_hooks.forked_process import ForkedProcess

_PATIENCE_S = 2.0  # the supervisor launches its command within milliseconds, on a busy node too


class SupervisedProcess(ForkedProcess):
    """A supervisor and the command it runs, as `shell()` keeps it while a job runs."""

    def kill(self) -> None:
        """SIGKILL the command, so that the supervisor lives to record it.

        Snakemake kills the members of a pipe group when one of them has failed.
        """
        command = None if self.poll() is not None else command_of(self.pid)
        try:
            if command is not None:
                os.kill(command, signal.SIGKILL)
                return
        except OSError:
            pass
        super().kill()


def wait_for_command(pid: int) -> int:
    """The pid of what the supervisor `pid` runs, as soon as it does; else `pid`."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        command = command_of(pid)
        # Between fork and exec it is still the supervisor's image, and the supervisor's memory.
        if command is not None and _words(command)[0:1] != [b""] and not _is_supervisor(command):
            return command
        # Nothing to read: it is being loaded (a moment that is rare, and seen), or it has ended.
        if not (_is_supervisor(pid) or (_words(pid) == [b""] and not _ended(pid))):
            break
        time.sleep(0.001)
    return pid


def command_of(pid: int) -> int | None:
    """The process that the supervisor `pid` launched; None if it did not, or is none."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    # The first child is the command: what comes later are orphans that the supervisor adopted.
    return int(children[0]) if children and _is_supervisor(pid) else None


def _is_supervisor(pid: int) -> bool:
    """False for one that has ended, or made way for its command because it cannot observe."""
    return os.fsencode(SUPERVISOR) in _words(pid)


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _ended(pid: int) -> bool:
    """Whether a child of this process has ended; it stays to be waited for."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    except ChildProcessError:
        return True
