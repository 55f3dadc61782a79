"""Watching a process that runs already, from outside it: what `trace` and engines' hooks use.

The monitor is no parent of the process and can't reap for it. What the process used before is
subtracted, children that it had before are left out, and a descendant that is handed to init
keeps being watched by its pid. It ends when told, when the other end of the control pipe is
closed, or when the process dies, so a crash, os._exit and SIGKILL are recorded too.
"""

import posix
import select
import sys
import time

from tracer_hooks.supervisor.options import Options
from tracer_hooks.supervisor.outcome import outcome
from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.record import Record
from tracer_hooks.supervisor.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tracer_hooks.supervisor.perf_open import PerfEvents
    from tracer_hooks.supervisor.process import Process
    from tracer_hooks.supervisor.procfs import Stat

_NO_IO = (0, 0, 0, 0)
_PF_EXITING = 0x4  # linux/sched.h
_REAPED_S, _REAP_CHECK_S = 10.0, 0.02  # until its parent has taken note of a process's end
_PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, struct pidfd_info) of linux/pidfd.h, 64 bytes
_PIDFD_INFO_EXIT = 1 << 3
_PIDFD_INFO_SIZE = 64


class AttachedTotals:
    """Totals of process `pid` and its descendants since construction.

    Counts what each live process used and reaped, less what was there before, plus what was used
    by descendants that ended as orphans and so are in nobody's account.
    """

    def __init__(self, proc: Proc, pid: int) -> None:
        self._proc = proc
        self._pid = pid
        self._root = proc.stat(pid)
        ran_s = 0.0
        for tid in proc.threads(pid):
            words = (proc.read("%d/task/%d/schedstat" % (pid, tid), 64) or b"0").split()
            ran_s += int(words[0]) / 1e9
        self._before_ns_s = max(0.0, ran_s - (self._root.cpu_s if self._root else 0.0))
        self._io = proc.io("%d" % pid) or _NO_IO
        self._high_water = proc.high_water_bytes(pid) or 0
        self._before: dict[int, Stat] = {}  # children that were there
        for tid in proc.threads(pid):
            for child in proc.children(pid, tid) or ():
                stat = proc.stat(child)
                if stat is not None:
                    self._before[child] = stat
        self._escaped_user_s = self._escaped_system_s = 0.0
        self._escaped_io = _NO_IO
        self._tree = None  # type: Tree | None
        self._last = (0.0, 0.0)
        self._last_io = None  # type: tuple[int | None, int | None, int, int] | None
        self._last_counts = {}  # type: dict[str, object]

    def follow(self, tree: Tree) -> None:
        """Be told by `tree` of each process that ends."""
        self._tree = tree
        tree.on_end = self._ended
        tree.excluded.update(self._before)
        tree.attached = self._pid

    def cpu(self, live: "Iterable[Process]") -> "tuple[float, float]":
        """(user, system) CPU seconds; what was known last once the process is gone."""
        root = self._root
        if root is None or not self._alive():
            return self._last
        self._look_at_earlier_children()
        user = self._escaped_user_s - root.user_s - root.reaped_user_s
        system = self._escaped_system_s - root.system_s - root.reaped_system_s
        for process in live:
            stat = process.stat
            user += stat.user_s + stat.reaped_user_s
            system += stat.system_s + stat.reaped_system_s
            # ticks have come 10 ms late at the most: nanoseconds have what is missing
            user += process.cpu_s - stat.cpu_s
        user -= self._before_ns_s
        self._last = (max(self._last[0], user), max(self._last[1], system))
        return self._last

    def io(self, live: "Iterable[Process]") -> "tuple[int | None, int | None, int, int] | None":
        """(rchar, wchar, read_bytes, write_bytes); None if the process may not be read."""
        total = list(self._escaped_io)
        known = False
        for process in live:
            figures = process.io_total
            if process.pid == self._pid and figures is not None:
                known = True
                figures = tuple([a - b for a, b in zip(figures, self._io)])  # type: ignore[assignment]
            for place, value in enumerate(figures or _NO_IO):
                total[place] += value
        if known:
            self._last_io = (total[0], total[1], total[2], total[3])
        return self._last_io

    def hand_over(self, disk: "tuple[int, int]") -> None:
        """What the process says of its own reads and writes, if nobody else could read them."""
        if self._last_io is None:
            self._last_io = (None, None, disk[0], disk[1])

    def reaped(self, live: "Iterable[Process]") -> "dict[str, object]":
        """Major faults since the start."""
        root = self._root
        if root is not None and self._alive():
            faults = sum([p.stat.major_faults + p.stat.reaped_major_faults for p in live])
            faults -= root.major_faults + root.reaped_major_faults
            self._last_counts = {"major_faults": max(0, faults)}
        return self._last_counts

    def largest_bytes(self) -> None:
        """Not known from outside."""
        return

    def high_water_bytes(self) -> int:
        """The process's own peak from before, which says nothing of now."""
        return self._high_water

    def _alive(self) -> bool:
        return self._tree is not None and self._pid in self._tree.live

    def _look_at_earlier_children(self) -> None:
        """A child from before that the process reaps brings its whole life into the account."""
        for pid, before in list(self._before.items()):
            stat = self._proc.stat(pid)
            if stat is not None and stat.start_ticks == before.start_ticks:
                self._before[pid] = stat
                continue
            del self._before[pid]
            self._escaped_user_s -= before.user_s + before.reaped_user_s
            self._escaped_system_s -= before.system_s + before.reaped_system_s

    def _ended(self, process: "Process") -> None:
        tree = self._tree
        if tree is None:
            return
        if process.pid == self._pid:  # its last figures are the last there will be
            tree.live[self._pid] = process
            self.cpu(tree.live.values())
            del tree.live[self._pid]
            return
        if process.stat.ppid in tree.live:
            return
        if process.stat.ppid in self._just_ended:
            return  # its parent ended with it and will have reaped it
        stat = process.stat
        self._escaped_user_s += stat.user_s + stat.reaped_user_s
        self._escaped_system_s += stat.system_s + stat.reaped_system_s
        io = process.io_total or _NO_IO
        self._escaped_io = tuple([a + b for a, b in zip(self._escaped_io, io)])  # type: ignore[assignment]

    @property
    def _just_ended(self) -> "set[int]":
        return set() if self._tree is None else {image.pid for image in self._tree.ended}


