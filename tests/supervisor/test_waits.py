"""What a thread waits for: which connections count, and what looks can't have seen."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tracer_hooks.supervisor import waits as waits_module
from tracer_hooks.supervisor.peeks import PeekSource
from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.waits import (
    DISK,
    IDLE,
    NETWORK,
    RUN,
    WaitReader,
    WallSplit,
    connected_socket,
)


def test_a_connection_among_many_is_found() -> None:
    """The kernel's table is longer than one read gives."""
    pairs = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(120):
            client = socket.create_connection(server.getsockname())
            pairs.append((client, server.accept()[0]))
    try:
        for client, _ in pairs[::12]:
            holder = subprocess.Popen(["sleep", "30"], pass_fds=[client.fileno()])
            assert connected_socket(Proc(), holder.pid)
            holder.kill()
            holder.wait()
        lonely = subprocess.Popen(["sleep", "30"])
        assert not connected_socket(Proc(), lonely.pid)
        lonely.kill()
        lonely.wait()
    finally:
        for pair in pairs:
            for end in pair:
                end.close()


@pytest.mark.parametrize(("stat", "kind"), [(None, ""), (b"7 (x) S 1", IDLE)])
def test_who_ends_while_looked_at_is_no_refusal(stat: bytes | None, kind: str) -> None:
    proc: Any = SimpleNamespace(waiting_in=lambda *_: None, read=lambda *_: stat)
    waits = WaitReader(proc)
    assert waits.look(7, 7, b"S") == kind
    assert waits.network_known is (stat is None)


@pytest.mark.parametrize(
    ("family", "kind", "read"),
    [
        (socket.AF_UNIX, socket.SOCK_STREAM, []),
        (socket.AF_INET, socket.SOCK_DGRAM, ["udp"]),
        (socket.AF_INET6, socket.SOCK_STREAM, ["tcp6"]),
    ],
)
def test_only_tables_of_kinds_that_are_held_are_read(
    monkeypatch: pytest.MonkeyPatch, family: int, kind: int, read: list[str]
) -> None:
    """Each costs the kernel a walk over all of its buckets."""
    seen = []

    def opened(path: str, mode: str) -> Any:
        seen.append(path.rpartition("/")[2])
        return Path(path).open(mode)

    monkeypatch.setattr(waits_module, "open", opened, raising=False)
    with socket.socket(family, kind) as held:
        holder = subprocess.Popen(["sleep", "30"], pass_fds=[held.fileno()])
        try:
            assert not connected_socket(Proc(), holder.pid)
        finally:
            holder.kill()
            holder.wait()
    assert seen == read


def test_who_waits_for_us_waits_for_nothing_of_its_own() -> None:
    """It told its end, and a look that is to be its last must not be a search for connections."""
    proc: Any = SimpleNamespace(waiting_in=lambda pid, tid: b"poll_schedule_timeout")
    waits = WaitReader(proc)
    waits.known_connection = lambda pid: True
    assert waits.look(7, 7, b"S") == NETWORK
    waits.waits_for_us = 7
    assert waits.look(7, 7, b"S") == ""
    assert waits.look(8, 8, b"S") == NETWORK


def test_time_asleep_goes_to_what_is_found_later() -> None:
    split = WallSplit()
    split.saw({RUN}, 1.0)
    split.add(1.0, 0.2, 0.3)  # asleep for half of it, and nobody saw on what
    assert split.columns(1.0, True)["wall_idle_s"] == pytest.approx(0.5)
    split.saw({RUN}, 1.0)
    split.saw({DISK}, 0.1)
    split.add(1.0, 0.2, 0.3)
    columns = split.columns(2.0, True)
    assert columns["wall_disk_s"] == pytest.approx(1.0)
    assert columns["wall_idle_s"] == 0.0


def test_one_look_at_somebody_ready_is_no_evidence_of_seconds() -> None:
    """A sleeper that is looked at every few seconds, found while it forks a helper of 2 ms."""
    split = WallSplit()
    split.saw({IDLE}, 4.0)
    split.add(4.0, 0.02, 0.01)
    split.saw({RUN}, 17.0)
    split.add(17.0, 0.002, 0.0, unseen_share=1.0)
    columns = split.columns(21.0, True)
    assert columns["wall_runnable_s"] < 0.05
    assert columns["wall_idle_s"] > 20.9


def test_a_storm_of_helpers_that_none_met_waited_while_somebody_was_ready() -> None:
    split = WallSplit()
    for _ in range(8):
        split.saw({RUN}, 0.1)
    for _ in range(2):
        split.saw({IDLE}, 0.1)
    split.add(1.0, 0.2, 0.0, unseen_share=1.0)
    assert split.columns(1.0, True)["wall_runnable_s"] == pytest.approx(0.6)


class Scene:
    """A tree of one thread, found ready to run, and what it is found at when peeked at."""

    def __init__(self, awake_s: float, *found: str) -> None:
        self.thread = SimpleNamespace(waits_for=RUN, ran_ns=0, waited_ns=0)
        process = SimpleNamespace(pid=7, threads={7: self.thread})
        self.found = list(found)
        self.split = WallSplit()
        self.observer: Any = SimpleNamespace(
            started=0.0,
            tick_count=0,
            tree=SimpleNamespace(live={7: process}),
            waits=SimpleNamespace(look=lambda pid, tid, state: self.found.pop(0)),
            split=self.split,
        )
        source = PeekSource(self.observer)
        for number in (1, 2):  # two looks, 0.1 s apart
            self.observer.tick_count = number
            source.look(number * 0.1)
            self.thread.ran_ns += int(awake_s * 1e9)
        # between the second look and the next
        while source.due() < 0.3:
            source.look(source.due())
        self.split.add(1.0, 0.0, 0.0)


def test_who_is_nearly_always_found_ready_is_looked_at_until_it_sleeps() -> None:
    scene = Scene(0.08, RUN, RUN, DISK, RUN, NETWORK, DISK)
    assert not scene.found
    assert scene.split.disk_s == pytest.approx(2 / 3)
    assert scene.split.network_s == pytest.approx(1 / 3)


def test_who_computes_is_left_alone() -> None:
    scene = Scene(0.1, *[DISK] * 6)
    assert len(scene.found) == 6
    assert scene.split.disk_s == 0.0


def test_who_is_found_asleep_is_idle() -> None:
    scene = Scene(0.08, *[IDLE] * 6)
    assert scene.split.idle_s == pytest.approx(1.0)
