"""Where a process's cgroups are: v1, v2 and hybrid layouts, seen from inside or outside.

`system_root` goes before every mount point, so that tests can lay out a tree of their own.
"""

import posix

from tracer_hooks.supervisor.procfs import Proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# A file that a group has only if the controller is switched on for it (v2).
_SIGN_OF = {
    "memory": "memory.events",
    "cpu": "cpu.max",
    "cpuacct": "cpu.stat",
    "pids": "pids.max",
    "blkio": "io.stat",
}
_READ = 1 << 14


class Group:
    """One cgroup of one hierarchy: its folder, and what `/proc/PID/cgroup` calls it."""

    __slots__ = ("mount", "path", "version")

    def __init__(self, version: int, mount: str, path: str) -> None:
        self.version = version
        self.mount = mount
        self.path = path.rstrip("/")  # "" is the top of what is mounted

    @property
    def folder(self) -> str:
        return self.mount + self.path

    def read(self, name: str) -> "bytes | None":
        """The contents of one of the group's files, None if there is none or it is not for us."""
        return Proc(self.folder).read(name, _READ)

    def number(self, name: str) -> "int | None":
        """A file that holds one number; None also for `max`."""
        raw = self.read(name)
        try:
            return int(raw) if raw else None
        except ValueError:
            return None

    def keyed(self, name: str) -> "dict[str, int]":
        """A file of lines `key number`; what is no number is left out."""
        found = {}  # type: dict[str, int]
        for line in (self.read(name) or b"").splitlines():
            key, _, value = line.partition(b" ")
            if value.isdigit():
                found[key.decode("ascii", "replace")] = int(value)
        return found

    def has(self, name: str) -> bool:
        """Whether the group has a file of that name."""
        try:
            posix.stat(self.folder + "/" + name)
        except OSError:
            return False
        return True

    @property
    def is_root(self) -> bool:
        """Whether this is the whole host's, and not the top of a container's own view."""
        if self.path:
            return False
        return not self.has("cgroup.type") if self.version == 2 else self.has("release_agent")

    def up(self) -> "Iterator[Group]":
        """This group and all above it, as far as they can be seen."""
        path = self.path
        while True:
            yield Group(self.version, self.mount, path)
            if not path:
                return
            path = path.rpartition("/")[0]

    def pids(self, most: int = 1000) -> "list[int] | None":
        """The processes in the group and below it; None if they can't all be told."""
        found = []  # type: list[int]
        ahead = [self.folder]
        seen = 0
        while ahead:
            folder = ahead.pop()
            raw = Proc(folder).read_all("cgroup.procs")
            if raw is None:
                return None
            found += [int(word) for word in raw.split()]
            seen += 1
            if len(found) > most or seen > most:
                return None
            try:
                below = [entry.path for entry in posix.scandir(folder) if entry.is_dir()]
            except OSError:
                return None
            ahead += below
        return found


def groups(proc: Proc, pid: "int | str" = "self", system_root: str = "") -> "dict[str, Group]":
    """The cgroups of a process by controller: memory, cpu, cpuacct, pids, blkio; and `unified`.

    On v2 a controller's group is the nearest one that has it switched on. {} if nothing is known.
    """
    told = proc.read("%s/cgroup" % pid, _READ)
    mounts = _mounts(proc)
    found = {}  # type: dict[str, Group]
    for line in (told or b"").splitlines():
        fields = line.decode("utf-8", "surrogateescape").split(":", 2)
        if len(fields) < 3:
            continue
        names = fields[1].split(",") if fields[1] else ["unified"]
        for name in names:
            group = _group(mounts.get(name, []), fields[2], system_root)
            if group is not None:
                found[name] = group
    unified = found.get("unified")
    if unified is not None:
        for controller, sign in _SIGN_OF.items():
            if controller not in found:
                for group in unified.up():
                    if group.has(sign) and not group.is_root:
                        found[controller] = group
                        break
    return found


def _group(mounts: "list[tuple[int, str, str]]", path: str, system_root: str) -> "Group | None":
    if path.endswith(" (deleted)"):
        path = path[:-10]
    for version, root, point in mounts:
        if path.startswith("/.."):  # above what this namespace may see
            continue
        below = path
        if root != "/":  # only a part of the hierarchy is mounted here
            if path != root and not path.startswith(root + "/"):
                continue
            below = path[len(root) :]
        group = Group(version, system_root + point, below)
        if group.has("cgroup.procs"):
            return group
    return None


def _mounts(proc: Proc) -> "dict[str, list[tuple[int, str, str]]]":
    """(version, mounted part, mount point) by controller; v2 as `unified`."""
    found = {}  # type: dict[str, list[tuple[int, str, str]]]
    for line in (proc.read_all("self/mountinfo") or b"").splitlines():
        left, dash, right = line.partition(b" - cgroup")
        if not dash:
            continue
        fields = left.decode("utf-8", "surrogateescape").split(" ")
        kind = right.decode("utf-8", "surrogateescape").split(" ")  # "" or "2", source, options
        if len(fields) < 5 or len(kind) < 3:
            continue
        root, point = fields[3].replace("\\040", " "), fields[4].replace("\\040", " ")
        if kind[0] == "2":
            found.setdefault("unified", []).append((2, root, point))
            continue
        for option in kind[2].split(","):
            found.setdefault(option, []).append((1, root, point))
    return found
