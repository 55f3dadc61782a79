"""A PostgreSQL server of Debian's package."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import psycopg

from tests.servers.daemon import Daemon, free_port, require, unprivileged

OWNER = "tracer"


def _programs() -> Path | None:
    """Where the newest version's programs are: Debian does not put them on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    return found[-1] if found else None


class Postgres:
    """A server with an empty cluster; `url(name)` is a database of it, made when asked for."""

    def __init__(self, folder: Path) -> None:
        programs = _programs()
        if programs is None:
            require("postgres")
        assert programs is not None
        require("setpriv")
        self._folder, self._programs = folder, programs
        self.port = free_port()
        folder.mkdir(parents=True)
        self._data = folder / "data"
        subprocess.run(
            [*unprivileged(folder), programs / "initdb", "--pgdata", self._data, "--no-sync",
             "--username", OWNER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"],
            check=True, stdout=subprocess.DEVNULL, cwd=folder, timeout=120,
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start, or start again with the same data."""
        self._daemon = Daemon(
            self._folder, self._programs / "postgres", "-D", self._data, "-p", str(self.port),
            "-k", "", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
        )  # fmt: skip
        self._daemon.wait_for(self._is_up, "PostgreSQL")

    def stop(self, signal_number: int = signal.SIGINT) -> None:
        """End at once (SIGINT: transactions are broken off; SIGQUIT: as in a crash)."""
        self._daemon.stop(signal_number)

    def url(self, database: str, user: str = OWNER) -> str:
        """The address of a database of this name."""
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
            if there.fetchone() is None:
                connection.execute(f'CREATE DATABASE "{database}"'.encode())
        return self._address(database, user)

    def _address(self, database: str, user: str = OWNER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def _is_up(self) -> bool:
        try:
            psycopg.connect(self._address("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True
