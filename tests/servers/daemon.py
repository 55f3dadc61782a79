"""A server's process: started, waited for, stopped. What it said is in a log file."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_S = 60.0
# Servers have no need of root, and PostgreSQL refuses it.
USER = "nobody"


def require(*programs: str) -> None:
    """Skip the test if one of these is not installed."""
    absent = [name for name in programs if shutil.which(name) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)} (.ci/run names the Debian packages)")


def free_port() -> int:
    """A port that nobody uses; it may be taken by the time it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def unprivileged(folder: Path) -> list[str]:
    """The command before a command that makes it run as someone else, who then owns `folder`."""
    if os.geteuid() != 0:
        return []
    account = pwd.getpwnam(USER)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)
    ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return ["setpriv", *ids, "--"]


@contextmanager
def server_folder(name: str) -> Iterator[Path]:
    """A folder that another user may be let into. pytest's own are for root alone, and every
    pytest that starts sees to that."""
    with tempfile.TemporaryDirectory(prefix=f"tracer-{name}-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o711)
        yield Path(made) / "server"


class Daemon:
    """One server's process; it ends with the tests, whatever happens to them."""

    def __init__(self, folder: Path, *command: str | Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*unprivileged(folder), "setpriv", "--pdeathsig", "TERM", "--", *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
            )  # fmt: skip

    def wait_for(self, ready: Callable[[], bool], what: str) -> None:
        """Return when `ready` says so; fail with the log if the server ends or takes too long."""
        until = time.monotonic() + PATIENCE_S
        while not ready():
            if self._process.poll() is not None or time.monotonic() > until:
                said = self._log.read_text(errors="replace")[-2000:]
                raise AssertionError(f"{what} did not come up: {said}")
            time.sleep(0.05)

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """End it, and wait until it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal_number)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def answers(url: str) -> bool:
    """Whether a web server of ours says 200 there."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - http, on loopback
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_until(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Return when `true` is; fail after `patience_s`."""
    until = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < until, f"waited {patience_s:g} s in vain for {what}"
        time.sleep(0.1)


def copies(files: Iterable[Path], folder: Path) -> None:
    """Copy files where another user may read them."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(file, folder / file.name)
