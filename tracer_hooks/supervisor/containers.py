"""Containers that a task starts: podman's are in the tree, Docker's are followed by their cgroup.

`docker run` only asks a daemon, so the container is no descendant of the task. It is found through
the engine's API, and from then on its cgroup is read: CPU, memory and disk of the whole container.
Its processes are not told one by one: it has one row, under its first process's name.
"""

import posix
import time

from tracer_hooks.supervisor import cgroup_figures as figures
from tracer_hooks.supervisor.cgroup import CgroupSource, GroupMemory, peak_columns
from tracer_hooks.supervisor.cgroup_paths import groups
from tracer_hooks.supervisor.container_docker import (
    DockerRun,
    Request,
    engine_socket,
    is_docker_run,
)
from tracer_hooks.supervisor.container_podman import image_name, of_monitor
from tracer_hooks.supervisor.newcomers import Newcomers
from tracer_hooks.supervisor.sources import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer_hooks.supervisor.cgroup_paths import Group
    from tracer_hooks.supervisor.observer import Observer
    from tracer_hooks.supervisor.process import Image, Process
    from tracer_hooks.supervisor.procfs import Proc

_ASK_EVERY_S = 0.1
# Whether one has ended: its group is removed some 60 ms later (measured with podman).
_CHECK_EVERY_S = 0.04
_FOLLOW_EVERY_S = 0.25  # the groups of those that run
_MOST_ORPHANS = 1000
_MOST = 50  # containers of one task that are told apart


class Container:
    """One container: who it is, and what its cgroups said last."""

    def __init__(self, runtime: str, number: str, name: "str | None", image: "str | None") -> None:
        self.runtime = runtime
        self.id = number
        self.name = name
        self.image = image
        self.groups: dict[str, Group] = {}
        self.memory = None  # type: GroupMemory | None
        self.memory_limit_bytes = None  # type: int | None
        self.cpu = (0.0, 0.0)
        self.disk = None  # type: tuple[int, int] | None
        self.row = None  # type: Image | None
        self.first = 0  # pid of its first process
        self.ended = False  # the first process has
        self.gone = False  # the groups are
        self.monitors = set()  # type: set[int]  # pids of conmon and its fork

    def has_just_ended(self, proc: "Proc") -> bool:
        """Whether its first process has ended since this was last asked, and all others with it."""
        if self.ended or not self.first:
            return False
        raw = proc.read("%d/stat" % self.first, 256)
        self.ended = not raw or raw[raw.rfind(b")") + 2 :][:1] in (b"Z", b"X")
        return self.ended

    def read(self) -> None:
        """Read what the groups tell; one that has gone leaves it as it was."""
        cpu = figures.cpu_used(self.groups["cpuacct"]) if "cpuacct" in self.groups else None
        if cpu is not None:
            self.cpu = (max(cpu[0], self.cpu[0]), max(cpu[1], self.cpu[1]))
        elif self.groups:
            self.gone = not next(iter(self.groups.values())).has("cgroup.procs")
        if "blkio" in self.groups:
            self.disk = figures.disk_bytes(self.groups["blkio"]) or self.disk
        if self.memory is not None:
            self.memory.look()

    def detail(self) -> "dict[str, object]":
        """The detail of its event."""
        told = {
            "id": self.id, "name": self.name, "image": self.image, "runtime": self.runtime,
        }  # type: dict[str, object]  # fmt: skip
        if self.groups:
            told.update(cpu_user_s=self.cpu[0], cpu_system_s=self.cpu[1])
        if self.disk is not None:
            told["disk_read_bytes"], told["disk_write_bytes"] = self.disk
        if self.memory is not None:
            told["memory_peak_bytes"] = self.memory.best_bytes
            told["cgroup_memory_peak_bytes"] = self.memory.peak_bytes
            told["page_cache_bytes"] = self.memory.cache_bytes
        if self.memory_limit_bytes is not None:
            told["memory_limit_bytes"] = self.memory_limit_bytes
        return told


class _Search:
    """The search for the container of one `docker run`."""

    def __init__(self, image: "Image") -> None:
        self.cli = image
        self.run = DockerRun(image.argv)
        self.request = None  # type: Request | None
        self.listing = False
        self.reference = None  # type: str | None
        self.why = "the engine was not asked"


