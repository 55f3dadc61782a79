"""Every process of the tree by name and lifetime, from perf events, however short it lives.

The rings are drained on a timer, not when something comes: waiting on the events would wake this
process at each exit and cost the task 7 %. Records of several CPUs are put in order of time, up
to the moment at which draining began.
"""

import posix
import time
from _struct import unpack_from

from tracer_hooks.supervisor.perf_open import PerfEvents
from tracer_hooks.supervisor.perf_switches import Switches
from tracer_hooks.supervisor.process import Image
from tracer_hooks.supervisor.processors import Processors, why_blind
from tracer_hooks.supervisor.sources import Source
from tracer_hooks.supervisor.tree import FORK_THEN_EXEC_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.observer import Observer
    from tracer_hooks.supervisor.procfs import Stat

_LOST, _COMM, _EXIT, _FORK = 2, 3, 4, 7
_IS_EXEC = 1 << 13
_TRAILER = 24
_DRAIN_S = 0.1
_SHORTEST_DRAIN_S = 0.01
_REMEMBERED_S = 2.0  # a process that has left may be seen in /proc this long, or twice that
_MOST_LEARNED = 2000  # each shell within a task may have programs of its own
_FULL = 0.3  # drain again before the rings are fuller than this
# Unmapping and the like after the last event: 23 µs for a small process, 2 ms at 100 MB.
_EXIT_COSTS_AT_MOST_S = 0.0005
_COUNTLESS = 1 << 30


class _Seen:
    """One process between its fork and its exit."""

    __slots__ = ("execs", "image", "met_from", "met_until", "ppid", "threads")

    def __init__(self, image: Image, ppid: int) -> None:
        # when the tree looked what it is: what was before then it knows
        self.met_from = self.met_until = 0.0
        self.image = image
        self.ppid = ppid
        self.threads = 1
        self.execs = 0

    def knows(self, name: str, at: float) -> bool:
        """Whether the tree saw what the process became by the exec of `name` at the time `at`."""
        if at < self.met_from:
            return True
        return at < self.met_until and self.image.comm == name and not self.image.forked


