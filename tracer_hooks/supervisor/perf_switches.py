"""CPU and run-queue time of processes from perf's switch records, while those are affordable."""

from _struct import unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer_hooks.supervisor.perf_open import Ring

_LOST, _SWITCH = 2, 14
_IS_OUT, _IS_PREEMPTED = 1 << 13, 1 << 14
# A switch costs the task about 7 µs to record. Above this many a second that would show.
_MOST_PER_S = 12_000
_LEAST_WINDOW_S = 0.02


class Switches:
    """Nanoseconds by process.

    A thread moves between CPUs, each with a ring of its own, so the records of all are brought in
    order first: who is seen to run before it is seen preempted would be taken to wait until it
    runs the next time, after however long a sleep.
    """

    def __init__(self, rings: "list[Ring]", stepped_down: "Callable[[str, str], None]") -> None:
        self.on = bool(rings)
        self.cpu_ns: dict[int, int] = {}  # of processes that have not ended
        self.waited_ns: dict[int, int] = {}  # the same: runnable but not running
        self._rings = rings
        self._stepped_down = stepped_down
        self._on_cpu_since: dict[int, int] = {}  # thread -> ns
        self._ready_since: dict[int, int] = {}  # thread that was preempted -> ns
        self._first_run: dict[int, int] = {}  # process -> ns, until its fork is read
        self._known: set[int] = set()
        self._pending: list[tuple[int, int, int, int]] = []  # (ns, misc, process, thread)

    def drain(self, gap_s: float, horizon_ns: int) -> float:
        """Read the rings after `gap_s` seconds; how full the fullest was, 0 to 1.

        What is younger than `horizon_ns` waits: of that age a ring read earlier lacks its part.
        """
        if not self.on:
            return 0.0
        pending, fullest, lost = self._pending, 0.0, False
        held = len(pending)
        for ring in self._rings:
            data = ring.take()
            fullest = max(fullest, len(data) / ring.size)
            lost = _split(data, pending) or lost
        rate = (len(pending) - held) / gap_s
        pending.sort()
        if lost:  # who waited or ran since when is not known any more
            self._on_cpu_since.clear()
            self._ready_since.clear()
        self._apply(horizon_ns)
        if lost:
            self._first_run.clear()
        if gap_s > _LEAST_WINDOW_S and rate > _MOST_PER_S:
            self._stop(int(rate))
        return fullest

    def forked(self, pid: int, at_ns: int) -> None:
        """A fork was read: from then to its first run the process waited for a CPU."""
        self._known.add(pid)
        first_run = self._first_run.pop(pid, 0)
        if first_run > at_ns:
            self.waited_ns[pid] = self.waited_ns.get(pid, 0) + first_run - at_ns

    def exited(self, pid: int, tid: int, at_ns: int) -> None:
        """The exit of a thread was read: no switch from the CPU is recorded after it."""
        begun = self._on_cpu_since.pop(tid, 0)
        if begun:
            self.cpu_ns[pid] = self.cpu_ns.get(pid, 0) + max(0, at_ns - begun)
        self._ready_since.pop(tid, None)
        if tid == pid:
            self._known.discard(pid)

    def _apply(self, horizon_ns: int) -> None:
        since, spent = self._on_cpu_since, self.cpu_ns
        done = 0
        for at_ns, misc, pid, tid in self._pending:
            if at_ns > horizon_ns:
                break
            done += 1
            if misc & _IS_OUT:
                begun = since.pop(tid, 0)
                if begun:
                    spent[pid] = spent.get(pid, 0) + at_ns - begun
                if misc & _IS_PREEMPTED:
                    self._ready_since[tid] = at_ns
            else:
                since[tid] = at_ns
                self._runs_again(pid, tid, at_ns)
        del self._pending[:done]

    def _runs_again(self, pid: int, tid: int, at_ns: int) -> None:
        ready = self._ready_since.pop(tid, 0)
        if ready:
            self.waited_ns[pid] = self.waited_ns.get(pid, 0) + at_ns - ready
        elif tid == pid and pid not in self._known:
            self._first_run.setdefault(pid, at_ns)

    def _stop(self, rate: int) -> None:
        self.on = False
        for ring in self._rings:
            ring.disable()
        self._on_cpu_since.clear()
        self._ready_since.clear()
        self._first_run.clear()
        self._pending.clear()
        why = "%d switches a second: recording each would slow the task" % rate
        self._stepped_down("CPU of short processes is apportioned", why)


def _split(data: bytes, records: "list[tuple[int, int, int, int]]") -> bool:
    """Add the switches of one ring to `records`; whether some were lost there."""
    place, end, lost = 0, len(data), False
    while place < end:
        kind, misc, size = unpack_from("IHH", data, place)
        if kind == _SWITCH:
            pid, tid, at_ns = unpack_from("IIQ", data, place + 8)
            records.append((at_ns, misc, pid, tid))
        elif kind == _LOST:
            lost = True
        place += size
    return lost
