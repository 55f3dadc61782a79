"""Exact totals of a tree by subreaper accounting, whether or not anybody saw its processes.

Orphans come to the supervisor, and the kernel adds what each reaped descendant used to its
reaper. So at any moment the tree's total is what we have reaped, plus what each live descendant
used itself, plus what that descendant has reaped: each process is counted in one place.
"""

import resource

from tracer_hooks.supervisor.procfs import Proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer_hooks.supervisor.process import Process

_NO_IO = (0, 0, 0, 0)


class Totals:
    """Totals since construction; construct before anything is reaped.

    The methods take the live processes (`process.Process`) of the tree as last looked at.
    """

    def __init__(self, proc: Proc) -> None:
        self._proc = proc
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._before_user_s, self._before_system_s = before.ru_utime, before.ru_stime
        self._io_before = self._reaped_io() or _NO_IO
        # A forked child starts with our pages, so a peak up to here says nothing of the command;
        # nor does that of children from before we were exec'd.
        ours = proc.high_water_bytes("self") or 0
        self._floor_bytes = max(ours, before.ru_maxrss * 1024)

    def cpu(self, live: "Iterable[Process]") -> "tuple[float, float]":
        """(user, system) CPU seconds of the whole tree up to now."""
        reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
        user = reaped.ru_utime - self._before_user_s
        system = reaped.ru_stime - self._before_system_s
        for process in live:
            stat = process.stat
            own = process.cpu_s
            ticked = stat.cpu_s
            own_user = own * stat.user_s / ticked if ticked > 0 else own
            user += own_user + stat.reaped_user_s
            system += own - own_user + stat.reaped_system_s
        return user, system

    def io(self, live: "Iterable[Process]") -> "tuple[int, int, int, int] | None":
        """(rchar, wchar, read_bytes, write_bytes) of the whole tree; None if not permitted."""
        reaped = self._reaped_io()
        if reaped is None:
            return None
        # our own reading of the counters moves them by some bytes
        total = [max(0, now - before) for now, before in zip(reaped, self._io_before)]
        for process in live:
            if process.io_total is not None:
                for place in range(4):
                    total[place] += process.io_total[place]
        return total[0], total[1], total[2], total[3]

    def reaped(self, live: "Iterable[Process]") -> "dict[str, object]":
        """Further columns of `tasks` from the kernel's accounting of all that was reaped."""
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "major_faults": usage.ru_majflt
            + sum([p.stat.major_faults + p.stat.reaped_major_faults for p in live]),
            "voluntary_switches": usage.ru_nvcsw,
            "involuntary_switches": usage.ru_nivcsw,
        }

    def largest_bytes(self) -> "int | None":
        """The peak of the largest process that was reaped, if it is more than our own size was."""
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        return largest if largest > self._floor_bytes else None

    def _reaped_io(self) -> "tuple[int, int, int, int] | None":
        # the process's counters hold what it reaped and what it did; its only thread's, the latter
        whole = self._proc.io("self")
        own = self._proc.io("thread-self")
        if whole is None or own is None:
            return None
        return whole[0] - own[0], whole[1] - own[1], whole[2] - own[2], whole[3] - own[3]
