"""When the next look is due: the observer's whole CPU keeps to its budget, not its looks' alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tracer_hooks.supervisor import observer as module
from tracer_hooks.supervisor.observer import Observer
from tracer_hooks.supervisor.procfs import Proc

LOOK_S = 0.002
LOOKS = 120


def gaps_between_looks(
    monkeypatch: pytest.MonkeyPatch,
    elsewhere_share: float,
    meeting_s: float = 0.0,
    sources: list[Any] | None = None,
) -> list[float]:
    """Seconds between looks, with so much of a core spent on other things, in a tree of which so
    much is spent to meet it: half at the first look and half at the second."""
    spent_s = 0.0
    monkeypatch.setattr(module, "time", SimpleNamespace(process_time=lambda: spent_s))
    nothing: Any = None
    observer = Observer(
        Proc(), nothing, nothing, nothing, started=0.0, since=0.0, interval_s=0.1, rows=nothing
    )

    observer.sources = sources or []

    def look(now: float) -> None:
        nonlocal spent_s
        met_s = meeting_s / 2 if len(gaps) < 2 else 0.0
        spent_s += LOOK_S + met_s
        observer.tree.meeting_s = met_s
        observer._last_tick = now

    def read(now: float) -> None:
        """The first costs as much as to meet the tree."""
        nonlocal spent_s, meeting_s
        spent_s, meeting_s = spent_s + meeting_s, 0.0

    monkeypatch.setattr(observer, "_look", look)
    monkeypatch.setattr(observer, "_read", read)
    now, gaps = 0.0, []
    while len(gaps) < LOOKS:
        gap_s = observer.due() - now
        now += gap_s
        spent_s += elsewhere_share * gap_s
        observer.tick(now)
        gaps.append(gap_s)
    return gaps


def test_what_is_spent_elsewhere_is_taken_off_what_looks_may_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone_s = gaps_between_looks(monkeypatch, 0.0)[-1]
    beside_s = gaps_between_looks(monkeypatch, 0.006)[-1]
    assert LOOK_S / alone_s == pytest.approx(0.005, rel=0.01)
    assert LOOK_S / beside_s + 0.006 <= 0.0081
    assert LOOK_S / gaps_between_looks(monkeypatch, 0.05)[-1] == pytest.approx(0.0015, rel=0.05)


@pytest.mark.parametrize(
    ("elsewhere_share", "meeting_s"), [(0.0, 0.0), (0.0, 0.2), (0.05, 0.0), (0.05, 0.2)]
)
def test_what_a_start_costs_keeps_no_look_off_in_a_short_tasks_life(
    monkeypatch: pytest.MonkeyPatch, elsewhere_share: float, meeting_s: float
) -> None:
    gaps = gaps_between_looks(monkeypatch, elsewhere_share, meeting_s)
    moments = [sum(gaps[: number + 1]) for number in range(len(gaps))]
    early = [gap_s for gap_s, at in zip(gaps, moments, strict=True) if at < 4.0]
    assert max(early) < 0.2
    assert len(early) >= 30
    assert LOOK_S / gaps[-1] < 0.0051  # and the steady state pays for none of it


def test_where_the_kernel_tells_of_every_process_a_start_is_no_dearer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    teller = SimpleNamespace(counts_processes=True, due=lambda: float("inf"))
    gaps = gaps_between_looks(monkeypatch, 0.0, sources=[teller])
    later = [gap_s for place, gap_s in enumerate(gaps) if sum(gaps[:place]) >= 0.5]
    assert LOOK_S / min(later) <= 0.0026
