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
_PSS_SHARE = 0.004
_PSS_CREDIT_S = 0.15


class Memory:
    """Follows one tree. Sizes in bytes; `peak_bytes` is None until something was measured."""

    def __init__(self, proc: Proc) -> None:
        self._proc = proc
        self.now_bytes = None  # type: int | None
        self.peak_bytes = None  # type: int | None
        self.source = None  # type: str | None
        self._ratio = 1.0  # proportional / resident, as last measured
        self._measured_count = 1
        self._integral = 0.0
        self._integral_s = 0.0
        self._credit_s = _PSS_CREDIT_S
        self._last = None  # type: float | None

    @property
    def mean_bytes(self) -> "int | None":
        """The mean over time of what the tree held."""
        return int(self._integral / self._integral_s) if self._integral_s > 0 else None

    def look(self, tree: Tree, now: float) -> None:
        """Take the tree's memory as the last scan found it."""
        processes = tree.live.values()
        resident = 0
        largest = 0
        for process in processes:
            resident += process.resident_bytes
            if process.resident_bytes > largest:
                largest = process.resident_bytes
        gap_s = 0.0 if self._last is None else now - self._last
        self._last = now
        self._credit_s = min(_PSS_CREDIT_S, self._credit_s + gap_s * _PSS_SHARE)
        if not resident:
            return
        shared_matters = resident > largest * _SHARING_MATTERS
        source = "rss"
        if not shared_matters:
            self._ratio, estimate = 1.0, resident
        else:
            if self._measured_count != len(processes) or self._ratio == 1.0:
                # the mix is another: what was measured does not hold, unless it can't be a peak
                possible_peak = resident > (self.peak_bytes or 0) * _NEW_PEAK
            else:
                possible_peak = resident * self._ratio > (self.peak_bytes or 0) * _NEW_PEAK
            if possible_peak and self._credit_s > 0:
                self._measure(tree)
            # never less than the largest process, which holds that much whoever shares it
            estimate = max(largest, int(resident * self._ratio))
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

    def end(self, largest_reaped_bytes: "int | None") -> None:
        """The task has ended; the largest of all processes it reaped is a lower bound."""
        if largest_reaped_bytes is not None:
            self._raise_to(largest_reaped_bytes, "rusage")

    def _raise_to(self, size: int, source: str) -> None:
        if self.peak_bytes is None or size > self.peak_bytes:
            self.peak_bytes, self.source = size, source

    def _measure(self, tree: Tree) -> None:
        begin = time.process_time()
        proportional = 0
        counted = 0
        for process in tree.live.values():
            if not process.resident_bytes:
                continue
            size = self._proc.proportional_bytes(process.pid)
            if size is not None:  # another user's process keeps its resident size out of both
                proportional += size
                counted += process.resident_bytes
        if counted:
            self._ratio = min(1.0, proportional / counted)
        self._measured_count = len(tree.live)
        self._credit_s -= time.process_time() - begin