def attach(options: Options) -> int:
    """Watch `options.pid` until it or its owner says that it is over; returns 0."""
    proc = Proc()
    wall_start, started = time.time(), time.monotonic()
    totals = AttachedTotals(proc, options.pid)
    try:
        pidfd = posix.pidfd_open(options.pid) if hasattr(posix, "pidfd_open") else -1
    except OSError:
        pidfd = -1
    options.command = proc.command_line(options.pid)
    events, refusal = _open_events(options)
    from tracer_hooks.supervisor.taskstats_permitted import open_exits

    exits, refusal = open_exits(options.capture, refusal)
    spool, before = None, None
    if options.resume:
        from tracer_hooks.supervisor.stretches import stretch_spool

        spool, before = stretch_spool(options.store, options.run, options.task, options.attempt)
    record = Record(options, options.pid, wall_start, started, totals, events, exits, spool)
    if before is not None:
        record.event("resumed", {"host": record.host, "pid": options.pid})
    record.event("attached", {"memory_bytes": proc.resident_bytes(options.pid)})
    if refusal:
        record.degraded("capture", refusal)
    # What was there before is known and events are listened to: the first look itself can wait.
    _say_ready(options.ready_fd)
    _look(record, record.tick, time.monotonic(), {})
    if record.proc.io("%d" % options.pid) is None:
        record.degraded("io", "the kernel does not let this user read the I/O of the process")
    ended = _watch(record, options.control_fd, pidfd)
    record.seal(ended, time.monotonic())
    return 0


def _open_events(options: Options) -> "tuple[PerfEvents | None, str]":
    if options.capture not in ("auto", "perf"):
        return None, ""
    try:
        from tracer_hooks.supervisor.perf_open import PerfEvents

        return PerfEvents(options.pid, Proc().threads(options.pid)), ""
    except Exception as error:
        return None, str(error) or type(error).__name__


def _say_ready(fd: int) -> None:
    if fd >= 0:
        try:
            posix.write(fd, b"ready\n")
            posix.close(fd)
        except OSError:
            pass  # nobody waits any more


