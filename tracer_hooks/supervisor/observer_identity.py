"""Who writes a spool: enough for a reader to know, later, whether the writer still lives."""

import posix
import sys

from tracer_hooks.version import __version__


def observer_identity(pid: "int | None" = None) -> "dict[str, object]":
    """The `observer` object of a spool's first line, for this process or `pid`."""
    pid = posix.getpid() if pid is None else pid
    identity = {
        "pid": pid,
        "version": __version__,
        "python": "%d.%d.%d" % sys.version_info[:3],
    }  # type: dict[str, object]
    try:
        identity["start_ticks"] = start_ticks(_read("/proc/%d/stat" % pid))
        identity["boot_id"] = _read("/proc/sys/kernel/random/boot_id").decode().strip()
        identity["pid_ns"] = posix.readlink("/proc/self/ns/pid")
    except (OSError, ValueError, IndexError):
        pass  # no /proc: a reader then goes by the file's age
    return identity


def start_ticks(stat: bytes) -> int:
    """Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot."""
    return int(stat[stat.rindex(b")") + 2 :].split()[19])


def _read(path: str) -> bytes:
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        return posix.read(fd, 4096)
    finally:
        posix.close(fd)
