"""When the next look is due: the observer's whole CPU keeps to its budget, not its looks' alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tracer_hooks.supervisor import observer as module
from tracer_hooks.supervisor.observer import Observer
from tracer_hooks.supervisor.procfs import Proc

LOOK_S = 0.002


def gap_between_looks(monkeypatch: pytest.MonkeyPatch, elsewhere_share: float) -> float:
    """Seconds between the last two of many looks, with so much of a core spent on other things."""
    spent_s = 0.0
    monkeypatch.setattr(module, "time", SimpleNamespace(process_time=lambda: spent_s))
    nothing: Any = None
    observer = Observer(
        Proc(), nothing, nothing, nothing, started=0.0, since=0.0, interval_s=0.1, rows=nothing
    )

    def look(now: float) -> None:
        nonlocal spent_s
        spent_s += LOOK_S
        observer._last_tick = now

    monkeypatch.setattr(observer, "_look", look)
    monkeypatch.setattr(observer, "_read", lambda now: None)
    now = gap_s = 0.0
    for _ in range(60):
        gap_s = observer.due() - now
        now += gap_s
        spent_s += elsewhere_share * gap_s
        observer.tick(now)
    return gap_s


def test_what_is_spent_elsewhere_is_taken_off_what_looks_may_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone_s = gap_between_looks(monkeypatch, 0.0)
    beside_s = gap_between_looks(monkeypatch, 0.006)
    assert LOOK_S / alone_s == pytest.approx(0.005, rel=0.01)
    assert LOOK_S / beside_s + 0.006 <= 0.0081
    assert LOOK_S / gap_between_looks(monkeypatch, 0.05) == pytest.approx(0.0015, rel=0.05)
