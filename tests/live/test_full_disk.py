"""A look that fails has counted nothing: the next one counts it, once."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.live.following import NOW, append, value, watched
from tests.store import spools

ENDED = "tracer_task_attempts_total"


@pytest.mark.parametrize("fails", ["count", "commit"])
def test_what_was_not_committed_is_counted_once(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spools.write(tmp_path, [spools.card_line()])
    with watched(tmp_path) as found:
        found.look(NOW)
        append(path, spools.sealed_line())

        def full(*_: str) -> None:  # SQLite gives up the whole transaction by itself
            found.state.rollback()
            raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(found.state, fails, full)
            for later in (1, 2):
                with pytest.raises(sqlite3.OperationalError):
                    found.look(NOW + later)
        found.look(NOW + 3)
        found.look(NOW + 4)
        assert value(found, ENDED) == 1
        assert found.state.counters()
    with watched(tmp_path) as again:
        again.look(NOW + 5)
        assert value(again, ENDED) == 1


def test_what_a_run_cost_is_kept_between_its_tasks(tmp_path: Path) -> None:
    spools.write(tmp_path, [spools.card_line(), spools.reading_line()])
    with watched(tmp_path) as found:
        found.look(NOW)
        found.ledger.run_costs["r1", "USD"] = 4.0
        for path in (tmp_path / "spool" / "r1").iterdir():
            append(path, spools.sealed_line())
        found.look(NOW + 1)
        assert not found.fleet.active()
        assert found.ledger.run_costs == {("r1", "USD"): 4.0}
        found.look(NOW + 7 * 3600)
        assert found.ledger.run_costs == {}
