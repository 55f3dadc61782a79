"""The cgroups in which the task runs: limits, throttling, pressure, memory, OOM kills."""

from tracer_hooks.supervisor import cgroup_figures as figures
from tracer_hooks.supervisor.cgroup_oom import OomWatch
from tracer_hooks.supervisor.cgroup_owner import Owner, owner
from tracer_hooks.supervisor.cgroup_paths import Group, groups
from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.sources import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.evidence import Evidence
    from tracer_hooks.supervisor.memory import Memory
    from tracer_hooks.supervisor.observer import Observer
    from tracer_hooks.supervisor.record import Record

# A group's peak is the task's memory if what else it counts is less than this share of it.
_NEGLIGIBLE = 0.05
_CACHE_EVERY_S = 1.0  # memory.stat makes the kernel add up all CPUs
_CHEAPEST_S = 0.01  # a counter that no reader can tell from noise is no event


class GroupMemory:
    """The exact peak of a group, where it says something of the task."""

    def __init__(self, group: Group, from_birth: bool = False) -> None:
        self._group = group
        # what was there before: the supervisor itself, and whoever started it
        self._before = 0 if from_birth else figures.memory_now(group)
        self._peak_before = 0 if from_birth else figures.memory_peak(group)
        self.peak_bytes = None  # type: int | None
        self.cache_bytes = None  # type: int | None  # the most that any look found
        self.in_use_bytes = None  # type: int | None  # likewise, of what can't be dropped

    def look(self) -> None:
        """Take the peak so far and the page cache now; a group that is gone changes nothing."""
        now = figures.memory_now(self._group)
        peak = figures.memory_peak(self._group)
        if peak is not None:
            self.peak_bytes = max(self.peak_bytes or 0, peak)
        cache = figures.page_cache(self._group)
        if cache is not None:
            self.cache_bytes = max(self.cache_bytes or 0, cache)
            if now is not None and now >= cache:
                self.in_use_bytes = max(self.in_use_bytes or 0, now - cache)

    @property
    def best_bytes(self) -> "int | None":
        """The exact peak where it is the task's; else the most that was certainly in use.

        That is what a look found, or the exact peak less the most page cache there was.
        """
        exact = self.task_peak_bytes
        if exact is not None or self.in_use_bytes is None or self._before is None:
            return exact
        used = self.in_use_bytes
        if (self.peak_bytes or 0) > (self._peak_before or 0):
            used = max(used, (self.peak_bytes or 0) - (self.cache_bytes or 0))
        return used if self._before <= _NEGLIGIBLE * used else None

    @property
    def task_peak_bytes(self) -> "int | None":
        """The peak, if it was reached in the task's time and next to nothing of it was others'
        or page cache; else None."""
        peak, before, earlier = self.peak_bytes, self._before, self._peak_before
        if peak is None or before is None or earlier is None or self.cache_bytes is None:
            return None
        if peak <= earlier or before + self.cache_bytes > _NEGLIGIBLE * peak:
            return None
        return peak


