"""The external monitor of a process: start it, wait until it watches, tell it the end.

The monitor is a stranger to the process that it watches: not its child (user code may wait for
any child), in a session of its own, with none of its descriptors, so that it survives a crash of
the process and records that too. A pair of sockets and a pipe join them. On the sockets the
process says how its task ended, and the monitor how far it has come with that; the death of either
closes them. On the pipe the monitor says that it watches.

They are the user's process's descriptors, and it may close them all and use their numbers anew:
each is touched only while it still is what was opened.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import resource
import select
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.adapter import SUPERVISOR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracer_hooks.adapter import TaskCard

_SHELL = "/bin/sh"
# A shell starts the monitor in the background and ends at once: the monitor is nobody's child,
# and this process, which may have threads, need not fork itself.
_START = '"$@" &'
_HIGH_FD = 64
_READY, _CONTROL = 3, 4
_PATIENCE_S = 3.0

# What the monitor says when the last figures are read, and when the last line is written; a problem
# comes before.
_READ, _SEALED, _PROBLEM = b"read", b"sealed", b"problem "

_open: set[Monitor] = set()
_sealing: set[Monitor] = set()  # of those: told the end, and left to write
_lock = threading.Lock()


class Monitor:
    """One external monitor of this process. Raises OSError if it cannot be started."""

    def __init__(self, card: TaskCard, store: Path, options: Sequence[str] = ()) -> None:
        self._disk = _disk_bytes()
        self._said = b""
        self.problem: str | None = None
        # not a pipe: a write to one whose reader has gone kills a process that has not ignored
        # SIGPIPE, as Python does by default
        control_read, control = _ends(_socket_pair)
        self._control = _Own(control)
        try:
            ready, ready_write = _ends(os.pipe)
        except OSError:
            os.close(control_read)
            self._control.close()
            raise
        self._ready = _Own(ready)
        try:
            command = [sys.executable, "-I", "-S", str(SUPERVISOR), "attach"]
            command += ["--store", str(store), "--run", card.run_id, "--task", card.task_id]
            command += ["--attempt", str(card.attempt), "--card", card.to_json()]
            command += ["--pid", str(os.getpid())]
            command += ["--ready-fd", str(_READY), "--control-fd", str(_CONTROL), *options]
            _spawn(command, ready_write, control_read)
        except BaseException:
            self._close()
            raise
        finally:
            os.close(control_read)
            os.close(ready_write)
        with _lock:
            _open.add(self)

    def wait_until_ready(self) -> bool:
        """Whether the monitor watches, after waiting a moment for it."""
        deadline = time.monotonic() + _PATIENCE_S
        poll = select.poll()
        poll.register(self._ready.fd, select.POLLIN)
        said = b""
        while b"\n" not in said:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                return False
            chunk = os.read(self._ready.fd, 512)
            if not chunk:  # it ended before it watched
                return False
            said += chunk
        return said.startswith(b"ready")

    def end(
        self,
        status: str,
        exit_code: int | None = None,
        said: Mapping[str, str] | None = None,
        *,
        seal: bool = True,
    ) -> bool:
        """Tell how the task ended and wait a moment until that is recorded; whether it was.

        Without `seal` it is waited only until the last figures are read: what is left is writing,
        and only this Python's own exit waits for that. Status `paused`: the attempt will go on in
        another process. `said` is what else the monitor understands (see
        `tracer_hooks.supervisor.told`); values have no white space. `problem` then says why it was
        not recorded.
        """
        words = ["end", status, "-" if exit_code is None else str(exit_code)]
        read, written = (now - then for now, then in zip(_disk_bytes(), self._disk, strict=True))
        named = {**(said or {}), "disk_read_bytes": str(read), "disk_write_bytes": str(written)}
        words += [f"{name}={value}" for name, value in named.items()]
        left_to_it = False
        try:
            if not self._control.is_it():
                self.problem = "the task closed its connection"
                return False
            _send(self._control.fd, (" ".join(words) + "\n").encode("ascii", "replace"))
            done = self._hear(_SEALED if seal else _READ, time.monotonic() + _PATIENCE_S)
            left_to_it = done and not seal
            return done
        except (BrokenPipeError, ConnectionResetError):
            self.problem = "the monitor was killed"
            return False
        finally:
            _forget_what_is_sealed()
            if left_to_it:
                self._ready.close()
                _sealing.add(self)
            else:
                self.forget()

    def wait_until_sealed(self, deadline: float) -> None:
        """After `end` without `seal`: wait for what it left to the monitor."""
        with suppress(OSError):
            if self._control.is_it():
                self._hear(_SEALED, deadline)
        self.forget()

    def is_sealed(self) -> bool:
        """After `end` without `seal`: whether the monitor has ended, or cannot be asked."""
        poll = select.poll()
        poll.register(self._control.fd, 0)  # reports an error once nobody has the other end
        return not self._control.is_it() or bool(poll.poll(0))

    def _hear(self, wanted: bytes, deadline: float) -> bool:
        """Whether the monitor says `wanted` in time, and no problem with it; `problem` has that."""
        poll = select.poll()
        poll.register(self._control.fd, select.POLLIN)
        while wanted not in self._said.split(b"\n")[:-1]:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                self.problem = "the monitor does not answer"
                return False
            chunk = os.read(self._control.fd, 4096)
            if not chunk:
                self.problem = "the monitor was killed"
                return False
            self._said += chunk
        lines = self._said.split(b"\n")
        before = lines[lines.index(wanted) - 1]  # of the first the last, which is empty
        if before.startswith(_PROBLEM):
            self.problem = before[len(_PROBLEM) :].decode("utf-8", "replace")
        return self.problem is None

    def forget(self) -> None:
        """Close our ends, without a word."""
        with _lock:
            _open.discard(self)
            _sealing.discard(self)
        self._close()

    def _close(self) -> None:
        self._control.close()
        self._ready.close()


class _Own:
    """A descriptor of ours in a process that is not ours."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._what = _identity(fd)

    def is_it(self) -> bool:
        """Whether the number still stands for what it was made for."""
        return self._what is not None and _identity(self.fd) == self._what

    def close(self) -> None:
        """Close it, if it is still ours to close; once."""
        if self.is_it():
            with suppress(OSError):
                os.close(self.fd)
        self._what = None


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _send(fd: int, text: bytes) -> None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fd)
    try:
        connection.settimeout(_PATIENCE_S)
        connection.sendall(text, socket.MSG_NOSIGNAL)
    finally:
        connection.detach()


