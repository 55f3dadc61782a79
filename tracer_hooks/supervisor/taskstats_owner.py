"""Whose a process was that has exited: found by its chain of parents, none of them seen at work.

A record names the parent at the moment of exit. That parent was alive then: so it is one that is
known, or it still lives and /proc names its own parent, or its own record comes later on. An
orphan's parent is the supervisor, its subreaper. No fork event is needed for this, which would
double or treble the traffic.
"""

import posix

from tracer_hooks.supervisor.procfs import Proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.taskstats_record import ExitRecord
    from tracer_hooks.supervisor.tree import Tree

# A verdict on a living process is asked for again after this long: its pid may be another's.
_VALID_S = 1.0
_DEEPEST = 200
# Between its record and handing on its children a process may be kept from the CPU.
_GOING_S = 2.0
_MOST_REMEMBERED = 20_000
# A parent that this many of others' records came from in a second is worth a filter.
_BUSY_PARENT = 10


class Owner:
    """Answers for the tree of process `main`; `whole`: its orphans come to this process."""

    def __init__(self, proc: Proc, tree: "Tree", main: int, whole: bool) -> None:
        self._proc = proc
        self._tree = tree
        self._main = main
        self._me = posix.getpid() if whole else 0
        self._living = {}  # type: dict[int, tuple[bool, float]]
        self._gone = {}  # type: dict[int, bool]  # who ended of late
        self._gone_before = {}  # type: dict[int, bool]
        self._ends = {}  # type: dict[int, ExitRecord]  # processes that end in this batch
        self._counts = {}  # type: dict[int, int]  # others' records, by their parent
        self._counted_since = self._turned = 0.0

    def begin(self, records: "list[ExitRecord]", now: float) -> None:
        """A batch of records is about to be asked for, in order."""
        if now - self._turned > _GOING_S:
            self._gone_before, self._gone = self._gone, {}
            self._turned = now
        self._ends = {record.process: record for record in records if record.ends_process}
        if len(self._living) > _MOST_REMEMBERED:
            self._living.clear()
        if now - self._counted_since > _VALID_S:
            self._counted_since = now
            self._counts.clear()

    def is_ours(self, record: "ExitRecord", now: float) -> "bool | None":
        """Whether a process that exited was of the tree; None if its parent can't be found."""
        pid = record.process
        if pid in self._tree.excluded:
            ours = False  # type: bool | None
        elif pid == self._main or (pid in self._tree.live and pid not in self._gone):
            ours = True
        else:
            ours = self._owns(record.ppid, now, 0)
        if ours is False:
            parent = record.ppid
            self._counts[parent] = self._counts.get(parent, 0) + 1
        if record.ends_process and ours is not None:
            self._living.pop(pid, None)
            self._ends.pop(pid, None)
            self._gone[pid] = ours
        return ours

    def ends_now(self, pid: int) -> bool:
        """Whether a process ends in this batch, and its record is yet to be asked for."""
        return pid in self._ends

    def busy_others(self) -> "list[int]":
        """Living processes, none of the tree, whose children's records come often."""
        if not self._me:
            return []  # orphans of the tree go to one of them
        return [
            pid for pid, count in self._counts.items()
            if count >= _BUSY_PARENT and pid > 1 and self._living.get(pid, (True, 0.0))[0] is False
        ]  # fmt: skip

    def _owns(self, pid: int, now: float, depth: int) -> "bool | None":
        """Whether process `pid`, alive when the record at hand was made, is of the tree."""
        if pid in (self._me, self._main):
            return True
        if pid <= 1 or pid in self._tree.excluded:
            return False
        if pid in self._tree.live and pid not in self._gone:
            return True
        known = self._living.get(pid)
        if known is not None and now < known[1]:
            return known[0]
        return None if depth > _DEEPEST else self._asks(pid, now, depth)

    def _asks(self, pid: int, now: float, depth: int) -> "bool | None":
        """The same of one that nothing is known of yet: it goes by its own parent."""
        end = self._ends.get(pid)
        if end is not None:  # it ends later in this batch
            return self._owns(end.ppid, now, depth + 1)
        stat = self._proc.stat(pid)
        if stat is None:  # it was on its way out, and its children not handed on yet
            return self._gone.get(pid, self._gone_before.get(pid))
        ours = self._owns(stat.ppid, now, depth + 1)
        if ours is not None:
            self._living[pid] = (ours, now + _VALID_S)
        return ours
