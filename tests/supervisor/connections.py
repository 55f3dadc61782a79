"""Servers, and a user without privileges, for tests that count network bytes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.supervisor.harness import PYTHON, SUPERVISOR, command_for, read_spools

MB = 1_000_000
# Where root runs the tests: one that `nobody` may run.
INTERPRETER = Path("/usr/bin/python3")


def python(program: str, *arguments: object) -> list[str]:
    """The command that runs a program."""
    return [PYTHON, "-I", "-S", "-c", program, *map(str, arguments)]


class Server:
    """Takes what clients send, and sends them `answer` bytes, from outside the task."""

    def __init__(self, host: str = "127.0.0.1", answer: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family, backlog=100)
        self.port = self.listener.getsockname()[1]
        self.answer = answer
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while connection.recv(1 << 20):
                pass
            connection.sendall(b"y" * self.answer)


class Nobody:
    """Runs supervised Python programs as a user without privileges."""

    def __init__(self) -> None:
        self.copy = Path(tempfile.mkdtemp(prefix="tracer-nobody-"))
        self.copy.chmod(0o755)
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SUPERVISOR.parent.parent, self.copy / "tracer_hooks", ignore=skip)
        # as an installation has it: nobody else may write compiled files there
        compile_all = [INTERPRETER, "-I", "-m", "compileall", "-q", self.copy / "tracer_hooks"]
        subprocess.run(compile_all, check=True)
        self._count = 0

    def start(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        """Start the interpreter with these arguments, unsupervised."""
        return self._popen([str(INTERPRETER), *arguments])

    def at_once(self, programs: list[list[str]], *options: str) -> list[list[dict[str, Any]]]:
        """Supervise the interpreter with each one's arguments; the lines of their records."""
        stores, processes = [], []
        for arguments in programs:
            self._count += 1
            store = self.copy / f"store{self._count}"
            store.mkdir()
            store.chmod(0o777)
            command = [str(INTERPRETER), *arguments]
            argv = command_for(store, command, *options, python=str(INTERPRETER))
            script = self.copy / "tracer_hooks" / "supervisor" / "__main__.py"
            argv[argv.index(str(SUPERVISOR))] = str(script)
            stores.append(store)
            processes.append(self._popen(argv))
        assert [process.wait(250) for process in processes] == [0] * len(processes)
        return [read_spools(store)[0] for store in stores]

    def _popen(self, argv: list[str]) -> subprocess.Popen[bytes]:
        if os.getuid() != 0:  # nobody special already
            return subprocess.Popen(argv, cwd="/")
        return subprocess.Popen(argv, user="nobody", group="nogroup", extra_groups=[], cwd="/")

    def close(self) -> None:
        """Remove what was copied and recorded."""
        shutil.rmtree(self.copy)
