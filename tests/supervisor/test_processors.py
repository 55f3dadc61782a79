"""Hosts with many processors, and processors that come into use meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.test_perf_records import Stage
from tracer_hooks.supervisor import perf_open, processors
from tracer_hooks.supervisor.processors import Processors
from tracer_hooks.supervisor.sources import Refused
from tracer_hooks.supervisor.taskstats_open import _ranges


@pytest.mark.parametrize(
    ("cpus", "mask"),
    [
        ([0], "0-0"),
        ([0, 1, 2, 3, 8], "0-3,8-8"),
        (list(range(0, 256, 2))[:3] + list(range(128, 192)), "0-0,2-2,4-4,128-191"),
        (list(range(1024)), "0-1023"),
    ],
)
def test_masks_as_the_kernel_writes_them(cpus: list[int], mask: str) -> None:
    assert _ranges(cpus) == mask


def test_more_processors_than_events_are_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_open, "_cpus", lambda: list(range(512)))
    with pytest.raises(Refused, match="512 CPUs"):
        perf_open.PerfEvents(os.getpid())


@pytest.mark.parametrize(("cpus", "pages"), [(8, 16), (9, 8), (32, 8), (33, 4), (256, 4)])
def test_rings_are_smaller_the_more_there_are(cpus: int, pages: int) -> None:
    assert max(perf_open._sizes(cpus)) == pages
    assert min(perf_open._sizes(cpus)) == 1


def test_processors_that_come_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = {0, 1}
    monkeypatch.setattr(processors, "_allowed", lambda: set(allowed))
    seen = Processors()
    assert seen.added() == []
    allowed |= {130, 7}
    assert seen.added() == [7, 130]
    allowed -= {130}
    assert seen.added() == []
    allowed |= {130}  # it was listened to before, and is still
    assert seen.added() == []


def test_perf_watches_them_and_claims_no_exact_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = {0}
    monkeypatch.setattr(processors, "_allowed", lambda: set(allowed))
    stage = Stage(tmp_path)
    added: list[Any] = []
    told: list[str] = []
    source: Any = stage.source
    source._events.add = lambda cpus, threads: added.append((cpus, threads))
    source._observer.degraded = lambda what, why: told.append(why)
    stage.source.look(time.monotonic())
    assert stage.source.counts_processes
    allowed.add(3)
    stage.source.look(time.monotonic() + 1.0)
    assert added == [([3], [])]
    assert "(3)" in told[0]
    assert not stage.source.counts_processes
    assert "process_count_source" not in stage.source.columns(time.monotonic())
