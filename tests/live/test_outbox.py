"""What can't be sent: dropped by its own age; an error in one target stops no other."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tracer_hooks.live import outbox
from tracer_hooks.live.outbox import Outcome, Sender, Target
from tracer_hooks.live.state import FILE, State


def busy(_: Sequence[str]) -> Outcome:
    return "later"


def sent_once(path: Path, sender: Sender, name: str, times: int = 1) -> None:
    database = sqlite3.connect(path, isolation_level=None)
    for _ in range(times):
        sender._pauses.clear()
        sender._send(database, name)
    database.close()


def test_an_item_is_dropped_by_its_own_age_also_after_a_restart(tmp_path: Path) -> None:
    state = State(tmp_path)
    for text in ("old", "older", "young"):
        state.enqueue("hook", text)
    state._write("UPDATE outbox SET queued = ? WHERE payload != 'young'", time.time() - 100)
    state.commit()
    sender = Sender(state.path, {"hook": Target(busy, give_up_s=50)})
    sent_once(state.path, sender, "hook")
    assert (state.waiting(), state.dropped()) == ({"hook": 1}, {"hook": 2})
    state.close()


def test_an_error_is_said_once_and_its_item_dropped_in_the_end(tmp_path: Path) -> None:
    taken: list[str] = []

    def deliver(payloads: Sequence[str]) -> Outcome:
        if "bad" in payloads:
            raise TypeError("of no use")
        taken.extend(payloads)
        return "sent"

    state = State(tmp_path)
    for text in ("good", "bad", "better"):
        state.enqueue("hook", text)
    state.commit()
    said: list[str] = []
    sender = Sender(state.path, {"hook": Target(deliver, batch=10)}, said.append)
    sent_once(state.path, sender, "hook", outbox._MOST_ERRORS + 2)
    assert taken == ["good", "better"]
    assert said == ["cannot send to hook: TypeError: of no use"]
    assert (state.waiting(), state.dropped()) == ({}, {"hook": 1})
    state.close()


def test_a_file_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as old:
        old.execute(
            "CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT,"
            " target TEXT, payload TEXT)"
        )
        old.execute("INSERT INTO outbox (target, payload) VALUES ('hook', 'x')")
    old.close()
    state = State(tmp_path)
    (queued,) = state._db.execute("SELECT queued FROM outbox").fetchone()
    assert queued == pytest.approx(time.time(), abs=60)
    state.close()
