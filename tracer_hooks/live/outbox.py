"""What waits to be sent: on disk, in order, bounded. Who looks at the store puts it there in the
transaction that counts it; a thread sends it, again and again until it is taken or refused."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

# `later`: the receiver can't be reached or is busy. `refused`: it will never take this.
Outcome = Literal["sent", "later", "refused"]

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_LOOK_EVERY_S = 0.25
# What can't even be tried, so many times in a row, never will be.
_MOST_ERRORS = 8


@dataclass(frozen=True)
class Target:
    """Where items go. `batch`: how many at once; `give_up_s`: how old an item may become that
    can't be sent (None: never; it is dropped only when the queue is full)."""

    deliver: Callable[[Sequence[str]], Outcome]
    batch: int = 1
    give_up_s: float | None = None


class Sender:
    """The thread. It has a connection of its own to the state's file."""

    def __init__(
        self,
        path: Path,
        targets: Mapping[str, Target],
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._warn = warn
        self._path, self._targets = path, targets
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="send", daemon=True)
        self._pauses: dict[str, tuple[float, float]] = {}  # how long, and until when
        self._errors: dict[str, tuple[str, int]] = {}  # of the first in line: how many by now
        self._warned: set[str] = set()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was not sent waits for the next start."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _loop(self) -> None:
        database = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        try:
            while not self._stop.is_set():
                busy = [self._send(database, name) for name in self._targets]
                if not any(busy):
                    self._stop.wait(_LOOK_EVERY_S)
        finally:
            database.close()

    def _send(self, database: sqlite3.Connection, name: str) -> bool:
        """Send what is first in line; whether more may be sent at once."""
        pause, until = self._pauses.get(name, (0.0, 0.0))
        if time.monotonic() < until:
            return False
        target = self._targets[name]
        try:
            items = _first(database, name, target.batch)
            if not items:
                return False
            outcome = self._deliver(name, [payload for _, payload in items])
            if outcome == "refused" and len(items) > 1:
                # One of them is to blame: the others are to arrive.
                return self._one_by_one(database, name, items)
            self._settle(database, name, [number for number, _ in items], outcome)
        except sqlite3.Error:
            outcome = "later"  # the disk is full, or the file is in use
        if outcome == "later":
            pause = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, pause * 2))
            self._pauses[name] = pause, time.monotonic() + pause
            return False
        self._pauses.pop(name, None)
        return True

    def _deliver(self, name: str, payloads: Sequence[str]) -> Outcome:
        """Nothing that goes wrong with one target may end the thread of all."""
        try:
            outcome = self._targets[name].deliver(payloads)
        except Exception as error:
            if name not in self._warned:
                self._warned.add(name)
                self._warn(f"cannot send to {name}: {type(error).__name__}: {error}")
            if len(payloads) > 1:
                return "refused"  # each is tried by itself
            payload, count = self._errors.get(name, ("", 0))
            count = count + 1 if payload == payloads[0] else 1
            self._errors[name] = payloads[0], count
            return "refused" if count >= _MOST_ERRORS else "later"
        self._errors.pop(name, None)
        return outcome

    def _one_by_one(
        self, database: sqlite3.Connection, name: str, items: list[tuple[int, str]]
    ) -> bool:
        for number, payload in items:
            outcome = self._deliver(name, [payload])
            self._settle(database, name, [number], outcome)
            if outcome == "later":
                self._pauses[name] = _FIRST_PAUSE_S, time.monotonic() + _FIRST_PAUSE_S
                return False
        return True

    def _settle(
        self, database: sqlite3.Connection, name: str, numbers: list[int], outcome: Outcome
    ) -> None:
        if outcome == "later":
            self._give_up(database, name)
            return
        database.execute("BEGIN IMMEDIATE")
        database.executemany("DELETE FROM outbox WHERE number = ?", [(n,) for n in numbers])
        if outcome == "refused":
            _count_dropped(database, name, len(numbers))
        database.execute("COMMIT")

    def _give_up(self, database: sqlite3.Connection, name: str) -> None:
        """Drop what waits for too long; each item by its own age, whoever was alive meanwhile."""
        give_up = self._targets[name].give_up_s
        if give_up is None:
            return
        values = (name, time.time() - give_up)
        if not database.execute(
            "SELECT 1 FROM outbox WHERE target = ? AND queued < ?", values
        ).fetchone():
            return
        database.execute("BEGIN IMMEDIATE")
        dropped = database.execute(
            "DELETE FROM outbox WHERE target = ? AND queued < ?", values
        ).rowcount
        _count_dropped(database, name, dropped)
        database.execute("COMMIT")


def _count_dropped(database: sqlite3.Connection, name: str, count: int) -> None:
    database.execute(
        "INSERT INTO dropped VALUES (?, ?)"
        " ON CONFLICT (target) DO UPDATE SET count = count + excluded.count",
        (name, count),
    )


def _first(database: sqlite3.Connection, name: str, batch: int) -> list[tuple[int, str]]:
    query = "SELECT number, payload FROM outbox WHERE target = ? ORDER BY number LIMIT ?"
    return database.execute(query, (name, batch)).fetchall()