def _watch(record: Record, control_fd: int, pidfd: int) -> "dict[str, object]":
    """Look at the tree until the end; how it ended."""
    poll = select.poll()
    if control_fd >= 0:
        poll.register(control_fd, select.POLLIN)
    if pidfd >= 0:
        poll.register(pidfd, select.POLLIN)
    message = b""
    while True:
        wait_s = max(0.0, record.due() - time.monotonic())
        ready = [fd for fd, _ in poll.poll(wait_s * 1e3)]
        now = time.monotonic()
        if control_fd in ready:
            chunk = _read(control_fd)
            message += chunk
            if b"\n" in message:
                _look(record, record.read_now, now)
                return _told(record, message.decode("ascii", "replace"))
            if not chunk:
                poll.unregister(control_fd)
                return _died(record, now, pidfd)
        if pidfd in ready or (pidfd < 0 and record.proc.stat(record.pid) is None):
            return _died(record, now, pidfd)
        if now >= record.due():
            _look(record, record.tick, now, {})


def _read(fd: int) -> bytes:
    try:
        return posix.read(fd, 4096)
    except OSError:
        return b""


def _told(record: Record, message: str) -> "dict[str, object]":
    """The process itself says how its task ended."""
    from tracer_hooks.supervisor.told import Told

    told = Told(message)
    if told.disk is not None and isinstance(record.totals, AttachedTotals):
        record.totals.hand_over(told.disk)
    if told.detail:
        record.event("engine", told.detail)
    return told.outcome


def _died(record: Record, now: float, pidfd: int) -> "dict[str, object]":
    """The process has gone, or has closed its end of the pipe, without a word."""
    stat = record.proc.read("%d/stat" % record.pid)
    if pidfd >= 0 and not select.select([pidfd], [], [], _patience_s(stat))[0]:
        _look(record, record.read_now, now)  # it lives, but does not want to be watched any more
        return outcome(0)
    status = _wait_status(record, pidfd, stat)
    _look(record, record.last_look, now, {})
    return outcome(status)


def _wait_status(record: Record, pidfd: int, stat: "bytes | None") -> int:
    """The wait status of the process, which has ended; -1 if it can't be known."""
    deadline = time.monotonic() + _REAPED_S
    while True:
        told = exit_status(pidfd)
        if told is not None:
            return told
        fresh = record.proc.read("%d/stat" % record.pid)
        stat = fresh or stat
        field = stat[stat.rindex(b")") + 2 :].split() if stat else [b""]
        if field[0] not in (b"Z", b"X") or len(field) <= 49:
            return -1
        # Who may not know it reads 0, as of one that succeeded; who may can read its I/O too.
        if int(field[49]) or record.proc.io("%d" % record.pid) is not None:
            return int(field[49])
        if fresh is None or pidfd < 0 or time.monotonic() >= deadline:
            told = exit_status(pidfd)  # it may have been reaped since we asked
            return -1 if told is None else told
        time.sleep(_REAP_CHECK_S)  # once it is reaped, a kernel that tells will tell


def _patience_s(stat: "bytes | None") -> float:
    """How long to wait for the end of a process whose pipe has closed, in s. One that the kernel
    takes down loses its descriptors first, and on a busy host its end shows much later."""
    exiting = stat and int(stat[stat.rindex(b")") + 2 :].split()[6]) & _PF_EXITING
    return 30.0 if exiting else 0.2


def exit_status(pidfd: int) -> "int | None":
    """The wait status of a process that has ended, from Linux 6.15 on, also once it was reaped."""
    if pidfd < 0:
        return None
    import fcntl

    info = bytearray(_PIDFD_INFO_SIZE)
    info[0:8] = _PIDFD_INFO_EXIT.to_bytes(8, sys.byteorder)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info)
    except OSError:
        return None
    if not int.from_bytes(info[0:8], sys.byteorder) & _PIDFD_INFO_EXIT:
        return None
    return int.from_bytes(info[60:64], sys.byteorder, signed=True)


def _look(record: Record, look: "Callable[..., None]", *arguments: object) -> None:
    """Look at the tree; if that fails, the end will still be heard and recorded."""
    try:
        look(*arguments)
    except Exception as error:
        record.failed(error)
