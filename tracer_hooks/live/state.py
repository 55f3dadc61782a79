"""What `serve` remembers: counters, and which attempts are in them already, in one SQLite file.

Both change in one transaction, so that whatever is killed, nothing is counted twice and nothing is
left out: what was not committed is read again from where it came.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from tracer_hooks.errors import TracerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counted (id BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (series TEXT PRIMARY KEY, value REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups (kind TEXT, labels TEXT, born REAL, PRIMARY KEY (kind, labels));
CREATE TABLE IF NOT EXISTS partitions (run TEXT PRIMARY KEY, seen INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (step TEXT PRIMARY KEY, seconds TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS costs (
    run TEXT, currency TEXT, amount REAL, PRIMARY KEY (run, currency));
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT, payload TEXT, queued REAL);
CREATE INDEX IF NOT EXISTS outbox_by_target ON outbox (target, number);
CREATE TABLE IF NOT EXISTS dropped (target TEXT PRIMARY KEY, count INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alerts (key TEXT PRIMARY KEY, state TEXT) WITHOUT ROWID;
"""
FILE = "state.sqlite3"
# Of each target: ten thousand attempts, or some tens of MB.
MOST_WAITING = 10_000


class State:
    """The file, open and locked. Calls are to come from one thread; `commit` makes them last."""

    def __init__(self, folder: Path) -> None:
        """Raises TracerError if the folder can't be written, or another `serve` has it."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TracerError(
                f"{folder} can't be written ({error.strerror}): name another folder with --state"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TracerError(
                f"another `tracer-hooks serve` uses {folder}: end it, or name another with --state"
            ) from error
        self.path = folder / FILE
        try:
            # One thread at a time uses it: the one that looks, or the one that closes it.
            self._db = sqlite3.connect(
                self.path, check_same_thread=False, isolation_level=None, timeout=30
            )
            self._db.executescript("PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=NORMAL;")
            self._db.executescript(_SCHEMA)
            self._date_outbox()
        except sqlite3.Error as error:
            raise TracerError(
                f"{self.path} can't be used ({error}): move it away, and counters begin anew"
            ) from error

    def close(self) -> None:
        """Give up what was not committed, and the lock."""
        self._db.close()
        os.close(self._lock)

    def _date_outbox(self) -> None:
        """A file of an earlier version does not say since when its items wait."""
        if "queued" not in {row[1] for row in self._db.execute("PRAGMA table_info(outbox)")}:
            self._db.execute("ALTER TABLE outbox ADD COLUMN queued REAL")
            self._db.execute("UPDATE outbox SET queued = ?", (time.time(),))

    def _write(self, statement: str, *values: object) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN")
        self._db.execute(statement, values)

    def commit(self) -> None:
        """All since the last commit lasts, or none of it."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def rollback(self) -> None:
        """Nothing since the last commit was."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    # --- what was counted ------------------------------------------------------------------------
    def counted(self, run_id: str, stem: str) -> bool:
        """Whether the attempt (or the run's record) of this spool is in the counters."""
        found = self._db.execute("SELECT 1 FROM counted WHERE id = ?", (identity(run_id, stem),))
        return found.fetchone() is not None

    def count(self, run_id: str, stem: str) -> None:
        """It is from now on."""
        self._write("INSERT OR IGNORE INTO counted VALUES (?)", identity(run_id, stem))

    def counters(self) -> dict[str, float]:
        """Every counter by its series."""
        return dict(self._db.execute("SELECT series, value FROM counters"))

    def add(self, amounts: Iterable[tuple[str, float]]) -> None:
        """Add to counters."""
        for series, amount in amounts:
            self._write(
                "INSERT INTO counters VALUES (?, ?)"
                " ON CONFLICT (series) DO UPDATE SET value = value + excluded.value",
                series,
                amount,
            )

    def groups(self, kind: str) -> dict[tuple[str, ...], float]:
        """The label sets of a kind of group, with when each was first seen."""
        rows = self._db.execute(
            "SELECT labels, born FROM groups WHERE kind = ? ORDER BY born", (kind,)
        )
        return {tuple(json.loads(labels)): born for labels, born in rows}

    def add_group(self, kind: str, labels: tuple[str, ...], born: float) -> None:
        """A label set that is new."""
        self._write("INSERT OR IGNORE INTO groups VALUES (?, ?, ?)", kind, json.dumps(labels), born)

    # --- what was read of Parquet ----------------------------------------------------------------
    def partitions(self) -> dict[str, int]:
        """Runs that were ingested, with the time of change (ns) that was looked through."""
        return dict(self._db.execute("SELECT run, seen FROM partitions"))

    def saw_partition(self, run_id: str, changed_ns: int) -> None:
        """A run was looked through."""
        self._write("INSERT OR REPLACE INTO partitions VALUES (?, ?)", run_id, changed_ns)

    # --- the past of steps, the cost of runs -----------------------------------------------------
    def histories(self) -> dict[tuple[str, str], list[float]]:
        """Seconds that the last attempts of a step took, by pipeline and step."""
        rows = self._db.execute("SELECT step, seconds FROM history")
        return {tuple(json.loads(step)): json.loads(seconds) for step, seconds in rows}

    def set_history(self, step: tuple[str, str], seconds: list[float]) -> None:
        """What the last attempts of a step took."""
        self._write(
            "INSERT OR REPLACE INTO history VALUES (?, ?)", json.dumps(step), json.dumps(seconds)
        )

    def run_costs(self) -> dict[tuple[str, str], float]:
        """What the ended attempts of runs that go on have cost, by run and currency."""
        rows = self._db.execute("SELECT run, currency, amount FROM costs")
        return {(run, currency): amount for run, currency, amount in rows}

    def add_run_cost(self, run_id: str, currency: str, amount: float) -> None:
        """An attempt of a run ended."""
        self._write(
            "INSERT INTO costs VALUES (?, ?, ?)"
            " ON CONFLICT (run, currency) DO UPDATE SET amount = amount + excluded.amount",
            run_id,
            currency,
            amount,
        )

    def forget_run(self, run_id: str) -> None:
        """A run is over: what it cost is in the counters."""
        self._write("DELETE FROM costs WHERE run = ?", run_id)

    # --- what waits to be sent -------------------------------------------------------------------
    def enqueue(self, target: str, payload: str) -> None:
        """Something to send; where too much waits, the oldest goes."""
        waiting = self.waiting().get(target, 0)
        if waiting >= MOST_WAITING:
            self._write(
                "DELETE FROM outbox WHERE number IN"
                " (SELECT number FROM outbox WHERE target = ? ORDER BY number LIMIT ?)",
                target,
                waiting - MOST_WAITING + 1,
            )
            self._write(
                "INSERT INTO dropped VALUES (?, ?)"
                " ON CONFLICT (target) DO UPDATE SET count = count + excluded.count",
                target,
                waiting - MOST_WAITING + 1,
            )
        self._write(
            "INSERT INTO outbox (target, payload, queued) VALUES (?, ?, ?)",
            target,
            payload,
            time.time(),
        )

    def waiting(self) -> dict[str, int]:
        """How much waits for each target."""
        return dict(self._db.execute("SELECT target, COUNT(*) FROM outbox GROUP BY target"))

    def dropped(self) -> dict[str, int]:
        """How much was not sent and never will be."""
        return dict(self._db.execute("SELECT target, count FROM dropped"))

    # --- what is known of itself, and of alerts --------------------------------------------------
    def get(self, key: str) -> str | None:
        """A remembered text."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set(self, key: str, value: str) -> None:
        """Remember a text."""
        self._write("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    def alerts(self) -> dict[str, str]:
        """The states of alerts, by their key."""
        return dict(self._db.execute("SELECT key, state FROM alerts"))

    def set_alert(self, key: str, state: str | None) -> None:
        """The state of an alert; None forgets it."""
        if state is None:
            self._write("DELETE FROM alerts WHERE key = ?", key)
        else:
            self._write("INSERT OR REPLACE INTO alerts VALUES (?, ?)", key, state)


def identity(run_id: str, stem: str) -> bytes:
    """Twelve bytes that stand for a spool for ever."""
    return hashlib.blake2b(f"{run_id}\0{stem}".encode(errors="replace"), digest_size=12).digest()
