"""Supervisors from a fork server, for an engine that starts many tasks from one process.

A supervisor of its own costs each task the start of a Python; one that is forked from an
interpreter that has all imported, a third of that. `ForkServer.start` gives a child of this process
that is in everything as if `subprocess` had started it, or says that it can't: then start it so.
"""

from __future__ import annotations

import marshal
import os
import resource
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.adapter import SUPERVISOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LAUNCHER = [sys.executable, "-I", "-S", str(SUPERVISOR)]
_GO = b"+"
_LENGTH_BYTES = 8
_PATIENCE_S = 10.0  # a node may be busy; a request that was given up runs nothing
_MOST_SERVERS = 3  # one that keeps dying is no help
_LONGEST_ARGUMENT = 128 << 10  # MAX_ARG_STRLEN: exec must be the one to refuse it
# What a child inherits and no request carries: where it has changed, a new server is made.
_INHERITED = (
    "Umask", "Uid", "Gid", "Groups", "NSsid", "SigBlk", "SigIgn", "CapInh", "CapPrm", "CapEff",
    "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Cpus_allowed", "Mems_allowed",
)  # fmt: skip
_FILES = ("cgroup", "oom_score_adj")
_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


class ForkServer:
    """Starts supervised commands from one warm supervisor; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._made_for: object = None
        self._servers = 0

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None,
        descriptors: tuple[int, int, int],
        folder: str | os.PathLike[str] | None = None,
    ) -> int | None:
        """The pid of a child of this process that runs `command`; None if it can't be had.

        `command` comes from `adapter.supervised`. `descriptors` become standard input, output
        and error, `folder` the working directory (None: the present one), `environment` the
        environment (None: this process's). With None nothing was run. Never raises.
        """
        try:
            request = _request(command, environment)
            return None if request is None else self._start(request, descriptors, folder)
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def close(self) -> None:
        """Let the server go. What it has started runs on."""
        with self._lock:
            self._drop()

    def _start(
        self,
        request: bytes,
        descriptors: tuple[int, int, int],
        folder: str | os.PathLike[str] | None,
    ) -> int | None:
        for descriptor in descriptors:
            os.fstat(descriptor)  # a closed one can't be sent
        where = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        ours, theirs = socket.socketpair()
        with ours:
            try:
                with theirs:
                    if not self._ask(theirs):
                        return None
                ours.settimeout(_PATIENCE_S)
                length = len(request).to_bytes(_LENGTH_BYTES, "little")
                socket.send_fds(ours, [length], [*descriptors, where])
            finally:
                os.close(where)
            ours.sendall(request)
            pid = int.from_bytes(ours.recv(_LENGTH_BYTES), "little")
            if pid:
                ours.sendall(_GO)
            return pid or None

    def _ask(self, theirs: socket.socket) -> bool:
        """Send a request's socket to the server, which is made if there is none that fits."""
        with self._lock:
            inherited = _inherited()
            if inherited != self._made_for:
                self._drop()
            if self._control is None:
                self._control = self._make()
                self._made_for = inherited
            if self._control is None:
                return False
            try:
                socket.send_fds(self._control, [_GO], [theirs.fileno()])
            except OSError:  # it was killed
                self._drop()
                return False
            return True

    def _make(self) -> socket.socket | None:
        if self._servers >= _MOST_SERVERS or not sys.platform.startswith("linux"):
            return None
        self._servers += 1
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*_LAUNCHER, "fork-server", "--control-fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        ours.settimeout(_PATIENCE_S)
        if ours.recv(1) == _GO:
            return ours
        ours.close()
        return None

    def _drop(self) -> None:
        control, process = self._control, self._process
        self._control = self._process = None
        if control is not None:
            control.close()
        if process is not None:
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _request(command: Sequence[str], environment: Mapping[str, str] | None) -> bytes | None:
    """The request's body; None for what subprocess must start, or refuse."""
    if list(command[: len(_LAUNCHER)]) != _LAUNCHER:
        return None
    environment = os.environ if environment is None else environment
    given = {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}
    argv = list(command[len(_LAUNCHER) :])
    words = [os.fsencode(word) for word in argv]
    pairs = [name + b"=" + value for name, value in given.items()]
    if any(b"\0" in word or len(word) >= _LONGEST_ARGUMENT for word in (*words, *pairs)):
        return None
    if any(b"=" in name for name in given):
        return None
    return marshal.dumps((argv, given))


def _inherited() -> object:
    """What a child of this thread would inherit beside what a request carries."""
    status = dict(
        line.split(":", 1) for line in Path("/proc/thread-self/status").read_text().splitlines()
    )
    return (
        os.getpid(),
        os.getpgrp(),
        os.getpriority(os.PRIO_PROCESS, 0),
        [status.get(name) for name in _INHERITED],
        [resource.getrlimit(limit) for limit in _LIMITS],
        [Path("/proc/thread-self", name).read_bytes() for name in _FILES],
    )
