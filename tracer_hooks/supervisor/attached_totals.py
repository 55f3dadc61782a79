"""Totals of a process that ran before it was watched, and of what it starts.

Imported while the process waits: nothing but what reads its figures.
"""

from tracer_hooks.supervisor.procfs import Proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer_hooks.supervisor.process import Process
    from tracer_hooks.supervisor.procfs import Stat
    from tracer_hooks.supervisor.tree import Tree

_NO_IO = (0, 0, 0, 0)


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

    def follow(self, tree: "Tree") -> None:
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
