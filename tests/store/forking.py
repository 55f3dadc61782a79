"""Actions on a store in processes of their own, started in milliseconds, killed where wanted.

    python forking.py    then one JSON request a line on stdin

A request is `{"store", "action", "kill_at"}`; the answer is a line with the pid of the process
that does it. The next line asks for its wait status, which is answered when it has ended: until
then the pid is its own. `kill_at` N makes the process
SIGKILL itself just before the Nth time that it changes something in the filesystem.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pyarrow as pa

from tracer_hooks.plugins import tool_rules
from tracer_hooks.store import Store

_CHANGES = {"os.rename", "os.remove", "os.mkdir"}


class Actor:
    """The side of a test: one process that forks another for each action."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, store: Path, action: str, kill_at: int | None = None) -> int:
        """Begin an action; returns the pid of the process."""
        request = {"store": str(store), "action": action, "kill_at": kill_at}
        return self._ask(json.dumps(request))

    def wait(self) -> int:
        """Wait for the process of the action; returns its exit code, or minus the signal."""
        return os.waitstatus_to_exitcode(self._ask("wait"))

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin
        self._server.stdin.close()
        self._server.wait(60)
        assert self._server.stdout
        self._server.stdout.close()

    def _ask(self, line: str) -> int:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


def act(store: Path, action: str) -> None:
    """Do one action, with everything that it may meet when others act on the same store."""
    if action.startswith("ingest"):
        warnings = Store(store, on_warning=lambda _: None).ingest().warnings
        assert not warnings, warnings
    if action.endswith("compact"):
        Store(store, on_warning=lambda _: None).compact()
    if action == "read":
        read(store)
    if action == "loop_ingest":
        while not (store / "stop").exists():
            act(store, "ingest")
    if action == "loop_compact":
        while not (store / "stop").exists():
            act(store, "compact")
    if action == "loop_read":
        while not (store / "stop").exists():
            read(store)


def read(store: Path) -> None:
    """All that was written before the reading began is there, and nothing is twice."""
    written = int((store / "written").read_text())
    reader = Store(store)
    for name in ("tasks", "processes", "tools"):
        found = reader.table(name, "r1", ["task_id"])["task_id"].to_pylist()
        assert len(found) == len(set(found)), name
        assert {f"t{n}" for n in range(written)} <= set(found), (name, written)
    assert not reader.warnings, reader.warnings


def _serve() -> None:
    tool_rules()  # what takes its time is done once, here: this, and importing what Arrow wants
    pa.array([0])
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(request)
        print(pid, flush=True)
        sys.stdin.readline()
        print(os.waitpid(pid, 0)[1], flush=True)


def _child(request: dict[str, Any]) -> None:
    if request["kill_at"] is not None:
        _kill_at(request["kill_at"])
    try:
        act(Path(request["store"]), request["action"])
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _kill_at(number: int) -> None:
    left = number

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if event in _CHANGES or writes:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    _serve()
