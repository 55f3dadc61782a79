"""OOM kills: that one happened is read from the kernel's counters, its victim from the tree.

A cgroup's counter counts the victims that lived in it, whichever limit they hit. Where no counter
of a cgroup can be read, the host's counts, and then only together with a death by SIGKILL.
"""

import posix

from tracer_hooks.supervisor.evidence import Evidence, OomKill
from tracer_hooks.supervisor.procfs import Proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.cgroup_paths import Group
    from tracer_hooks.supervisor.process import Image
    from tracer_hooks.supervisor.tree import Tree

_SIGKILL = 9
_WAIT_FOR_VICTIM_S = 2.0  # a large process takes its time to die
_ENGINES = ("podman", "conmon", "runc", "crun")  # beside a container, never in it
_SURE_S = 0.3  # before that, who died by chance in the same moment may be taken for the victim
_SLACK_S = 0.05
_HOST_EVERY_S = 1.0  # /proc/vmstat sums over all CPUs: not at every look
_EXIT_CODE = 49  # of the fields of /proc/PID/stat after the name; 0 if not for us to see


class _Counter:
    """The kills counted in one group (or the whole host), by an open file."""

    __slots__ = ("container", "fd", "last", "name", "own")

    def __init__(self, fd: int, name: str, own: bool) -> None:
        self.fd = fd
        self.name = name
        self.own = own
        self.container = False
        self.last = self.now() or 0

    def now(self) -> "int | None":
        try:
            raw = b"\n" + posix.pread(self.fd, 1 << 14, 0)
        except OSError:
            return None  # the group is gone
        begin = raw.find(b"\noom_kill ")
        if begin < 0:
            return None
        return int(raw[begin + 10 : (raw + b"\n").index(b"\n", begin + 1)])


class OomWatch:
    """Counts kills as `Evidence` and finds who died. Times are monotonic seconds."""

    def __init__(self, proc: Proc, tree: "Tree", evidence: Evidence, now: float) -> None:
        self._proc = proc
        self._tree = tree
        self._evidence = evidence
        self._counters = []  # type: list[_Counter]
        self._folders = set()  # type: set[str]
        self._looked_at = now
        self._host_due = now
        self._pending = []  # type: list[OomKill]
        self._candidates = {}  # type: dict[int, Image]

    def add(self, group: "Group | None", own: bool, from_zero: bool = False) -> None:
        """Watch a group's counter; all that it counted is the task's if `from_zero`."""
        if group is None or group.folder in self._folders:
            return
        self._folders.add(group.folder)
        name = "memory.events" if group.version == 2 else "memory.oom_control"
        self._add(Proc(group.folder).open(name), "%s %s" % (name, group.path or "/"), own)
        if from_zero and self._counters:
            self._counters[-1].last = 0
            self._counters[-1].container = True

    def add_host(self) -> None:
        """Watch the host's counter, for want of a better one."""
        if not self._counters:
            self._add(self._proc.open("vmstat"), "vmstat", False)

    def _add(self, fd: int, name: str, own: bool) -> None:
        if fd < 0:
            return
        counter = _Counter(fd, name, own)
        if counter.now() is None:  # older than the counter (Linux 4.13)
            posix.close(fd)
            return
        self._counters.append(counter)
        self._evidence.oom_counters.append(name)

    def look(self, now: float, last: bool = False) -> "list[OomKill]":
        """Read the counters; the kills that are settled by now (all, at the `last` look)."""
        host_due = last or now >= self._host_due
        for counter in self._counters:
            if counter.name == "vmstat" and not host_due:
                continue
            value = counter.now()
            if value is None or value <= counter.last:
                continue
            since = self._looked_at if counter.name != "vmstat" else self._host_due - _HOST_EVERY_S
            for _ in range(min(100, value - counter.last)):
                kill = OomKill(counter.name, counter.own, since - _SLACK_S, now)
                kill.in_container = counter.container
                self._pending.append(kill)
            counter.last = value
        if host_due:
            self._host_due = now + _HOST_EVERY_S
        settled = []  # type: list[OomKill]
        if self._pending:
            settled = self._settle(now, last)
        self._looked_at = now
        return settled

    def close(self) -> None:
        """Close the counters."""
        for counter in self._counters:
            posix.close(counter.fd)
        self._counters = []

    def _settle(self, now: float, last: bool) -> "list[OomKill]":
        self._gather(min([kill.since for kill in self._pending]))
        settled = []  # type: list[OomKill]
        for kill in list(self._pending):
            if not last and not self._is_time(kill, now):
                continue
            kill.victim = self._take_victim(kill)
            if kill.victim is None and not kill.own:
                if last or now - kill.at >= _WAIT_FOR_VICTIM_S:
                    self._pending.remove(kill)
                continue
            self._pending.remove(kill)
            self._evidence.oom_kills.append(kill)
            settled.append(kill)
        if not self._pending:
            self._candidates.clear()
        return settled

    def _is_time(self, kill: OomKill, now: float) -> bool:
        """Whether the victim of a kill can be told by now, or will never be."""
        if any(image.signal == _SIGKILL for image in self._candidates.values()):
            return True
        return now - kill.at >= (_SURE_S if self._candidates else _WAIT_FOR_VICTIM_S)

    def _gather(self, since: float) -> None:
        """Remember who died since then, or is dead and not reaped."""
        for image in self._tree.ended:
            if image.ended is not None and image.ended >= since:
                self._candidates[image.id] = image
        for process in self._tree.live.values():
            if process.stat.state == b"Z":
                self._candidates[process.image.id] = process.image
                if process.image.signal is None:
                    process.image.signal = self._killed_by(process.pid)

    def _take_victim(self, kill: OomKill) -> "Image | None":
        """Who died by SIGKILL; else, in a group of our own, the largest that died just then."""
        fitting = [
            image for image in self._candidates.values()
            if (image.ended is None or image.ended >= kill.since)
            and not (kill.in_container and image.comm in _ENGINES)
        ]  # fmt: skip
        certain = [image for image in fitting if image.signal == _SIGKILL]
        if not certain and not kill.own and not self._evidence.main_killed:
            return None  # somebody else's, as far as can be told
        unknown = [image for image in fitting if image.signal is None]
        best = None  # type: Image | None
        for image in certain or unknown:
            if best is None or (image.memory_peak_bytes or 0) > (best.memory_peak_bytes or 0):
                best = image
        if best is not None:
            self._candidates.pop(best.id, None)
        return best

    def _killed_by(self, pid: int) -> "int | None":
        raw = self._proc.read("%d/stat" % pid)
        if not raw:
            return None
        field = raw[raw.rindex(b")") + 2 :].split()
        status = int(field[_EXIT_CODE]) if len(field) > _EXIT_CODE else 0
        return status & 0x7F or None
