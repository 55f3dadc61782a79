"""Peak and mean memory of a tree, right for trees whose processes share pages.

The sum of resident sizes counts a shared page once per process. Where that matters the
proportional size (PSS) is read, which is exact but costs milliseconds per gigabyte, so it is read
only when the cheap sum says that a new peak is possible, and within a budget. What rose and fell
between two looks is taken from each process's own high-water mark.
"""

import time

from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.tree import Tree

# PSS is worth its price only if the sum of resident sizes may be off by this much.
_SHARING_MATTERS = 1.05
_NEW_PEAK = 1.01
# Share of one core that reading PSS may cost, and the credit that it starts with.
_PSS_SHARE = 0.002
_PSS_CREDIT_S = 0.15
# Pages stop being shared when somebody writes to them, which moves no resident size; nobody does
# in a tree that sleeps.
_STALE_S = 2.0


class Memory:
    """Follows one tree. Sizes in bytes; `peak_bytes` is None until something was measured."""

    def __init__(self, proc: Proc) -> None:
        self._proc = proc
        self.now_bytes = None  # type: int | None
        self.peak_bytes = None  # type: int | None
        self.source = None  # type: str | None
        self._measured_count = 0
        self._measured_at = 0.0
        self._measured_ran_ns = 0
        self._integral = 0.0
        self._integral_s = 0.0
        self._credit_s = _PSS_CREDIT_S
        self.measuring_s = 0.0  # our CPU that reading PSS took at the last look, of its own budget
        self._last = None  # type: float | None

    @property
    def mean_bytes(self) -> "int | None":
        """The mean over time of what the tree held."""
        return int(self._integral / self._integral_s) if self._integral_s > 0 else None

    def look(self, tree: Tree, now: float) -> None:
        """Take the tree's memory as the last scan found it."""
        gap_s = 0.0 if self._last is None else now - self._last
        self._last = now
        self._credit_s = min(_PSS_CREDIT_S, self._credit_s + gap_s * _PSS_SHARE)
        self.measuring_s = 0.0
        resident = [process.resident_bytes for process in tree.live.values()]
        total, largest = sum(resident), max(resident, default=0)
        if not total:
            return
        estimate, source = total, "rss"
        if total > largest * _SHARING_MATTERS:
            peak = (self.peak_bytes or 0) * _NEW_PEAK
            estimate = max(largest, _estimate(tree))
            stale = len(resident) != self._measured_count or (
                now - self._measured_at > _STALE_S and _ran_ns(tree) != self._measured_ran_ns
            )
            if total > peak and self._credit_s > 0 and (stale or estimate > peak):
                self._measure(tree, now)
                # never less than the largest process, which holds that much whoever shares it
                estimate = max(largest, _estimate(tree))
            source = "pss"
        self.now_bytes = estimate
        self._integral += estimate * gap_s
        self._integral_s += gap_s
        self._raise_to(estimate, source)

    def look_back(self, tree: Tree) -> None:
        """Ask each process that ran since the last reading for its own high-water mark.

        A rise that no look saw is memory of that process alone, on top of what the tree holds.
        """
        for process in tree.live.values():
            if not process.changed:
                continue
            mark = self._proc.high_water_bytes(process.pid)
            if mark is None:
                continue
            image = process.image
            seen = max(process.high_water_bytes, image.memory_peak_bytes or 0)
            process.high_water_bytes = mark
            if mark > (image.memory_peak_bytes or 0):
                image.memory_peak_bytes = mark
            if mark > seen:
                others = max(0, (self.now_bytes or 0) - process.resident_bytes)
                self._raise_to(others + mark, "hwm")

    def held(self, ended_bytes: int) -> None:
        """One process that has ended had this much, which is a lower bound of what all had."""
        self._raise_to(ended_bytes, "taskstats")

    def end(self, largest_reaped_bytes: "int | None") -> None:
        """The task has ended; the largest of all processes it reaped is a lower bound."""
        if largest_reaped_bytes is not None:
            self._raise_to(largest_reaped_bytes, "rusage")

    def _raise_to(self, size: int, source: str) -> None:
        if self.peak_bytes is None or size > self.peak_bytes:
            self.peak_bytes, self.source = size, source

    def _measure(self, tree: Tree, now: float) -> None:
        begin = time.process_time()
        for process in tree.live.values():
            if process.resident_bytes:
                process.proportional_bytes = self._proc.proportional_bytes(process.pid)
                process.measured_resident_bytes = process.resident_bytes
        self._measured_count, self._measured_at = len(tree.live), now
        self._measured_ran_ns = _ran_ns(tree)
        self.measuring_s = time.process_time() - begin
        self._credit_s -= self.measuring_s


def _ran_ns(tree: Tree) -> int:
    return sum([process.ran_ns for process in tree.live.values()])


def _estimate(tree: Tree) -> int:
    """What the tree holds, from what was measured and how the resident sizes moved since.

    A fork shares all with its parent: until it is measured, only its growth counts.
    """
    total = 0
    for process in tree.live.values():
        size = process.resident_bytes
        if process.proportional_bytes is not None:
            size += process.proportional_bytes - process.measured_resident_bytes
        elif process.image.forked:
            size -= process.first_resident_bytes
        total += max(0, size)
    return total
