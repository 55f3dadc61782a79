"""How a process ended of which the monitor is no parent, as far as the kernel tells."""

import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.record import Record

_PF_EXITING = 0x4  # linux/sched.h
_REAPED_S, _REAP_CHECK_S = 10.0, 0.02  # until its parent has taken note of a process's end
_PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, struct pidfd_info) of linux/pidfd.h, 64 bytes
_PIDFD_INFO_EXIT = 1 << 3
_PIDFD_INFO_SIZE = 64


def lives_on(pidfd: int, stat: "bytes | None") -> bool:
    """Whether the process whose pipe has closed goes on all the same; `stat` is its
    /proc/PID/stat."""
    return pidfd >= 0 and not select.select([pidfd], [], [], patience_s(stat))[0]


def wait_status(record: "Record", pidfd: int, stat: "bytes | None") -> int:
    """The wait status of the process, which has ended; -1 if it can't be known."""
    deadline = time.monotonic() + _REAPED_S
    while True:
        told = exit_status(pidfd)
        if told is not None:
            return told
        fresh = record.proc.read("%d/stat" % record.pid)
        stat = fresh or stat
        field = stat[stat.rindex(b")") + 2 :].split() if stat else [b""]
        if field[0] not in (b"Z", b"X") or len(field) <= 49:
            return -1
        # Who may not know it reads 0, as of one that succeeded; who may can read its I/O too.
        if int(field[49]) or record.proc.io("%d" % record.pid) is not None:
            return int(field[49])
        if fresh is None or pidfd < 0 or time.monotonic() >= deadline:
            told = exit_status(pidfd)  # it may have been reaped since we asked
            return -1 if told is None else told
        time.sleep(_REAP_CHECK_S)  # once it is reaped, a kernel that tells will tell


def patience_s(stat: "bytes | None") -> float:
    """How long to wait for the end of a process whose pipe has closed, in s. One that the kernel
    takes down loses its descriptors first, and on a busy host its end shows much later."""
    exiting = stat and int(stat[stat.rindex(b")") + 2 :].split()[6]) & _PF_EXITING
    return 30.0 if exiting else 0.2


def exit_status(pidfd: int) -> "int | None":
    """The wait status of a process that has ended, from Linux 6.15 on, also once it was reaped."""
    if pidfd < 0:
        return None
    import fcntl

    info = bytearray(_PIDFD_INFO_SIZE)
    info[0:8] = _PIDFD_INFO_EXIT.to_bytes(8, sys.byteorder)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info)
    except OSError:
        return None
    if not int.from_bytes(info[0:8], sys.byteorder) & _PIDFD_INFO_EXIT:
        return None
    return int.from_bytes(info[60:64], sys.byteorder, signed=True)