def _disk_bytes() -> tuple[int, int]:
    """What this process and the children that it reaped have read from disks and written to them,
    which a monitor of another user, or of a process that may not be dumped, can't see."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_inblock for one in used) * 512, sum(one.ru_oublock for one in used) * 512


def _socket_pair() -> tuple[int, int]:
    one, other = socket.socketpair()
    return one.detach(), other.detach()


def _ends(make: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    """What `make` opens, out of the way of the numbers that the monitor will have."""
    ends = make()
    try:
        read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _HIGH_FD) for end in ends)
    finally:
        for end in ends:
            os.close(end)
    return read, write


def _spawn(command: Sequence[str], ready: int, control: int) -> None:
    """Start `command` as nobody's child, in a session of its own, with these two ends alone."""
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        *((os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable()),
        (os.POSIX_SPAWN_DUP2, ready, _READY),
        (os.POSIX_SPAWN_DUP2, control, _CONTROL),
    ]
    pid = os.posix_spawn(
        _SHELL,
        [_SHELL, "-c", _START, _SHELL, *command],
        os.environ,
        file_actions=actions,
        setsid=True,
    )
    with suppress(ChildProcessError):  # somebody here waits for any child, or ignores them all
        os.waitpid(pid, 0)


def _inheritable() -> list[int]:
    """Descriptors that a child would inherit; the monitor must not keep them open."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own descriptor is gone by now
            if int(entry.name) > 2 and os.get_inheritable(int(entry.name)):
                found.append(int(entry.name))
    return found


def _forget_what_is_sealed() -> None:
    for monitor in list(_sealing):
        if monitor.is_sealed():
            monitor.forget()


@atexit.register
def _at_exit() -> None:
    """In a container this process may be the last but the monitor, whose end is the container's."""
    deadline = time.monotonic() + _PATIENCE_S
    for monitor in list(_sealing):
        monitor.wait_until_sealed(deadline)


def _in_forked_child() -> None:
    """A fork must not hold these open: the parent's death would go unseen."""
    global _lock
    _lock = threading.Lock()  # another thread may have held it
    for monitor in list(_open):
        monitor.forget()


os.register_at_fork(after_in_child=_in_forked_child)
