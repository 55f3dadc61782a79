"""What is made of perf's records in the order in which a busy host brings them about."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tracer_hooks.supervisor.perf import PerfSource
from tracer_hooks.supervisor.process import Process
from tracer_hooks.supervisor.procfs import TICKS_PER_SECOND, Proc, Stat
from tracer_hooks.supervisor.tree import Tree
from tracer_hooks.supervisor.waits import WaitReader

EXIT, FORK, SWITCH, IS_OUT = 4, 7, 14, 1 << 13
PID, PARENT = 4711, 4700


class FakeRing:
    """A ring that holds what a test put there."""

    size = 1 << 16

    def __init__(self) -> None:
        self.data = b""

    def task(self, kind: int, at: float, pid: int = PID) -> None:
        body = struct.pack("IIIIQ", pid, PARENT, pid, PARENT, int(at * 1e9)) + b"\0" * 24
        self.data += struct.pack("IHH", kind, 0, 8 + len(body)) + body

    def switch(self, at: float, out: bool) -> None:
        body = struct.pack("IIQ", PID, PID, int(at * 1e9)) + b"\0" * 8
        self.data += struct.pack("IHH", SWITCH, IS_OUT if out else 0, 8 + len(body)) + body

    def take(self) -> bytes:
        data, self.data = self.data, b""
        return data

    def disable(self) -> None:
        """There is no event."""


class Stage:
    """A perf source between rings and a tree, both of the test's making."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.begun = time.monotonic() - 1.0
        self.lifecycle, self.switches = FakeRing(), FakeRing()
        events = SimpleNamespace(lifecycle=[self.lifecycle], switches=[self.switches])
        proc = Proc(str(folder))
        self.tree = Tree(proc, WaitReader(proc), 0.0)
        observer = SimpleNamespace(
            tree=self.tree, started=self.begun, proc=proc, degraded=lambda what, why: None,
            stepped_down=lambda what, why: None,
            cpu_now_s=lambda: 0.0,
        )  # fmt: skip
        self.source = PerfSource(events, observer)  # type: ignore[arg-type]

    def shows(self, state: str, began: float) -> Stat:
        """What /proc shows of the process."""
        field = [state, str(PARENT), *["0"] * 17, str(int(began * TICKS_PER_SECOND)), *["0"] * 30]
        field[17] = "1"
        return Stat(f"{PID} (helper) {' '.join(field)}".encode())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.mark.parametrize("drains", [1, 3])
def test_who_has_left_and_still_shows_is_not_met_again(stage: Stage, drains: int) -> None:
    """On a busy host the record of an exit may be read long before the process is a zombie."""
    stage.lifecycle.task(FORK, stage.begun)
    stage.lifecycle.task(EXIT, stage.begun + 0.5)
    for number in range(drains):
        stage.source.look(stage.begun + 1.0 + number)
        stage.lifecycle.task(FORK, stage.begun + 0.6, pid=PID + 1 + number)
        stage.lifecycle.task(EXIT, stage.begun + 0.7, pid=PID + 1 + number)
    assert stage.source.has_ended(PID, stage.shows("R", stage.begun))
    assert not stage.source.has_ended(PID, stage.shows("R", stage.begun + 0.8))  # its pid's next
    assert stage.source.has_ended(PID, stage.shows("Z", stage.begun + 0.8))


def test_cpu_up_to_an_exit_whose_record_was_not_read_yet(stage: Stage) -> None:
    stage.lifecycle.task(FORK, stage.begun)
    stage.switches.switch(stage.begun + 0.1, out=False)
    stage.source.look(stage.begun + 0.2)
    image = stage.source.image_of(PID)
    assert image is not None
    process = Process(PID, stage.shows("R", stage.begun), image)
    process.ran_ns = 50_000_000  # at the last look
    stage.tree.live[PID] = process
    stage.switches.switch(stage.begun + 0.4, out=True)
    stage.switches.switch(stage.begun + 0.5, out=False)
    stage.lifecycle.task(EXIT, stage.begun + 0.6)
    stage.tree.scan([], time.monotonic())  # there is no such process in /proc
    (ended,) = stage.tree.take_ended()
    assert ended is image
    assert ended.cpu_s == pytest.approx(0.4)  # 0.1 to 0.4 and 0.5 to 0.6
    assert ended.cpu_src == "switches"
    assert ended.ended == pytest.approx(stage.begun + 0.6, abs=1e-6)
    stage.source.finish(time.monotonic())
    assert stage.tree.take_ended() == []  # and it counts once


def test_what_is_learnt_of_names_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from tracer_hooks.supervisor import perf

    monkeypatch.setattr(perf, "_MOST_LEARNED", 10)
    monkeypatch.setattr(Proc, "executable", lambda *_: "/bin/helper")
    monkeypatch.setattr(Proc, "command_line", lambda *_: ["helper"])
    source: Any = stage.source
    for number in range(50):
        image = stage.tree.new_image(PID + number, PARENT, 0.0)
        image.parent_id, image.comm = number, "helper"
        source._name(image)
    assert len(source._known) <= 10