class CgroupSource(Source):
    """Reads the cgroups of the task's main process, and watches for OOM kills."""

    name = "cgroup"

    def __init__(
        self,
        proc: Proc,
        observer: "Observer",
        evidence: "Evidence",
        pid: int,
        top: int,
        ours: "set[int]",
        now: float,
        system_root: str = "",
    ) -> None:
        self._proc = proc
        self._observer = observer
        self._pid, self._top, self._ours = pid, top, ours
        self._system_root = system_root
        self._owners = {}  # type: dict[str, Owner]
        self._next_cache = now
        found = groups(proc, pid, system_root) or groups(proc, "self", system_root)
        self.groups = found
        self.oom = OomWatch(proc, observer.tree, evidence, now)
        self.oom.add(found.get("memory"), self._owner("memory").own)
        self.oom.add_host()
        self._memory = None  # type: GroupMemory | None
        if "memory" in found and self._owner("memory").own:
            self._memory = GroupMemory(found["memory"])
        self._throttled = []  # type: list[tuple[Group, bool, figures.Throttling]]
        if "cpu" in found:
            for group in figures.quota_groups(found["cpu"]):
                own = owner(group, proc, top, ours).own
                self._throttled.append((group, own, figures.Throttling(group)))
        self._pressure = {}  # type: dict[str, float]
        if "unified" in found and self._owner("unified").own:
            self._pressure = figures.pressure(found["unified"])
        self._tell_limits(now)

    def look(self, now: float) -> None:
        """Count kills; now and then the page cache, and whether the task has moved."""
        self._tell_kills(now, False)
        if now >= self._next_cache:
            self._next_cache = now + _CACHE_EVERY_S
            if self._memory is not None:
                self._memory.look()
            moved = groups(self._proc, self._pid, self._system_root).get("memory")
            if moved is not None:
                self.oom.add(moved, False)

    def finish(self, now: float) -> None:
        """The last reading of everything; what is worth an event becomes one."""
        self._tell_kills(now, True)
        self.oom.close()
        if self._memory is not None:
            self._memory.look()
            self._owners.clear()  # somebody may have joined
            if not self._owner("memory").own:
                self._memory = None
        for group, own, before in self._throttled:
            after = figures.Throttling(group)
            seconds = after.seconds - before.seconds
            if seconds >= _CHEAPEST_S:
                self._event(
                    now, "throttled",
                    {"seconds": seconds, "periods": after.periods - before.periods,
                     "throttled_periods": after.throttled_periods - before.throttled_periods,
                     "cgroup": group.path or "/", "own": own},
                )  # fmt: skip
        self._tell_pressure(now)

    def columns(self, now: float) -> "dict[str, object]":
        """The exact peak in place of the tree's, where the group has it."""
        if self._memory is None:
            return {}
        return peak_columns(self._memory, self._observer.memory)

    def _owner(self, controller: str) -> Owner:
        group = self.groups.get(controller)
        if group is None:
            return Owner(False, "there is none")
        if group.folder not in self._owners:
            self._owners[group.folder] = owner(group, self._proc, self._top, self._ours)
        return self._owners[group.folder]

    def _tell_limits(self, now: float) -> None:
        detail = {}  # type: dict[str, object]
        memory, cpu, pids = [self.groups.get(name) for name in ("memory", "cpu", "pids")]
        limit = None if memory is None else figures.memory_limit(memory)
        if limit is not None:
            detail["memory_bytes"], detail["memory_cgroup"] = limit[0], limit[1].path or "/"
        cores = None if cpu is None else figures.cpu_limit(cpu)
        if cores is not None:
            detail["cpus"], detail["cpu_cgroup"] = cores[0], cores[1].path or "/"
        processes = None if pids is None else figures.pids_limit(pids)
        if processes is not None:
            detail["pids"] = processes
        place = self._owner("memory" if memory is not None else "unified")
        if detail or place.own:
            detail.update(own=place.own, why=place.why)
            versions = {group.version for group in self.groups.values()}
            detail["version"] = "hybrid" if len(versions) > 1 else "v%d" % versions.pop()
            self._event(now, "limit", detail)

    def _tell_kills(self, now: float, last: bool) -> None:
        for kill in self.oom.look(now, last):
            detail = {"counter": kill.counter, "own": kill.own}  # type: dict[str, object]
            line = {"t": "e", "at": kill.at + self._observer.since, "kind": "oom"}  # type: dict[str, object]
            victim = kill.victim
            if victim is not None:
                detail.update(
                    pid=victim.pid, comm=victim.comm, memory_peak_bytes=victim.memory_peak_bytes,
                    by="SIGKILL" if victim.signal == 9 else "the largest that ended then",
                )  # fmt: skip
                line["id"] = victim.id
            line["detail"] = detail
            self._observer.spool.add(line)

    def _tell_pressure(self, now: float) -> None:
        if not self._pressure:
            return
        after = figures.pressure(self.groups["unified"])
        grown = {name: after[name] - self._pressure.get(name, 0.0) for name in after}
        if any(seconds >= _CHEAPEST_S for seconds in grown.values()):
            self._event(now, "pressure", dict(grown, cgroup=self.groups["unified"].path or "/"))

    def _event(self, now: float, kind: str, detail: "dict[str, object]") -> None:
        self._observer.spool.add(
            {"t": "e", "at": now + self._observer.since, "kind": kind, "detail": detail}
        )


def peak_columns(group: GroupMemory, tree: "Memory") -> "dict[str, object]":
    """The group's peak, if it is sane and not less than what the tree was seen to hold: the exact
    one, or the most that a look found in use if that is clearly more than the tree shows."""
    held = tree.peak_bytes or 0
    peak = group.task_peak_bytes
    if peak is None or peak < held * (1 - _NEGLIGIBLE):
        peak = group.best_bytes
        if peak is None or peak < held * (1 + _NEGLIGIBLE):
            return {}
    return {"memory_peak_bytes": peak, "memory_source": "cgroup"}


def watch_cgroups(record: "Record", observer: "Observer", me: int, now: float) -> CgroupSource:
    """The source for a record: in `attach` mode the task hangs from its own main process."""
    attached = record.options.mode == "attach"
    return CgroupSource(
        record.proc,
        observer,
        record.evidence,
        record.pid,
        record.pid if attached else me,
        {me} if attached else set(),
        now,
    )
