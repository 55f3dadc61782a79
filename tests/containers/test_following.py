"""How often a container's groups are read: seldom while it runs, and at once when it has ended."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace
from typing import Any

from tracer_hooks.supervisor.containers import Container, ContainerSource
from tracer_hooks.supervisor.procfs import Proc


class Accounting:
    """A cpuacct group of v1 that counts how often it is asked."""

    version = 1
    path = "/libpod-abc"

    def __init__(self) -> None:
        self.asked = 0
        self.used_ns = 10**9

    def number(self, name: str) -> int:
        self.asked += 1
        assert name == "cpuacct.usage"
        return self.used_ns

    def keyed(self, name: str) -> dict[str, int]:
        assert name == "cpuacct.stat"
        return {"user": 1, "system": 0}


def test_groups_are_read_seldom_and_at_the_end() -> None:
    asked_for_kills = []
    observer: Any = SimpleNamespace(proc=Proc(), tree=SimpleNamespace(seen_count=0, live={}))
    cgroups: Any = SimpleNamespace(look=asked_for_kills.append)
    source = ContainerSource(observer, cgroups)
    group: Any = Accounting()
    first = subprocess.Popen(["sleep", "60"])
    one = Container("podman", "abc", None, None)
    one.groups, one.first = {"cpuacct": group}, first.pid
    source.containers["abc"] = one
    now, looks = 100.0, 0
    while now < 102.0:
        source.look(now)
        looks += 1
        now = source.due()
    assert looks > 40
    assert group.asked <= 10
    group.used_ns = 3 * 10**9
    kills = len(asked_for_kills)
    first.kill()
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)  # a zombie: nobody reaped it yet
    source.look(now)
    assert sum(one.cpu) == 3.0
    assert len(asked_for_kills) == kills + 1
    first.wait()
