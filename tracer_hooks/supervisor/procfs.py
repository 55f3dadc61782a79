"""Readers for /proc. Every value may be missing: None is not zero.

`Proc` takes the mount point, so that tests can point it at a folder of files.
"""

import posix

TICKS_PER_SECOND = posix.sysconf("SC_CLK_TCK")
PAGE_BYTES = posix.sysconf("SC_PAGE_SIZE")
_OPEN = posix.O_RDONLY | posix.O_CLOEXEC


class Stat:
    """The fields of /proc/PID/stat that are used here; times in seconds, own and reaped apart."""

    __slots__ = (
        "comm", "cpu_s", "major_faults", "ppid", "reaped_major_faults", "reaped_s",
        "reaped_system_s", "reaped_user_s",
        "start_stack", "start_ticks", "state", "system_s", "threads", "user_s",
    )  # fmt: skip

    def __init__(self, raw: bytes) -> None:
        close = raw.rindex(b")")
        self.comm = raw[raw.index(b"(") + 1 : close]
        field = raw[close + 2 :].split(b" ")  # field[0] is field 3 of proc(5)
        self.state = field[0]
        self.ppid = int(field[1])
        self.major_faults = int(field[9])
        self.reaped_major_faults = int(field[10])
        self.user_s = int(field[11]) / TICKS_PER_SECOND
        self.system_s = int(field[12]) / TICKS_PER_SECOND
        self.reaped_user_s = int(field[13]) / TICKS_PER_SECOND
        self.reaped_system_s = int(field[14]) / TICKS_PER_SECOND
        self.cpu_s = self.user_s + self.system_s
        self.reaped_s = self.reaped_user_s + self.reaped_system_s
        self.threads = int(field[17])
        self.start_ticks = int(field[19])
        self.start_stack = int(field[25])


class Proc:
    """A /proc mount. Readers return None for what is gone or not permitted; none raises OSError."""

    def __init__(self, root: str = "/proc") -> None:
        self.root = root

    def read(self, path: str, size: int = 4096) -> "bytes | None":
        """The first `size` bytes of a file below the mount."""
        try:
            fd = posix.open(self.root + "/" + path, _OPEN)
        except OSError:
            return None
        try:
            return posix.read(fd, size)
        except OSError:
            return None
        finally:
            posix.close(fd)

    def open(self, path: str) -> int:
        """A descriptor to pread again and again; -1 if there is none to be had."""
        try:
            return posix.open(self.root + "/" + path, _OPEN)
        except OSError:
            return -1

    def stat(self, pid: int) -> "Stat | None":
        raw = self.read("%d/stat" % pid)
        try:
            return Stat(raw) if raw else None
        except (ValueError, IndexError):
            return None

    def threads(self, pid: int) -> "list[int]":
        """The thread ids of a process, [] if it is gone."""
        try:
            return [int(name) for name in posix.listdir("%s/%d/task" % (self.root, pid))]
        except (OSError, ValueError):
            return []

    def children(self, pid: int, tid: int) -> "list[int] | None":
        """The pids that thread `tid` forked or adopted; None if the kernel has no such file."""
        path = "%d/task/%d/children" % (pid, tid)
        raw = self.read(path, 1 << 12)
        if raw is not None and len(raw) >= 1 << 12:
            raw = self.read_all(path)
        return None if raw is None else [int(word) for word in raw.split()]

    def descendants(self, pid: int) -> "list[int]":
        """Every live descendant of `pid`, by reading the parent of every process on the host.

        For kernels without the children files; costs as much as the host is large.
        """
        try:
            pids = [int(name) for name in posix.listdir(self.root) if name.isdigit()]
        except OSError:
            return []
        children = {}  # type: dict[int, list[int]]
        for other in pids:
            stat = self.stat(other)
            if stat is not None:
                children.setdefault(stat.ppid, []).append(other)
        found = []  # type: list[int]
        ahead = [pid]
        while ahead:
            below = children.get(ahead.pop(), [])
            found += below
            ahead += below
        return found

    def read_all(self, path: str) -> "bytes | None":
        """The whole of a file, however long, as one moment shows it as nearly as /proc can."""
        try:
            with open(self.root + "/" + path, "rb", buffering=1 << 16) as file:
                return file.read()
        except OSError:
            return None

    def resident_bytes(self, pid: int) -> "int | None":
        """Resident memory now, pages shared with others counted whole."""
        raw = self.read("%d/statm" % pid, 128)
        try:
            return int(raw.split(b" ", 2)[1]) * PAGE_BYTES if raw else None
        except (ValueError, IndexError):
            return None

    def high_water_bytes(self, pid: "int | str") -> "int | None":
        """The kernel's own peak of the process's resident memory since its last exec (VmHWM)."""
        raw = self.read("%s/status" % pid)
        if not raw:
            return None
        begin = raw.find(b"\nVmHWM:")
        if begin < 0:
            return None  # a zombie has no memory left to tell of
        try:
            return int(raw[begin + 7 : raw.index(b"kB", begin)]) * 1024
        except ValueError:
            return None

    def proportional_bytes(self, pid: int) -> "int | None":
        """Resident memory with each shared page divided among those who share it (PSS)."""
        raw = self.read("%d/smaps_rollup" % pid)
        if not raw:
            return None
        begin = raw.find(b"\nPss:")
        try:
            return int(raw[begin + 5 : raw.index(b"kB", begin)]) * 1024 if begin >= 0 else None
        except ValueError:
            return None

    def io(self, path: str) -> "tuple[int, int, int, int] | None":
        """(rchar, wchar, read_bytes, write_bytes) of `PID` or `PID/task/TID`.

        A process's counters include its dead threads and its reaped children, a thread's only
        its own.
        """
        raw = self.read(path + "/io", 512)
        if not raw:
            return None
        try:
            value = [int(line.split(b":", 1)[1]) for line in raw.splitlines()]
            return value[0], value[1], value[4], value[5]
        except (ValueError, IndexError):
            return None

    def schedule(self, fd: int) -> "tuple[int, int] | None":
        """(ns on a CPU, ns runnable but not running) from an open schedstat file; None if gone."""
        try:
            raw = posix.pread(fd, 64, 0)
            ran, waited = raw.split(b" ", 2)[:2]
            return int(ran), int(waited)
        except (OSError, ValueError):
            return None

    def waiting_in(self, pid: int, tid: int) -> "bytes | None":
        """The kernel function in which a thread sleeps; None if not permitted, b"0" if unknown."""
        return self.read("%d/task/%d/wchan" % (pid, tid), 128)

    def command_line(self, pid: int, limit: int = 1 << 15) -> "list[str]":
        """argv as the process shows it now, [] if it shows none; undecodable bytes escaped."""
        raw = self.read("%d/cmdline" % pid, limit)
        if not raw:
            return []
        words = raw.split(b"\0")
        if words[-1] == b"":
            words.pop()
        return [word.decode("utf-8", "surrogateescape") for word in words]

    def executable(self, pid: int) -> "str | None":
        """The path of the program that a process runs."""
        try:
            path = posix.readlink("%s/%d/exe" % (self.root, pid))
        except OSError:
            return None
        return path[:-10] if path.endswith(" (deleted)") else path