class PerfSource(Source):
    """Keeps the observer's tree complete from the records."""

    name = "perf"

    @property
    def counts_processes(self) -> bool:  # type: ignore[override]
        return not self.lost and not self._blind

    def __init__(self, events: PerfEvents, observer: "Observer") -> None:
        self._events = events
        self._observer = observer
        self._tree = observer.tree
        self._tree.lifecycle = self
        self._seen = {}  # type: dict[int, _Seen]
        self._pending = []  # type: list[tuple[int, int, int, int, int, bytes]]
        self._switches = Switches(events.switches, observer.stepped_down)
        self.unpaid = []  # type: list[Image]  # ended, and their CPU not known yet
        self._known = {}  # type: dict[tuple[object, str], tuple[object, list[str]] | None]
        self._leaving = set()  # type: set[int]  # who exits in the records at hand
        self._left = {}  # type: dict[int, float]  # who exited of late, and when
        self._left_before = {}  # type: dict[int, float]
        self._left_since = observer.started
        self._next = 0.0
        self._processors = Processors()
        self._blind = False  # for a while, on some processor
        self._drained = observer.started
        self.lost = 0

    def due(self) -> float:
        return self._next

    def before_scan(self, now: float) -> None:
        self._drain(now)  # so that the scan meets no process whose fork waits to be read

    def look(self, now: float) -> None:
        if now >= self._next:
            self._drain(now)

    def _drain(self, now: float) -> None:
        horizon = int(now * 1e9)
        gap_s = max(1e-3, now - self._drained)
        self._drained = now
        added = self._processors.added()
        if added:
            self._blind = True
            threads = [tid for process in self._tree.live.values() for tid in process.threads]
            self._events.add(added, threads)
            self._observer.degraded("processes", why_blind(added))
        fullest = self._switches.drain(gap_s, horizon)
        for ring in self._events.lifecycle:
            data = ring.take()
            fullest = max(fullest, len(data) / ring.size)
            self._split(data)
        self._pending.sort()
        done = 0
        # the exit of a thread leaves its process as it is
        self._leaving = {r[2] for r in self._pending if r[1] == _EXIT and r[2] == r[4]}
        if now - self._left_since > _REMEMBERED_S:
            self._left_before, self._left, self._left_since = self._left, {}, now
        for record in self._pending:
            if record[0] > horizon:
                break
            self._apply(*record[1:], at=record[0] / 1e9)
            done += 1
        del self._pending[:done]
        wanted = gap_s * _FULL / fullest if fullest > 0 else _DRAIN_S
        self._next = now + min(_DRAIN_S, max(_SHORTEST_DRAIN_S, wanted))

    def finish(self, now: float) -> None:
        self._drain(now + 1.0)
        self._tree.lifecycle = None
        self._share_out()

    def columns(self, now: float) -> "dict[str, object]":
        self._share_out()
        columns = {"events_lost": self.lost}  # type: dict[str, object]
        if self.counts_processes:
            columns["process_count_source"] = "perf"
        return columns

    # asked by the tree

    def image_of(self, pid: int) -> "Image | None":
        """The image that process `pid` runs, if its fork was seen."""
        seen = self._seen.get(pid)
        return None if seen is None else seen.image

    def met(self, pid: int, image: Image, ppid: int, begun: float) -> None:
        """The tree has found a process, and looked what it is from the time `begun` up to now."""
        seen = self._seen.get(pid)
        if seen is None:
            seen = self._seen[pid] = _Seen(image, ppid)
            if pid == self._tree.attached:
                seen.threads = _COUNTLESS  # others than events tell when it ends
        seen.met_from, seen.met_until = begun, time.monotonic()

    def has_ended(self, pid: int, stat: "Stat") -> bool:
        """Whether a process that the tree finds has been accounted for: a zombie, or nearly."""
        if stat.state in b"ZX":
            return True
        if pid in self._seen:
            return False
        # on a busy host it may be a while between the record of an exit and its end
        left = self._left.get(pid) or self._left_before.get(pid)
        return left is not None and self._tree.begin_of(stat) <= left

    def take_cpu_ns(self, pid: int) -> int:
        """CPU of a process that the tree found ended, and has yet to let go."""
        if pid in self._seen:  # the record of its exit was written, and not read yet
            self._drain(time.monotonic())
        return self._switches.cpu_ns.pop(pid, 0)

    # records

    def _split(self, data: bytes) -> None:
        place, end = 0, len(data)
        pending = self._pending
        while place < end:
            kind, misc, size = unpack_from("IHH", data, place)
            if kind in (_FORK, _EXIT):
                pid, ppid, tid, _, at_ns = unpack_from("IIIIQ", data, place + 8)
                pending.append((at_ns, kind, pid, ppid, tid, b""))
            elif kind == _COMM:
                pid, tid = unpack_from("II", data, place + 8)
                (at_ns,) = unpack_from("Q", data, place + size - _TRAILER + 8)
                if misc & _IS_EXEC:
                    name = data[place + 16 : place + size - _TRAILER].split(b"\0", 1)[0]
                    pending.append((at_ns, kind, pid, 0, tid, name))
            elif kind == _LOST:
                self.lost += unpack_from("Q", data, place + 16)[0]
            place += size

    def _apply(self, kind: int, pid: int, ppid: int, tid: int, name: bytes, at: float) -> None:
        if kind == _FORK:
            if pid == ppid:
                self._thread(pid, 1)
            else:
                self._fork(pid, ppid, at)
        elif kind == _COMM:
            self._exec(pid, name, at)
        else:
            self._switches.exited(pid, tid, int(at * 1e9))
            if self._thread(pid, -1) <= 0:
                self._exit(pid, at)

    def _thread(self, pid: int, change: int) -> int:
        seen = self._seen.get(pid)
        if seen is None:
            return 0
        seen.threads += change
        if seen.threads > seen.image.threads_peak:
            seen.image.threads_peak = seen.threads
        return seen.threads

    def _fork(self, pid: int, ppid: int, at: float) -> None:
        seen = self._seen.get(pid)
        parent = self._seen.get(ppid)
        if seen is not None and at < seen.met_until:
            seen.image.born = at  # of which the tree knew no more than the tick
            if parent is not None and not seen.execs:
                _belongs_to(parent.image, seen.image)
            return
        image = self._tree.new_image(pid, ppid, at)
        image.src = "perf"
        image.forked = True
        if parent is not None:
            image.comm, image.parent_id = parent.image.comm, parent.image.id
            image.exe, image.argv = parent.image.exe, parent.image.argv
        self._seen[pid] = _Seen(image, ppid)
        self._switches.forked(pid, int(at * 1e9))

    def _exec(self, pid: int, name: bytes, at: float) -> None:
        seen = self._seen.get(pid)
        if seen is None:  # the command itself
            image = self._tree.new_image(pid, posix.getpid(), at)
            seen = self._seen[pid] = _Seen(image, posix.getpid())
        elif seen.knows(name.decode("utf-8", "surrogateescape"), at):
            seen.execs += 1
            seen.image.forked = False
            return
        elif seen.image.forked and not seen.execs and _is_starting(seen.image, at):
            image = seen.image  # fork, then exec: one process, not a worker and a program
        else:
            old = seen.image
            image = self._tree.new_image(pid, seen.ppid, at)
            image.exec_of, image.parent_id = old.id, old.parent_id
            self._tree.replace_image(pid, old, image, at, self._switches.cpu_ns.get(pid, 0))
        seen.execs += 1
        seen.image = image
        image.src = "perf"
        image.forked = False
        image.comm = name.decode("utf-8", "surrogateescape")
        image.exe, image.argv = None, []
        process = self._tree.live.get(pid)
        if process is not None:
            process.image = image
        self._name(image)

    def _name(self, image: Image) -> None:
        """Read the words while the process lives, and learn from them for those that do not."""
        if image.pid not in self._leaving:  # gone already: do not even look
            image.exe = self._observer.proc.executable(image.pid)
        if image.exe is not None:
            image.argv = self._observer.proc.command_line(image.pid)
        key = (image.parent_id, image.comm)
        if image.argv and image.exe is not None:
            image.argv_src = "argv"
            naming = image.argv[:2]
            if len(self._known) >= _MOST_LEARNED:
                self._known.clear()
            known = self._known.setdefault(key, (image.exe, naming))
            if known is not None and known != (image.exe, naming):
                # the same name with other words: what they share is the program
                self._known[key] = (image.exe, naming[:1]) if known[0] == image.exe else None
        else:
            known = self._known.get(key)
            image.argv_src = "comm"
            if known is not None:
                image.exe, image.argv = known[0], list(known[1])  # type: ignore[assignment]
                image.argv_src = "learned"

    def _exit(self, pid: int, at: float) -> None:
        seen = self._seen.pop(pid, None)
        if seen is None:
            return
        self._left[pid] = at
        image = seen.image
        by_tree = image.ended is not None or pid in self._tree.live
        image.ended = at
        waited_ns = self._switches.waited_ns.pop(pid, 0)
        process = self._tree.live.get(pid)
        if process is not None:  # how long it waited for a CPU since it was last looked at
            waited_ns -= process.waited_ns
        if not by_tree or process is not None:
            self._tree.waited_ns += max(0, waited_ns)
        if by_tree:  # which found it gone, or will, and knows more about it
            return
        spent_s = self._switches.cpu_ns.pop(pid, 0) / 1e9
        image.cpu_s = max(0.0, spent_s - image.cpu_base_s)
        image.user_s = image.system_s = None
        image.cpu_src = "switches" if self._switches.on or spent_s else "apportioned"
        self.unpaid.append(image)

    def _share_out(self) -> None:
        """Share the CPU that the reaped brought and no process accounts for among who ended.

        What the kernel spends on a process's exit no event shows: each gets the same part of it,
        up to a bound. Where switches were not recorded all of it is shared, by lifetime, since of
        what lives a millisecond nothing better is known.
        """
        unpaid, self.unpaid = self.unpaid, []
        if not unpaid:
            return
        recorded_s = sum([image.cpu_s for image in unpaid])
        rest_s = max(0.0, self._observer.cpu_now_s() - self._tree.own_cpu_s() - recorded_s)
        by_lifetime = [image for image in unpaid if image.cpu_src == "apportioned"]
        exit_s = 0.0
        if len(by_lifetime) < len(unpaid):
            exit_s = min(_EXIT_COSTS_AT_MOST_S, rest_s / len(unpaid))
            rest_s -= exit_s * len(unpaid)
        lived_s = sum([_lifetime(image) for image in by_lifetime])
        for image in unpaid:
            image.cpu_s += exit_s
            if image.cpu_src == "apportioned":
                image.cpu_s += rest_s * _lifetime(image) / lived_s
            self._tree.ended_unseen(image)


def _is_starting(image: Image, at: float) -> bool:
    """Whether a fork that execs at the time `at` did nothing else before."""
    return not image.written and at - image.born < FORK_THEN_EXEC_S


def _belongs_to(parent: Image, image: Image) -> None:
    """The tree met a process when its parent had gone, and so as nobody's child."""
    if image.parent_id is None and not image.written:
        image.parent_id = parent.id
        image.forked = True  # until an exec is told


def _lifetime(image: Image) -> float:
    return max(1e-6, (image.ended or 0.0) - image.born)
