"""Opening perf events on a command that has yet to start; no privileges at paranoid 2 or less.

Two software dummy events on each CPU that the command may run on, each with a ring of its own and
inherited by every descendant: one tells of forks, execs and exits, the other of switches to and
from a CPU. Counts are never read, so `inherit_stat` stays off: with it whole subtrees vanish.

What is imported here delays the command's start; what reads the rings is in `perf`.
"""

import mmap
import posix
import sys

from tracer_hooks.supervisor import libc
from tracer_hooks.supervisor.sources import Refused

_SYSCALL = {
    "x86_64": 298, "aarch64": 241, "riscv64": 241, "loongarch64": 241, "ppc64le": 319, "s390x": 331,
}  # fmt: skip
_SOFTWARE, _DUMMY = 1, 9
_TID_TIME_CPU = 1 << 1 | 1 << 2 | 1 << 7  # what each record carries in its trailer
_CLOEXEC = 8
_CLOCK_MONOTONIC = 1
# Bits of struct perf_event_attr: disabled, inherit, exclude_kernel, exclude_hv, enable_on_exec,
# sample_id_all, use_clockid …
_COMMON = 1 << 0 | 1 << 1 | 1 << 5 | 1 << 6 | 1 << 12 | 1 << 18 | 1 << 25
_LIFECYCLE = _COMMON | 1 << 9 | 1 << 13 | 1 << 24  # … comm, task, comm_exec
_SWITCHES = _COMMON | 1 << 26  # … context_switch
_PAGE = posix.sysconf("SC_PAGE_SIZE")
_HEAD, _TAIL = 1024, 1032  # of the ring's control page
# An inherited event costs each fork about 1.2 µs, so many CPUs forgo the switches.
_MOST_CPUS = 256
_MOST_CPUS_FOR_SWITCHES = 64
_IOC_DISABLE, _IOC_SET_OUTPUT = 0x2401, 0x2405
_DISABLED, _ENABLE_ON_EXEC = 1 << 0, 1 << 12
_MOST_EVENTS = 2048


class Ring:
    """One event's ring buffer on one CPU; `fds` are the events that write to it."""

    def __init__(self, fd: int, pages: int) -> None:
        self.fds = [fd]
        self.size = pages * _PAGE
        self._map = mmap.mmap(fd, self.size + _PAGE, mmap.MAP_SHARED)
        self._tail = 0

    def take(self) -> bytes:
        """All records since the last call, in the order of time."""
        head = self._head()
        length = head - self._tail
        if not length:
            return b""
        begin = self._tail % self.size + _PAGE
        first = min(length, self.size + _PAGE - begin)
        data = self._map[begin : begin + first]
        if first < length:
            data += self._map[_PAGE : _PAGE + length - first]
        self._map[_TAIL : _TAIL + 8] = head.to_bytes(8, sys.byteorder)
        self._tail = head
        return data

    def waiting(self) -> int:
        """Bytes in the ring that were not taken."""
        return self._head() - self._tail

    def _head(self) -> int:
        return int.from_bytes(self._map[_HEAD : _HEAD + 8], sys.byteorder)

    def disable(self) -> None:
        """Stop the event in all who inherited it."""
        import fcntl

        for fd in self.fds:
            try:
                fcntl.ioctl(fd, _IOC_DISABLE, 0)
            except OSError:
                pass  # nobody is left who has it

    def add(self, fd: int) -> None:
        """Let another event write here too. Raises OSError."""
        import fcntl

        fcntl.ioctl(fd, _IOC_SET_OUTPUT, self.fds[0])
        self.fds.append(fd)


