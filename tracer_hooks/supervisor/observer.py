"""Looking at one tree: when, how closely, and what is written of it.

A look (`tick`) costs microseconds and keeps the tree, the waits and the memory up to date. A
reading costs more (I/O counters, high-water marks) and is written down. Both keep to the budget:
the interval stretches until looking costs less than one per cent of one core.
"""

import time

from tracer_hooks.supervisor.brief import io_columns
from tracer_hooks.supervisor.host import HostReadings, forks
from tracer_hooks.supervisor.memory import Memory
from tracer_hooks.supervisor.process import Process
from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.rows import Rows
from tracer_hooks.supervisor.spool import Spool
from tracer_hooks.supervisor.tree import FORK_THEN_EXEC_S, Tree
from tracer_hooks.supervisor.waits import WaitReader, WallSplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer_hooks.supervisor.sources import Source

_FIRST_TICK_S = 0.004
_GROWTH = 1.5  # dense at the start, then ever less until the steady interval
_BUDGET_SHARE = 0.005  # of one core, for looks; readings and flushes get the rest of 1 %
# Where the kernel tells of every process looks matter less, and reading what it tells costs too.
_BUDGET_SHARE_IF_TOLD = 0.0025
# Of one core, for everything: what is spent elsewhere (reaping, sockets, events, readings, flushes)
# is taken off what looks may cost, down to a floor. The rest of 1 % is the margin.
_AIM_SHARE = 0.008
_LEAST_SHARE = 0.0015
_SMOOTHING = 0.25
_DENSE_FOR_S = 0.5  # the first half second may cost more: it is short
# The budget is one of the steady state. What a start costs once (imports, meeting each process)
# must not keep looks off that see a short task's whole life: so much of a core more is allowed at
# first, ever less of it, and nothing once a task is this old. Where the kernel tells of every
# process no look is needed to see them: there the extra would only be paid beside a storm of them.
_START_SHARE = 0.05
_START_S = 5.0
_LONGEST_TICK_S = 5.0
_TOGETHER_S = 0.015  # what is due so soon is done now: to wake up costs more than most sources
_FIRST_READING_S = 0.25
_LATER_S = 0.03
_READING_S = 1.0
_LONGEST_READING_S = 10.0
_READINGS_PER_TASK = 600  # a long task is read less often, so that its record stays small
_PROCESSES_IN_READING = 20
# A process costs at least this much to fork, run and reap: bounds how many went unseen.
_LEAST_PROCESS_CPU_S = 0.0002


