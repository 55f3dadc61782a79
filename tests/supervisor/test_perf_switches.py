"""Run-queue time and CPU from switch records that lie in one ring per CPU."""

from __future__ import annotations

import struct
from typing import Any

from tracer_hooks.supervisor.perf_switches import Switches

MS = 1_000_000
SECOND = 1000 * MS
IN, OUT, PREEMPTED = 0, 1 << 13, 1 << 13 | 1 << 14
LOST = struct.pack("IHHQQ", 2, 0, 24, 1, 5)


def record(at_ns: int, misc: int, pid: int = 7) -> bytes:
    return struct.pack("IHHIIQ", 14, misc, 24, pid, pid, at_ns)


class Ring:
    """What a CPU has recorded since it was last read."""

    size = 1 << 16

    def __init__(self) -> None:
        self.data = b""

    def take(self) -> bytes:
        data, self.data = self.data, b""
        return data


def switches(count: int = 2) -> tuple[Any, list[Ring]]:
    rings: list[Any] = [Ring() for _ in range(count)]
    return Switches(rings, lambda what, why: None), rings


def test_who_moved_to_a_cpu_whose_ring_is_read_first() -> None:
    """Preempted on CPU 1, running on CPU 0 2 ms later, asleep for a second, on again."""
    source, (first, second) = switches()
    second.data = record(1 * MS, IN) + record(3 * MS, PREEMPTED)
    first.data = record(5 * MS, IN) + record(6 * MS, OUT)
    source.drain(0.1, 100 * MS)
    first.data = record(SECOND, IN) + record(SECOND + 4 * MS, OUT)
    source.drain(1.0, 2 * SECOND)
    source.forked(7, 1 * MS)
    assert source.waited_ns[7] == 2 * MS
    assert source.cpu_ns[7] == 7 * MS


def test_on_one_cpu_while_its_last_time_on_another_is_read_later() -> None:
    source, (first, second) = switches()
    second.data = record(1 * MS, IN)
    source.drain(0.1, 2 * MS)
    second.data = record(3 * MS, OUT)
    first.data = record(5 * MS, IN)
    source.drain(0.1, 6 * MS)
    first.data = record(9 * MS, OUT)
    source.drain(0.1, 10 * MS)
    assert source.cpu_ns[7] == 6 * MS


def test_the_first_run_is_the_first_whatever_ring_is_read_first() -> None:
    """`sleep`: it ran on CPU 1 at once, and on CPU 0 when it woke."""
    source, (first, second) = switches()
    second.data = record(2 * MS, IN) + record(3 * MS, OUT)
    first.data = record(503 * MS, IN) + record(504 * MS, OUT)
    source.drain(0.6, SECOND)
    source.forked(7, 1 * MS)
    assert source.waited_ns[7] == 1 * MS


def test_what_is_younger_than_the_horizon_waits_for_the_other_rings() -> None:
    source, (first, second) = switches()
    first.data = record(2 * MS, IN) + record(9 * MS, PREEMPTED)
    source.drain(0.1, 8 * MS)
    assert not source.cpu_ns
    second.data = record(10 * MS, IN) + record(11 * MS, OUT)
    source.drain(0.1, 20 * MS)
    source.forked(7, 2 * MS)
    assert source.cpu_ns[7] == 8 * MS
    assert source.waited_ns[7] == 1 * MS


def test_a_wait_whose_end_was_lost_is_not_counted() -> None:
    source, (ring,) = switches(1)
    ring.data = record(1 * MS, IN) + record(3 * MS, PREEMPTED)
    source.drain(0.1, 4 * MS)
    source.forked(7, 1 * MS)
    ring.data = LOST + record(SECOND, IN) + record(SECOND + MS, OUT)
    source.drain(1.0, 2 * SECOND)
    assert source.waited_ns.get(7, 0) == 0
    assert source.cpu_ns[7] == 3 * MS
