"""The process tree of a task, kept up to date at the smallest cost.

Each pass reads one short open file per thread (schedstat, about 2 µs). A thread whose figures
have not moved has not run, so nothing else about it can have changed: not its memory, its state
nor its children. Only processes that ran are looked at closer, and new processes are found in the
children files of the threads that ran, never by scanning /proc.
"""

import posix
import time

from tracer_hooks.supervisor.process import Image, Process, Thread
from tracer_hooks.supervisor.procfs import TICKS_PER_SECOND, Proc, Stat
from tracer_hooks.supervisor.waits import WaitReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer_hooks.supervisor.perf import PerfSource
    from tracer_hooks.supervisor.taskstats import TaskstatsSource

# A fork that execs within this time is one process, not a worker and a program.
FORK_THEN_EXEC_S = 0.25
_STACKS_REMEMBERED = 256


class Tree:
    """Live processes by pid, and the images that ended since they were last taken.

    `roots` is called for the pids at the top; `excluded` are ours. Times are monotonic seconds.
    """

    def __init__(self, proc: Proc, waits: WaitReader, boot_offset_s: float) -> None:
        self.proc = proc
        self.waits = waits
        self.live = {}  # type: dict[int, Process]
        self.ended = []  # type: list[Image]
        self.seen_count = 0
        self.seen_threads = 0
        self.ended_cpu_s = 0.0  # own CPU of the images that were taken off
        self.waited_ns = 0  # runnable but not running, all threads ever seen
        self.threads_now = 0
        self.threads_peak = 0
        self.excluded = set()  # type: set[int]
        self.attached = 0  # a process that ran before we came, and only what it does now counts
        self.before_s = 0.0  # CPU that it had used
        self.not_yet_stack = 0  # a process with this stack is ours still, it has yet to exec
        self.lifecycle: PerfSource | None = None  # knows forks, execs and exits
        self.told_of_new: Callable[[Image], None] | None = None
        self.exits: TaskstatsSource | None = None  # knows what has ended
        self.on_end = None  # type: object  # called with each process that ended
        # CPU that processes may have used between our last look at them and their end
        self.last_slices_s = 0.0
        self.meeting_s = 0.0  # our CPU that the last pass spent on processes met for the first time
        self._stacks = {}  # type: dict[int, Image]  # of who ended of late, by its stack
        self._scanned = 0.0
        self._boot_offset_s = boot_offset_s  # monotonic minus time since boot
        self._open_files_left = _allowed_files() - 64

    def scan(self, roots: "list[int]", now: float, look_at_waits: bool = True) -> None:
        """One pass over the tree."""
        found = [(pid, None) for pid in roots]  # type: list[tuple[int, Process | None]]
        threads = 0
        for process in list(self.live.values()):
            ran = self._ran(process)
            if ran is None:
                self._end(process, now)
                continue
            if ran:
                self._look(process, ran, now, look_at_waits, found)
            threads += len(process.threads)
        begin = time.process_time()
        while found:
            pid, parent = found.pop()
            if pid in self.live or pid in self.excluded:
                continue
            met = self._meet(pid, parent, now)
            if met is not None:
                self._look(met, list(met.threads), now, look_at_waits, found)
                threads += len(met.threads)
        self.meeting_s = time.process_time() - begin
        self._scanned = now
        self.threads_now = threads
        if threads > self.threads_peak:
            self.threads_peak = threads

    def own_cpu_s(self) -> float:
        """CPU of every image ever seen, each as last seen: what named processes account for."""
        return self.ended_cpu_s + sum([p.cpu_s for p in self.live.values()]) - self.before_s

    def last_look(self, pid: int, now: float, command: "list[str]") -> None:
        """The task's main process `pid` is a zombie: it shows its final figures, but no argv."""
        self.not_yet_stack = 0
        self.scan([pid], now, False)
        process = self.live.get(pid)
        if process is not None and not process.image.argv:
            process.image.argv = command

    def last_image(self, pid: int) -> "Image | None":
        """What a process runs, or ran last if it has ended and was not written down yet."""
        process = self.live.get(pid)
        if process is not None:
            return process.image
        return next((image for image in reversed(self.ended) if image.pid == pid), None)

    def take_ended(self) -> "list[Image]":
        """The images that ended since the last call."""
        ended, self.ended = self.ended, []
        return ended

    def finish(self, now: float) -> None:
        """The task has ended: what still lives is let go with its last figures."""
        for process in list(self.live.values()):
            process.settle()
            self.ended_cpu_s += process.cpu_s
            process.image.ended = None
            self.ended.append(process.image)
            self._close(process)
        self.live.clear()

    # for the source that knows of every fork, exec and exit

    def new_image(self, pid: int, ppid: int, born: float) -> Image:
        """An image with a number of its own."""
        self.seen_count += 1
        image = Image(self.seen_count, pid, ppid, born)
        if self.told_of_new is not None:
            self.told_of_new(image)
        return image

    def replace_image(self, pid: int, old: Image, new: Image, at: float, ran_ns: int) -> None:
        """Process `pid` exec'd at time `at`: `old` has ended, `new` begins."""
        process = self.live.get(pid)
        old.ended, old.replaced = at, True
        if process is None:
            old.cpu_s = max(0.0, ran_ns / 1e9 - old.cpu_base_s)
            old.user_s, old.system_s = None, None
            self.ended_cpu_s += old.cpu_s
            new.cpu_base_s = ran_ns / 1e9
        else:
            process.ran_ns = max(process.ran_ns, ran_ns)
            process.settle()
            stat = process.stat
            new.cpu_base_s = process.cpu_s
            new.user_base_s, new.system_base_s = stat.user_s, stat.system_s
            process.high_water_bytes = process.first_resident_bytes = 0
            process.proportional_bytes = None
        self.ended.append(old)

    def ended_unseen(self, image: Image) -> None:
        """An image that no look ever found has ended, and its CPU time is known."""
        self.ended_cpu_s += image.cpu_s
        self.ended.append(image)

    # one process

    def begin_of(self, stat: Stat) -> float:
        """When a process was forked, to the tick."""
        return stat.start_ticks / TICKS_PER_SECOND + self._boot_offset_s

    def _ran(self, process: Process) -> "list[int] | None":
        """The threads that ran since the last pass; None if the process has ended."""
        ran = []
        schedule = self.proc.schedule
        gone = 0
        for tid, thread in process.threads.items():
            if thread.fd < 0:
                ran.append(tid)
                continue
            figures = schedule(thread.fd)
            if figures is None:
                gone += 1
                ran.append(tid)
            elif figures[0] != thread.ran_ns or figures[1] != thread.waited_ns:
                self._account(process, thread, figures)
                ran.append(tid)
        if gone == len(process.threads):
            stat = self.proc.stat(process.pid)
            if stat is None or stat.start_ticks != process.start_ticks:
                return None
        return ran

    def _account(self, process: Process, thread: Thread, figures: "tuple[int, int]") -> None:
        process.ran_ns += figures[0] - max(0, thread.ran_ns)
        process.waited_ns += figures[1] - thread.waited_ns
        self.waited_ns += figures[1] - thread.waited_ns
        thread.ran_ns, thread.waited_ns = figures

    def _look(
        self,
        process: Process,
        ran: "list[int]",
        now: float,
        look_at_waits: bool,
        found: "list[tuple[int, Process | None]]",
    ) -> None:
        """Read what may have changed in a process that ran."""
        pid = process.pid
        stat = self.proc.stat(pid)
        if stat is None or stat.start_ticks != process.start_ticks:
            self._end(process, now)
            return
        if _has_execed(process, stat):
            self._exec(process, stat, now)
        elif not process.image.argv:  # it was in the midst of its exec
            process.image.read_words(self.proc, stat)
        process.stat = stat
        process.changed = True
        resident = self.proc.resident_bytes(pid)
        if resident is not None:
            process.resident_bytes = resident
            process.first_resident_bytes = process.first_resident_bytes or resident
            image = process.image
            if image.memory_peak_bytes is None or resident > image.memory_peak_bytes:
                image.memory_peak_bytes = resident or image.memory_peak_bytes
        if stat.threads > 1 or stat.threads != len(process.threads):
            ran = self._update_threads(process, ran)
        for tid in ran:
            thread = process.threads[tid]
            for child in self.proc.children(pid, tid) or ():
                found.append((child, process))
            if look_at_waits:
                thread.waits_for = self.waits.look(pid, tid, stat.state if tid == pid else None)

    def _update_threads(self, process: Process, ran: "list[int]") -> "list[int]":
        current = self.proc.threads(process.pid)
        known = process.threads
        gone = [tid for tid in known if tid not in current]
        for tid in gone:
            self._close_thread(known.pop(tid))
        fresh = [tid for tid in current if tid not in known]
        for tid in fresh:
            self._add_thread(process, tid)
        if gone:  # the children of a thread that ended moved to another
            return list(known)
        return [tid for tid in ran if tid in known] + fresh

    def _add_thread(self, process: Process, tid: int) -> None:
        fd = -1
        if self._open_files_left > 0:
            fd = self.proc.open("%d/task/%d/schedstat" % (process.pid, tid))
            self._open_files_left -= fd >= 0
        thread = process.threads[tid] = Thread(fd)
        self.seen_threads += 1
        figures = self.proc.schedule(fd) if fd >= 0 else None
        if figures is not None:
            self._account(process, thread, figures)

    def _meet(self, pid: int, parent: "Process | None", now: float) -> "Process | None":
        begun = time.monotonic()
        stat = self.proc.stat(pid)
        if stat is None or (stat.start_stack and stat.start_stack == self.not_yet_stack):
            return None
        knower = self.lifecycle or self.exits
        if knower is not None and knower.has_ended(pid, stat):
            return None
        parent = parent or self.live.get(stat.ppid)
        born = min(now, self.begin_of(stat))
        image = None if self.lifecycle is None else self.lifecycle.image_of(pid)
        if image is None:
            image = self.new_image(pid, stat.ppid, born)
            image.identify(self.proc, stat, parent)
            if parent is None:
                self._find_kin(image, stat)
            if self.lifecycle is not None:
                self.lifecycle.met(pid, image, stat.ppid, begun)
        elif not image.argv:
            image.read_words(self.proc, stat)
        process = Process(pid, stat, image)
        self.live[pid] = process
        for tid in self.proc.threads(pid):
            self._add_thread(process, tid)
        if pid == self.attached:
            self.before_s = image.cpu_base_s = process.cpu_s
            image.user_base_s, image.system_base_s = stat.user_s, stat.system_s
            image.io_base = self.proc.io("%d" % pid) or image.io_base
            image.born = now
            self.waited_ns -= process.waited_ns  # what it waited for a CPU before is none of ours
            process.waited_ns = 0
        return process

    def _find_kin(self, image: Image, stat: Stat) -> None:
        """An orphan that never exec'd has the stack of the program that it is a worker of."""
        stack = stat.start_stack
        if not stack:
            return
        for process in self.live.values():
            if process.start_stack == stack:
                image.parent_id, image.forked = process.image.id, True
                return
        kin = self._stacks.get(stack)
        if kin is not None:
            image.parent_id, image.forked = kin.id, True

    def _exec(self, process: Process, stat: Stat, now: float) -> None:
        old = process.image
        process.start_stack = stat.start_stack
        if self.lifecycle is not None:
            return  # it tells of the exec itself, at its time
        begun = old.forked or old.comm == stat.comm.decode("utf-8", "surrogateescape")
        if begun and not old.written and now - old.born < FORK_THEN_EXEC_S:
            image = old  # nobody was told of the fork yet, or it was met in the midst of its exec
            image.forked = False
            image.memory_peak_bytes = None
            parent_id = old.parent_id
        else:
            process.settle()
            old.ended, old.replaced = now, True
            self.ended.append(old)
            image = self.new_image(process.pid, stat.ppid, now)
            image.exec_of = old.id
            parent_id = old.parent_id
            image.cpu_base_s = process.cpu_s
            image.user_base_s, image.system_base_s = stat.user_s, stat.system_s
        image.identify(self.proc, stat, None)
        image.parent_id = parent_id
        process.image = image
        process.high_water_bytes = process.first_resident_bytes = 0
        process.proportional_bytes = None

    def _end(self, process: Process, now: float) -> None:
        if self.live.get(process.pid) is not process:
            return
        if self.lifecycle is not None:  # which may learn of the exit by being asked
            cpu_ns = self.lifecycle.take_cpu_ns(process.pid)
            if cpu_ns > process.ran_ns:
                process.ran_ns = cpu_ns
                process.image.cpu_src = "switches"
        del self.live[process.pid]
        process.settle()
        if process.image.ended is None:
            process.image.ended = now
        self.ended_cpu_s += process.cpu_s
        if process.stat.state != b"Z":
            gap_s = (now - self._scanned) * max(1, process.stat.threads)
            self.last_slices_s += min(gap_s, 2 * process.cpu_s)
        if self.on_end is not None:
            self.on_end(process)  # type: ignore[operator]
        parent = self.live.get(process.stat.ppid)
        if parent is not None and process.io_total is not None:
            parent.reaped_io = tuple(map(sum, zip(parent.reaped_io, process.io_total)))  # type: ignore[assignment]
        if process.start_stack:
            if len(self._stacks) >= _STACKS_REMEMBERED:
                del self._stacks[next(iter(self._stacks))]
            self._stacks[process.start_stack] = process.image
        self.ended.append(process.image)
        self._close(process)

    def _close(self, process: Process) -> None:
        for thread in process.threads.values():
            self._close_thread(thread)

    def _close_thread(self, thread: Thread) -> None:
        if thread.fd >= 0:
            posix.close(thread.fd)
            thread.fd = -1
            self._open_files_left += 1


def _has_execed(process: Process, stat: Stat) -> bool:
    """exec places a new stack; where addresses are hidden, the name must do."""
    if stat.state == b"Z":
        return False  # nothing is left of its memory
    if stat.start_stack and process.start_stack:
        return stat.start_stack != process.start_stack
    return stat.comm != process.stat.comm


def _allowed_files() -> int:
    """Raise our own limit of open files as far as it goes; the task has its own already."""
    import resource

    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
        return most if soft == resource.RLIM_INFINITY else soft
    except (OSError, ValueError):
        return 256