class PerfEvents:
    """The open events of one command."""

    def __init__(self, pid: int, threads: "list[int] | None" = None) -> None:
        """Open them on `pid`, 0 for this process; Refused says why that can't be.

        They tell nothing of `pid` until it execs, nor of a child until that has exec'd: opened
        here before the fork, they are the command's alone. With `threads` the process runs
        already: those are watched from now on.
        """
        cpus = _cpus()
        if len(cpus) > _MOST_CPUS or len(cpus) * len(threads or ()) > _MOST_EVENTS:
            raise Refused("more CPUs or threads (%d CPUs) than perf events are worth" % len(cpus))
        number = _SYSCALL.get(posix.uname().machine)
        call = libc.function("syscall")
        if number is None or call is None:
            raise Refused("perf_event_open is not known for this machine")
        self._call, self._number, self._cpus = call, number, cpus
        self._threads = threads
        self._pid = pid
        self.lifecycle: list[Ring] = []
        self.switches: list[Ring] = []
        before = _raise_memlock()
        try:
            self._open_all()
        finally:
            _restore_memlock(before)  # it is not for the command

    def _open_all(self) -> None:
        count = len(self._cpus)
        for pages in _sizes(count):
            try:
                self._open(self.lifecycle, _LIFECYCLE, pages)
                break
            except OSError:
                _close(self.lifecycle)  # locked memory is short: smaller rings
        else:
            raise Refused(_no_ring())
        if count <= _MOST_CPUS_FOR_SWITCHES:
            try:
                self._open(self.switches, _SWITCHES, max(1, self.lifecycle[0].size // _PAGE // 2))
            except (OSError, Refused):
                _close(self.switches)

    def _open(self, rings: "list[Ring]", flags: int, pages: int) -> None:
        if self._threads is not None:
            flags &= ~(_DISABLED | _ENABLE_ON_EXEC)
        attributes = _attributes(flags)
        for cpu in self._cpus:
            ring = None  # type: Ring | None
            for tid in [self._pid] if self._threads is None else self._threads:
                fd = self._call(self._number, attributes, tid, cpu, -1, _CLOEXEC)  # type: ignore[operator]
                if fd < 0:
                    if ring is not None:
                        continue  # a thread that has ended meanwhile
                    raise Refused(_no_event())
                try:
                    if ring is None:
                        ring = Ring(fd, pages)
                        rings.append(ring)
                    else:
                        ring.add(fd)
                except (OSError, ValueError):
                    posix.close(fd)
                    raise OSError from None

    def add(self, cpus: "list[int]", threads: "list[int]") -> None:
        """Watch running threads on processors that have come since, as far as that goes."""
        pages = self.lifecycle[0].size // _PAGE
        self._cpus, self._threads = cpus, threads
        _raise_memlock()
        try:
            self._open(self.lifecycle, _LIFECYCLE, pages)
            if self.switches:
                self._open(self.switches, _SWITCHES, self.switches[0].size // _PAGE)
        except (OSError, Refused):
            pass  # it has been said that something is missed

    def descriptors(self) -> "list[int]":
        """What must stay open."""
        return [fd for ring in self.lifecycle + self.switches for fd in ring.fds]

    def quiet(self) -> bool:
        """Whether there is nothing but the few records of a command that forked nothing."""
        return sum([ring.waiting() for ring in self.lifecycle]) < 256


def _attributes(flags: int) -> bytes:
    """struct perf_event_attr; from `wakeup_events` on only the clock is not 0."""
    head = ((_SOFTWARE, 4), (112, 4), (_DUMMY, 8), (0, 8), (_TID_TIME_CPU, 8), (0, 8), (flags, 8))
    clock = _CLOCK_MONOTONIC.to_bytes(4, sys.byteorder)
    words = [number.to_bytes(size, sys.byteorder) for number, size in head]
    return b"".join([*words, bytes(44), clock, bytes(16)])


def _close(rings: "list[Ring]") -> None:
    for ring in rings:
        for fd in ring.fds:
            posix.close(fd)
    rings.clear()


def _cpus() -> "list[int]":
    try:
        return sorted(posix.sched_getaffinity(0))
    except (AttributeError, OSError):
        return list(range(posix.cpu_count() or 1))


def _sizes(cpus: int) -> "tuple[int, ...]":
    """Ring sizes to try, in pages: large enough for 100 ms of a storm, small beside many CPUs."""
    most = 16 if cpus <= 8 else 8 if cpus <= 32 else 4
    return tuple([pages for pages in (16, 8, 4, 2, 1) if pages <= most])


def _raise_memlock() -> "tuple[int, int] | None":
    """Allow as much locked memory as may be; what was allowed before, if that was less."""
    import resource

    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
            return soft, hard
    except (OSError, ValueError):
        pass
    return None


def _restore_memlock(limits: "tuple[int, int] | None") -> None:
    if limits is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_MEMLOCK, limits)


def _paranoid() -> "int | None":
    try:
        with open("/proc/sys/kernel/perf_event_paranoid", "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _no_event() -> str:
    level = _paranoid()
    if level is None:
        return "this kernel has no perf events"
    if level > 2 and posix.getuid() != 0:
        return (
            "kernel.perf_event_paranoid is %d; `sysctl kernel.perf_event_paranoid=2` permits it"
            % level
        )
    return "the kernel refuses perf events here (a seccomp filter, as containers have, or a limit)"


def _no_ring() -> str:
    return (
        "no locked memory is left for perf rings; raise kernel.perf_event_mlock_kb or `ulimit -l`"
    )