class ContainerSource(Source):
    """Finds the containers that a task starts, and follows them."""

    name = "containers"

    def __init__(self, observer: "Observer", cgroups: CgroupSource, system_root: str = "") -> None:
        self._observer = observer
        self._proc = observer.proc
        self._cgroups = cgroups
        self._system_root = system_root
        self._newcomers = Newcomers(observer.tree)
        self.containers = {}  # type: dict[str, Container]
        self._searches = {}  # type: dict[int, _Search]
        self._podmans = set()  # type: set[int]
        self._orphans = set()  # type: set[int]  # our children that were looked at
        self._asked = set()  # type: set[int]  # images of `docker run`
        self._next = float("inf")
        self._follow_due = 0.0

    def due(self) -> float:
        """Soon, while there is an engine to ask or a group that may vanish."""
        return self._next

    def before_scan(self, now: float) -> None:
        """The groups are read before the tree's totals are."""
        self._follow_if_due(now)

    def look(self, now: float) -> None:
        """See who is new, ask the engine on, and read the groups if that is why we look."""
        for process in self._newcomers.take(now):
            self._consider(process)
        for search in list(self._searches.values()):
            self._ask(search, now)
        self._seek_monitors()
        for one in self.containers.values():
            if one.monitors and not one.groups:
                self._place_by_monitor(one)
        if self._follow_if_due(now):
            self._cgroups.look(now)  # a counter of kills vanishes with its group
        following = [one for one in self.containers.values() if one.groups or one.monitors]
        if self._searches:
            self._next = now + _ASK_EVERY_S
        else:
            alive = self._podmans or any(not one.gone for one in following)
            self._next = now + _CHECK_EVERY_S if alive else float("inf")

    def finish(self, now: float) -> None:
        """The events and rows of the containers."""
        for search in self._searches.values():
            self._observer.degraded("container", "not found: %s" % search.why)
        for one in self.containers.values():
            line = {
                "t": "e", "at": now + self._observer.since, "kind": "container",
                "detail": one.detail(),
            }  # type: dict[str, object]  # fmt: skip
            if one.row is not None:
                line["id"] = one.row.id
                one.row.ended = now
                self._observer.tree.ended.append(one.row)
            self._observer.spool.add(line)

    def columns(self, now: float) -> "dict[str, object]":
        """The first container's image and id; memory that only a container's group has seen."""
        first = next(iter(self.containers.values()), None)
        if first is None:
            return {}
        columns = {"container_id": first.id}  # type: dict[str, object]
        if first.image is not None:
            columns["container_image"] = first.image
        for one in self.containers.values():
            if one.runtime == "docker" and one.memory is not None:
                columns.update(peak_columns(one.memory, self._observer.memory))
        return columns

    def cpu(self) -> "tuple[float, float]":
        """(user, system) seconds of containers that are not in the tree."""
        outside = [one.cpu for one in self.containers.values() if one.row is not None]
        return sum([one[0] for one in outside]), sum([one[1] for one in outside])

    def disk(self) -> "tuple[int, int]":
        """(read, written) bytes of containers that are not in the tree."""
        outside = [
            one.disk for one in self.containers.values()
            if one.row is not None and one.disk is not None
        ]  # fmt: skip
        return sum([one[0] for one in outside]), sum([one[1] for one in outside])

    # podman

    def _consider(self, process: "Process") -> None:
        image = process.image
        if image.comm == "conmon":
            self._consider_monitor(process.pid)
        elif image.comm == "podman":
            self._podmans.add(process.pid)
        elif is_docker_run(image.argv) and not image.forked and image.id not in self._asked:
            self._asked.add(image.id)
            self._searches[image.id] = _Search(image)

    def _consider_monitor(self, pid: int) -> None:
        told = of_monitor(self._proc.command_line(pid))  # the image's own words may be learnt
        if told is None:
            return
        if told[0] not in self.containers:
            self._found(Container("podman", told[0], told[1], image_name(told[0], told[2])))
        if told[0] in self.containers:
            self.containers[told[0]].monitors.add(pid)  # it forks itself away

    def _seek_monitors(self) -> None:
        """While podman runs its monitors come to us as orphans, some for a moment between looks."""
        self._podmans = {pid for pid in self._podmans if pid in self._observer.tree.live}
        if not self._podmans:
            return
        me = posix.getpid()
        for pid in self._proc.children(me, me) or ():
            if pid not in self._orphans:
                comm = self._proc.read("%d/comm" % pid, 32)
                if comm == b"conmon\n":
                    self._consider_monitor(pid)
                if len(self._orphans) < _MOST_ORPHANS:
                    self._orphans.add(pid)

    def _found(self, container: Container) -> bool:
        if len(self.containers) >= _MOST:
            return False
        self.containers[container.id] = container
        return True

    def _place_by_monitor(self, container: Container) -> None:
        """Take the groups of what the monitor has started, once it is in the container."""
        for monitor in list(container.monitors):
            children = self._proc.children(monitor, monitor)
            if children is None:  # it has ended, or the kernel has no such file
                container.monitors.discard(monitor)
            for pid in children or ():
                if not container.groups:
                    self._place(container, pid)

    def _place(self, container: Container, pid: int) -> None:
        """Take the groups of process `pid`, if they are the container's."""
        found = {
            name: group for name, group in groups(self._proc, pid, self._system_root).items()
            if container.id in group.path
        }  # fmt: skip
        if not found:
            return
        container.groups, container.first = found, pid
        memory = found.get("memory")
        if memory is not None:
            limit = figures.memory_limit(memory)
            container.memory_limit_bytes = None if limit is None else limit[0]
            container.memory = GroupMemory(memory, from_birth=True)
            self._cgroups.oom.add(memory, True, from_zero=True)

    # Docker

    def _ask(self, search: _Search, now: float) -> None:
        """One step of the search: send a request, or take its answer."""
        path = engine_socket()
        if path is None:
            search.why = "the engine is not on this host"
            return
        if search.request is None:
            reference = search.reference or self._cid(search) or search.run.name
            search.listing = reference is None
            query = "/containers/json?all=1&limit=20"
            if reference is not None:
                query = "/containers/%s/json" % reference
            search.request = Request(path, query, now)
        if not search.request.look(now):
            return
        answer, search.why = search.request.answer, search.request.failed or "no container fits"
        search.request = None
        if search.listing:
            if isinstance(answer, list):
                since = search.cli.born + self._observer.since
                search.reference = search.run.choose(answer, since)
        elif isinstance(answer, dict):
            self._take(search, answer)
        if search.cli.ended is not None and search.cli.id in self._searches:
            del self._searches[search.cli.id]  # it ended before anything was to be found
            self._observer.degraded("container", "not found: %s" % search.why)

    def _cid(self, search: _Search) -> "str | None":
        if search.run.cidfile is None:
            return None
        path = search.run.cidfile
        if not path.startswith("/"):
            path = "%s/%d/cwd/%s" % (self._proc.root, search.cli.pid, path)
        try:
            with open(path, "rb") as file:
                return file.read(64).decode("ascii") or None
        except (OSError, UnicodeDecodeError):
            return None

    def _take(self, search: _Search, answer: "dict[str, object]") -> None:
        """The engine's description of a container; without a pid it has not begun, or has ended."""
        state, config = answer.get("State"), answer.get("Config")
        number = answer.get("Id")
        pid = state.get("Pid") if isinstance(state, dict) else None
        if not isinstance(number, str) or not pid:
            search.why = "the container does not run"
            return
        image = config.get("Image") if isinstance(config, dict) else None
        name = str(answer.get("Name") or "").lstrip("/") or None
        one = Container("docker", number, name, image)
        del self._searches[search.cli.id]
        if not self._found(one):
            return
        self._place(one, pid)
        row = one.row = self._observer.tree.new_image(pid, search.cli.pid, time.monotonic())
        row.parent_id, row.src, row.cpu_src = search.cli.id, "cgroup", "cgroup"
        row.comm = (self._proc.read("%d/comm" % pid) or b"?").decode("utf-8", "replace").strip()
        row.argv = self._proc.command_line(pid)
        if not one.groups:
            self._observer.degraded("container", "the cgroup of %s is not to be seen" % number[:12])

    def _follow_if_due(self, now: float) -> bool:
        """Read the groups now and then, and at once when a container has ended."""
        ended = [one for one in self.containers.values() if one.has_just_ended(self._proc)]
        if not ended and now < self._follow_due:
            return False
        self._follow_due = now + _FOLLOW_EVERY_S
        self._follow()
        return True

    def _follow(self) -> None:
        """Read the groups."""
        for one in self.containers.values():
            if one.gone or not one.groups:
                continue
            before = sum(one.cpu)
            one.read()
            io = self._proc.io("%d" % one.first)  # what it wrote through the page cache, too
            if io is not None:
                disk = one.disk or (0, 0)
                one.disk = max(disk[0], io[2]), max(disk[1], io[3])
            if one.row is None:
                continue
            row = one.row
            row.user_s, row.system_s = one.cpu
            row.cpu_s = sum(one.cpu)
            self._observer.tree.ended_cpu_s += row.cpu_s - before  # a named process accounts for it
            if one.disk is not None:
                row.disk_read_bytes, row.disk_write_bytes = one.disk
            if one.memory is not None:
                row.memory_peak_bytes = one.memory.best_bytes


class TotalsWithContainers:
    """A tree's totals, and those of containers that are not in it."""

    def __init__(self, totals: "object", source: ContainerSource) -> None:
        self._totals = totals
        self._source = source

    def cpu(self, live: "Iterable[Process]") -> "tuple[float, float]":
        """(user, system) CPU seconds."""
        user, system = self._totals.cpu(live)  # type: ignore[attr-defined]
        more = self._source.cpu()
        return user + more[0], system + more[1]

    def io(self, live: "Iterable[Process]") -> "tuple[int, int, int, int] | None":
        """(rchar, wchar, read_bytes, write_bytes); the first two are the tree's alone."""
        io = self._totals.io(live)  # type: ignore[attr-defined]
        if io is None:
            return None
        more = self._source.disk()
        return io[0], io[1], io[2] + more[0], io[3] + more[1]

    def __getattr__(self, name: str) -> object:
        return getattr(self._totals, name)
