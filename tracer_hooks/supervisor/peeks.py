"""Looking again, between looks, at who was ready to run and sleeps at other times.

What a thread sleeps on shows only while it sleeps. On a busy host one that waits for a disk a
thousand times a second is nearly always found waiting for a processor, and ten looks a second
may never catch it asleep. Such threads are peeked at until they are, a few files each time.
"""

import time

from tracer_hooks.supervisor.sources import Source
from tracer_hooks.supervisor.waits import RUN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.observer import Observer

_GAP_S = 0.012
_PEEKS = 6  # between two looks
_MOST_THREADS = 4
_SLEEPS_SHARE = 0.05  # of the time: a thread that sleeps less is not worth a peek
_BUDGET_SHARE = 0.002  # of one core
_AT_ONCE_S = 0.002


class PeekSource(Source):
    """Tells the observer's split what the tree waited for at moments between its looks."""

    name = "peeks"

    def __init__(self, observer: "Observer") -> None:
        self._observer = observer
        self._tree = observer.tree
        self._begun = observer.started
        self._spent_s = 0.0
        self._looks = observer.tick_count
        self._before = {}  # type: dict[tuple[int, int], tuple[int, float]]
        self._ready = []  # type: list[tuple[int, int]]  # (process, thread)
        self._others = set()  # type: set[str]  # what everybody else waits for
        self._left = 0
        self._next = float("inf")

    def due(self) -> float:
        return self._next

    def look(self, now: float) -> None:
        """After a look: see whom to peek at. In between: peek."""
        if self._observer.tick_count != self._looks:
            self._looks = self._observer.tick_count
            self._choose(now)
        elif now >= self._next:
            self._peek(now)

    def _choose(self, now: float) -> None:
        self._ready, self._others, self._next = [], set(), float("inf")
        before, self._before = self._before, {}
        for process in self._tree.live.values():
            for tid, thread in process.threads.items():
                if thread.waits_for != RUN:
                    self._others.add(thread.waits_for)
                    continue
                self._before[process.pid, tid] = thread.ran_ns + thread.waited_ns, now
                told = before.get((process.pid, tid))
                if told is not None:
                    awake_s = (thread.ran_ns + thread.waited_ns - told[0]) / 1e9
                    if awake_s > (1.0 - _SLEEPS_SHARE) * (now - told[1]):
                        return  # the tree as a whole never sleeps
                self._ready.append((process.pid, tid))
                if len(self._ready) > _MOST_THREADS:
                    return
        if self._ready:
            self._left = _PEEKS
            self._next = now + _GAP_S

    def _peek(self, now: float) -> None:
        begin = time.process_time()
        kinds = set(self._others)
        for pid, tid in self._ready:
            kinds.add(self._observer.waits.look(pid, tid, None))
        if RUN not in kinds:
            self._observer.split.saw(kinds, _GAP_S)
        self._spent_s += time.process_time() - begin
        self._left -= 1
        allowed_s = _AT_ONCE_S + _BUDGET_SHARE * (now - self._begun)
        go_on = self._left > 0 and self._spent_s < allowed_s
        self._next = now + _GAP_S if go_on else float("inf")
