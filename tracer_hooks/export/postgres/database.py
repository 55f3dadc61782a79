"""The connection: made when it is needed, made again when the database was away."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, TypeVar

import psycopg

from tracer_hooks.errors import TracerError, UsageError
from tracer_hooks.export.postgres.loading import load
from tracer_hooks.export.postgres.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from tracer_hooks.export.sender import RunToSend

T = TypeVar("T")

_SCHEMES = ("postgresql://", "postgres://")
_CONNECT_TIMEOUT_S = 10
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 10.0
# What a server says that will be there later (https://www.postgresql.org/docs/current/errcodes-appendix.html):
# connections that break, a shutdown, a start, too many clients, and who lost a race.
_LATER = ("08", "57P0", "53300", "40001", "40P01")
_STARTING = ("starting up", "shutting down", "too many clients", "not yet accepting")


class Database:
    """A `Destination`: PostgreSQL 12 or later."""

    def __init__(self, target: str, patience_s: float, tell: Callable[[str], None]) -> None:
        if not target.startswith(_SCHEMES):
            raise UsageError(f"{_shown(target)} is no database: write postgresql://USER@HOST/NAME")
        self._target = target
        self._patience_s = patience_s
        self._tell = tell
        self._connection: Connection | None = None
        self._persevere(migrate)

    def send(self, run: RunToSend) -> str | None:
        """Load the run in one transaction. Raises TracerError if it can't be."""
        return self._persevere(lambda connection: load(connection, run))

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _persevere(self, work: Callable[[Connection], T]) -> T:
        """`work` on the connection; all of it again when the database went away meanwhile, be it
        while it said that the work was done: all work here may be done twice."""
        given_up = None
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return work(self._connected())
            except psycopg.Error as error:
                self.close()
                now = time.monotonic()
                if given_up is None and _passes(error) and self._patience_s:
                    given_up = now + self._patience_s
                    self._tell(f"{_said(error)}: trying again {_for(self._patience_s)}")
                if given_up is None or not _passes(error) or now + pause_s > given_up:
                    raise TracerError(f"{_shown(self._target)}: {_said(error)}") from error
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._target, connect_timeout=_CONNECT_TIMEOUT_S, application_name="tracer-hooks"
            )
        return self._connection


def _passes(error: psycopg.Error) -> bool:
    """Whether it may work later."""
    if error.sqlstate is not None:
        return error.sqlstate.startswith(_LATER)
    if not isinstance(error, psycopg.OperationalError):
        return isinstance(error, psycopg.InterfaceError)  # the connection is closed
    # Nothing says what is wrong when a connection can't be made, but its text: a server that
    # answers FATAL is there, and refuses.
    text = str(error)
    return "FATAL" not in text or any(word in text for word in _STARTING)


def _said(error: psycopg.Error) -> str:
    """What is wrong, on one line and without repeating itself."""
    if error.sqlstate == "3D000":
        return f"{' '.join(str(error).split())}: create it first (createdb)"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).removesuffix(":")


def _for(seconds: float) -> str:
    return "until it is back" if seconds == math.inf else f"for {seconds:g} s"


def _shown(target: str) -> str:
    """The address without its password."""
    scheme, separator, rest = target.partition("://")
    user, at, host = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    return f"{scheme}{separator}{name}{':***' if colon else ''}{at}{host}".partition("?")[0]
