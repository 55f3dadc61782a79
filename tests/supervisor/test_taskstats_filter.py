"""What keeps the cost of other people's processes bounded, without a kernel."""

from __future__ import annotations

import os
from types import SimpleNamespace

from tracer_hooks.supervisor.sources import Refused
from tracer_hooks.supervisor.taskstats_filter import Filter


class _Kernel:
    """A socket that is refused and whose filter is refused for a while."""

    def __init__(self) -> None:
        self.refuses_to_open = self.refuses_to_block = 1
        self.blocked: list[int] = []

    def pause(self) -> None:
        self.blocked = []

    def resume(self) -> None:
        if self.refuses_to_open:
            self.refuses_to_open -= 1
            raise Refused("no memory")

    def block(self, pids: list[int]) -> bool:
        if self.refuses_to_block and not self.blocked and self.paused_once:
            self.refuses_to_block -= 1
            return False
        self.blocked = pids
        return True

    paused_once = False


def test_what_was_dropped_before_a_pause_is_dropped_after_it() -> None:
    kernel, busy = _Kernel(), [os.getppid()]
    said = SimpleNamespace(started=0.0, degraded=lambda *_: None)
    owner = SimpleNamespace(busy_others=lambda: busy)
    chosen = Filter(kernel, owner, said)  # type: ignore[arg-type]
    chosen.update(1, 1.0)
    assert kernel.blocked == busy
    chosen.update(10**6, 3.0)
    kernel.paused_once = True
    assert chosen.paused(4.0)
    assert chosen.paused(13.5)  # it can't be opened: some more patience
    assert not chosen.paused(60.0)
    assert kernel.blocked == []  # refused once
    chosen.update(1, 60.1)
    assert kernel.blocked == busy
    chosen.close()