class Observer:
    """Watches a tree from `start`; the caller says when to look and when it is over.

    `totals` answers cpu(tree), io(tree) and reaped(tree); `roots` gives the pids at the top.
    Times are monotonic seconds.
    """

    def __init__(
        self,
        proc: Proc,
        spool: Spool,
        totals: "object",
        roots: "object",
        *,
        started: float,
        since: float,
        interval_s: float,
        rows: Rows,
        host: "HostReadings | None" = None,
    ) -> None:
        self.proc = proc
        self.spool = spool
        self.rows = rows
        self.sources: list[Source] = []
        self.later: list[Callable[[], None]] = []  # each starts sources that can wait
        self.hurries = False  # whether they wait for no more than that nothing else is asked
        self.totals = totals
        # pid, exit code and signal of the main process, which only its parent knows
        self.main_ended: tuple[int, int | None, int | None] | None = None
        self.started = started
        self.since = since  # monotonic + since = UNIX time
        self.reading_count = 0
        self.tick_count = 0
        self.waits = WaitReader(proc)
        self.tree = Tree(proc, self.waits, _boot_offset())
        self.memory = Memory(proc)
        self.split = WallSplit()
        self._roots = roots
        self._interval_s = interval_s
        self._host = host
        self._tick_s = _FIRST_TICK_S
        self._tick_cost_s = 0.0
        self._spent_s = 0.0  # our CPU up to the end of the last look
        self._elsewhere_share = 0.0  # of one core, spent on anything but looks
        self._last_tick = started
        self._next_tick = started + _FIRST_TICK_S
        self._next_reading = started + _FIRST_READING_S
        self._split_at = started
        self._split_cpu_s = self._split_named_s = 0.0
        self._split_waited_ns = 0
        self._forks_before = forks(proc)

    def due(self) -> float:
        """When the next look is due."""
        if self.later and self.hurries:
            return 0.0
        return min([self._next_tick, *[source.due() for source in self.sources]])

    def tick(self, now: float) -> None:
        """Look at the tree; take a reading if one is due."""
        if self.later and self.hurries:
            self.later.pop(0)()
            return
        if now < self._next_tick:  # a source asked for it
            for source in self.sources:
                if now >= source.due() - _TOGETHER_S:
                    source.look(now)
            return
        if self.later and now - self.started > _LATER_S:
            self.later.pop(0)()
        gap_s = now - self._last_tick
        age_s = now - self.started
        begin = time.process_time()
        self._look(now)
        cost = time.process_time() - begin
        if age_s < _START_S:
            cost = max(0.0, cost - self.tree.meeting_s - self.memory.measuring_s)
        begin = time.process_time()
        if now >= self._next_reading:
            self._read(now)
            self._next_reading = now + reading_gap_s(age_s)
        spent_s = time.process_time()
        if age_s >= _START_S:  # the first reading writes a line of each process
            cost += spent_s - begin
        # The lower of two: what is paid once (an import, a first look at each process) says nothing
        # of the looks to come, and on a busy host would keep them off for the task's best part.
        usual_s = min(cost, self._tick_cost_s or cost)
        self._tick_cost_s = cost
        self._tick_s = min(self._interval_s, self._tick_s * _GROWTH)
        if age_s < _DENSE_FOR_S:
            affordable = min(usual_s / _BUDGET_SHARE, 0.05)
        else:
            elsewhere_s = max(0.0, spent_s - self._spent_s - usual_s)
            share = elsewhere_s / max(gap_s, _FIRST_TICK_S)
            self._elsewhere_share += _SMOOTHING * (share - self._elsewhere_share)
            affordable = usual_s / self._share_for_looks(age_s)
        self._spent_s = spent_s
        self._next_tick = now + min(_LONGEST_TICK_S, max(self._tick_s, affordable))

    def _share_for_looks(self, age_s: float) -> float:
        """What looks may cost in a task of that age, as a share of one core."""
        told = any(source.counts_processes for source in self.sources)
        most = _BUDGET_SHARE_IF_TOLD if told else _BUDGET_SHARE
        steady = min(most, max(_LEAST_SHARE, _AIM_SHARE - self._elsewhere_share))
        return steady if told else steady + _START_SHARE * max(0.0, 1.0 - age_s / _START_S)

    def read_now(self, now: float) -> None:
        """Look and take a reading, due or not."""
        self._look(now)
        self._read(now)

    def last_look(self, pid: int, now: float, command: "list[str]") -> None:
        """The main process `pid` is a zombie and shows its final figures."""
        self.tree.last_look(pid, now, command)

    def scan(self, now: float) -> None:
        """Bring the tree up to date, between looks too, for a source that must know it."""
        for source in self.sources:
            source.before_scan(now)
        self.tree.scan(self._roots(), now)  # type: ignore[operator]

    def cpu_now_s(self) -> float:
        """CPU seconds of the whole tree up to now."""
        user, system = self.totals.cpu(list(self.tree.live.values()))  # type: ignore[attr-defined]
        return float(user + system)

    def ended_of(self, kinds: "set[tuple[str, bool]]") -> "int | None":
        """How many images of these names, forked or not, have ended; None if some went unseen."""
        if not any(source.counts_processes for source in self.sources):
            return None
        written = self.rows.ended_of(kinds)
        if written is None:
            return None
        recent = list(self.tree.ended)
        if self.tree.lifecycle is not None:
            recent += self.tree.lifecycle.unpaid
        waiting = [image for image in recent if (image.comm, image.forked) in kinds]
        return len(waiting) + written

    def degraded(self, what: str, why: str) -> None:
        """Say in the record what could not be observed."""
        self._say("degraded", what, why)

    def stepped_down(self, what: str, why: str) -> None:
        """Say in the record what is observed more cheaply from now on, on purpose."""
        self._say("stepped_down", what, why)

    def _say(self, kind: str, what: str, why: str) -> None:
        self.spool.add(
            {"t": "e", "at": time.monotonic() + self.since, "kind": kind,
             "detail": {"what": what, "why": why}}
        )  # fmt: skip

    def finish(self, now: float) -> "dict[str, object]":
        """The task has ended: the last lines, and all columns of `tasks` that were measured."""
        for source in self.sources:
            source.before_scan(now)
        self.tree.scan([], now, False)  # who was reaped is in the totals and lives no longer
        live = list(self.tree.live.values())
        for process in live:  # a monitor that outlives its container has reaped what that wrote
            self._read_io(process)
        self.memory.end(self.totals.largest_bytes())  # type: ignore[attr-defined]
        user, system = self.totals.cpu(live)  # type: ignore[attr-defined]
        io = self.totals.io(live)  # type: ignore[attr-defined]
        reaped = self.totals.reaped(live)  # type: ignore[attr-defined]
        self._split_up_to(now, user + system)
        if not self.waits.network_known:
            why = "the kernel does not let this user see in which function a thread sleeps"
            self.degraded("wall_network_s", why)
        self.tree.finish(now)
        self._note_end_of_main()  # who asks how processes died finds it
        for source in self.sources:
            source.finish(now)
        self._note_end_of_main()  # a very short one is known only by now
        self.rows.ended(self.tree.take_ended())
        self.rows.write_groups()
        named = self.tree.own_cpu_s()
        unseen = self._unseen(user + system - named)
        columns = {
            "cpu_user_s": user,
            "cpu_system_s": system,
            "cpu_s": user + system,
            "cpu_unattributed_s": max(0.0, user + system - named),
        }  # type: dict[str, object]
        columns.update(self.split.columns(now - self.started, self.waits.network_known))
        columns.update(
            {
                "memory_peak_bytes": self.memory.peak_bytes,
                "memory_mean_bytes": self.memory.mean_bytes,
                "memory_source": self.memory.source,
                "threads_peak": self.tree.threads_peak or None,
                "reading_count": self.tick_count,
            }
        )
        columns.update(io_columns(io))
        columns.update(reaped)
        columns.update(
            {
                "process_count": self.rows.count + unseen,
                "process_count_source": "estimated",
                "short_process_count": self.rows.short_count + unseen,
            }
        )
        for source in self.sources:
            columns.update(source.columns(now))
        return columns

    def _note_end_of_main(self) -> None:
        if self.main_ended is not None:
            pid, code, signal = self.main_ended
            image = self.tree.last_image(pid)
            if image is not None:
                image.exit_code, image.signal = code, signal

    def _unseen(self, unattributed_s: float) -> int:
        """How many more processes than those seen there can have been.

        Two bounds, and the smaller counts: what the host forked meanwhile, and what the CPU time
        that no seen process accounts for can have paid for.
        """
        if any(source.counts_processes for source in self.sources):
            return 0
        unseen_s = unattributed_s - self.tree.last_slices_s
        if unseen_s < _LEAST_PROCESS_CPU_S or self._forks_before is None:
            return 0
        forked = (forks(self.proc) or 0) - self._forks_before - self.tree.seen_threads
        return max(0, min(forked, int(unseen_s / _LEAST_PROCESS_CPU_S)))

    def _look(self, now: float) -> None:
        gap_s = now - self._last_tick
        self._last_tick = now
        self.tick_count += 1
        self.scan(now)
        kinds = set()
        for process in self.tree.live.values():
            for thread in process.threads.values():
                kinds.add(thread.waits_for)
        self.split.saw(kinds, gap_s)
        self.memory.look(self.tree, now)
        for source in self.sources:
            source.look(now)

    def _read(self, now: float) -> None:
        self.reading_count += 1
        tree = self.tree
        self.memory.look_back(tree)
        live = list(tree.live.values())
        busy = [p for p in live if p.changed]
        for process in busy:
            self._read_io(process)
            process.settle()
        user, system = self.totals.cpu(live)  # type: ignore[attr-defined]
        io = self.totals.io(live)  # type: ignore[attr-defined]
        self._split_up_to(now, user + system)
        self.rows.ended(tree.take_ended())
        for process in busy:
            image = process.image
            if image.forked and now - image.born < FORK_THEN_EXEC_S:
                continue  # about to become another program
            self.rows.changed(image)
            process.changed = False
        self.rows.write_changed(now)
        line = {
            "t": "r", "at": now + self.since, "elapsed_s": now - self.started,
            "cpu_user_s": user, "cpu_system_s": system, "cpu_s": user + system,
            "cpu_unattributed_s": max(0.0, user + system - tree.own_cpu_s()),
        }  # type: dict[str, object]  # fmt: skip
        line.update(self.split.columns(now - self.started, self.waits.network_known))
        line.update(io_columns(io))
        for source in self.sources:
            line.update(source.columns(now))
        line.update(
            {
                "memory_bytes": self.memory.now_bytes, "memory_peak_bytes": self.memory.peak_bytes,
                "memory_mean_bytes": self.memory.mean_bytes, "memory_source": self.memory.source,
                "processes": len(tree.live), "threads": tree.threads_now,
                "threads_peak": tree.threads_peak, "process_count": self.rows.count + len(live),
                "reading_count": self.tick_count,
            }
        )  # fmt: skip
        busy.sort(key=_cpu_of, reverse=True)
        line["p"] = [
            [p.image.id, p.image.cpu_s, p.resident_bytes, p.image.disk_read_bytes,
             p.image.disk_write_bytes]
            for p in busy[:_PROCESSES_IN_READING]
        ]  # fmt: skip
        self.spool.add(line)
        self.rows.write_groups()
        self.spool.flush()
        if self._host is not None:
            self._host.take()

    def _split_up_to(self, now: float, cpu_s: float) -> None:
        waited_ns = self.tree.waited_ns
        named_s = self.tree.own_cpu_s()
        used_s = cpu_s - self._split_cpu_s
        unseen_s = used_s - (named_s - self._split_named_s)
        self.split.add(
            now - self._split_at,
            used_s,
            (waited_ns - self._split_waited_ns) / 1e9,
            min(1.0, max(0.0, unseen_s / used_s)) if used_s > 0 else 0.0,
        )
        self._split_named_s = named_s
        self._split_at, self._split_waited_ns = now, waited_ns
        # ticks round a dead child's time down for a moment: count it when it shows
        self._split_cpu_s = max(self._split_cpu_s, cpu_s)

    def _read_io(self, process: Process) -> None:
        total = self.proc.io("%d" % process.pid)
        if total is None:
            return
        process.io_total = total
        own = total
        if process.stat.reaped_s > 0 or process.reaped_io[0]:
            if len(process.threads) == 1:  # then a thread's counters are the process's own
                own = self.proc.io("%d/task/%d" % (process.pid, process.pid)) or total
            else:
                own = tuple([a - b for a, b in zip(total, process.reaped_io)])  # type: ignore[assignment]
        image = process.image
        base = image.io_base
        image.io_read_chars, image.io_write_chars = own[0] - base[0], own[1] - base[1]
        image.disk_read_bytes, image.disk_write_bytes = own[2] - base[2], own[3] - base[3]


def _cpu_of(process: Process) -> float:
    return process.image.cpu_s


def _boot_offset() -> float:
    """The monotonic clock less the time since boot, suspension included: 0 or negative."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if clock is None else time.monotonic() - time.clock_gettime(clock)


def reading_gap_s(elapsed_s: float) -> float:
    """How long after a reading the next one is taken, in a task that has run so long."""
    if elapsed_s <= 2 * _READING_S:
        return _FIRST_READING_S * 2
    return min(_LONGEST_READING_S, max(_READING_S, elapsed_s / _READINGS_PER_TASK))
