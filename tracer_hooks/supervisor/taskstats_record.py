"""The kernel's record of a thread that has exited: struct taskstats, by version.

Fields were only ever added at the end, but for version 15 (Linux 6.14), which put two more after
each delay and was taken back in 16. Where a version lacks a field it is None.
"""

from _struct import Struct

from tracer_hooks.supervisor import netlink

FORKED = 0x01  # AFORK: forked, and never exec'd
LAST_OF_GROUP = 0x20  # AGROUP, from version 12: with this thread its process has ended
LEAST_BYTES = 328  # of version 8
LEAST_VERSION = 8  # Linux 2.6.33
VERSION_WITH_GROUPS = 12  # Linux 5.19
_INSERTING_VERSION = 15
_AGGREGATE_OF_THREAD, _STATS = 4, 3
PID_PLACE, PPID_PLACE = 128, 132
_HEAD = Struct("H2xIB").unpack_from
_IDS = Struct("II").unpack_from
_TGID = Struct("I").unpack_from
_WORD = Struct("Q").unpack_from
_NAME = Struct("Q32s").unpack_from
_TIMES = Struct("3Q").unpack_from
_FIGURES = Struct("10Q").unpack_from


def shift(version: int) -> int:
    """By how much version 15 moved the fields after the first delays."""
    return 48 if version == _INSERTING_VERSION else 0


def find(data: bytes) -> int:
    """Where the figures of the thread begin in a message; 0 if it holds none.

    The last message of a process with threads also holds their sum, which is left aside: it lacks
    the memory and the bytes, and its CPU time was counted thread by thread.
    """
    for kind, begin, end in netlink.attributes(data, netlink.GENERIC_HEADER, len(data)):
        if kind == _AGGREGATE_OF_THREAD:
            for inner, place, stop in netlink.attributes(data, begin, end):
                if inner == _STATS and stop - place >= LEAST_BYTES:
                    return place
    return 0


class ExitRecord:
    """One thread's figures. Times in seconds, sizes in bytes, `status` as wait(2) gives it."""

    __slots__ = (
        "_rest",
        "comm", "compact_delay_s", "cpu_delay_s", "disk_delay_s", "disk_read_bytes",
        "disk_write_bytes", "exe", "flags", "high_water_bytes", "io_read_chars",
        "io_write_chars", "lived_s", "pid", "ppid", "process_lived_s", "ran_s",
        "reclaim_delay_s", "slept", "status", "swap_delay_s", "system_s", "tgid",
        "thrashing_delay_s", "user_s", "version", "wpcopy_delay_s",
    )  # fmt: skip

    def __init__(self, data: bytes, at: int, length: int) -> None:
        """Reads who it was: most records on a host are somebody else's."""
        self.version, self.status, self.flags = _HEAD(data, at)
        moved = 48 if self.version == _INSERTING_VERSION else 0
        self.pid, self.ppid = _IDS(data, at + PID_PLACE + moved)
        self.tgid = None  # type: int | None
        if self.version >= VERSION_WITH_GROUPS and length >= 400 + 2 * moved:
            (self.tgid,) = _TGID(data, at + 368 + 2 * moved)
        self._rest = (data, at, length)

    def load(self) -> "ExitRecord":
        """Read what it used."""
        data, at, length = self._rest
        moved = 48 if self.version == _INSERTING_VERSION else 0
        by = 32 if moved else 16  # from one delay to the next
        self.cpu_delay_s = _WORD(data, at + 24)[0] / 1e9
        self.disk_delay_s = _WORD(data, at + 24 + by)[0] / 1e9
        self.swap_delay_s = _WORD(data, at + 24 + 2 * by)[0] / 1e9
        ran_ns, comm = _NAME(data, at + 72 + moved)
        self.ran_s = ran_ns / 1e9  # as of the last switch or tick
        self.comm = comm.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
        lived, user, system = _TIMES(data, at + 144 + moved)
        self.lived_s, self.user_s, self.system_s = lived / 1e6, user / 1e6, system / 1e6
        (
            high_water, _, self.io_read_chars, self.io_write_chars, _, _,
            self.disk_read_bytes, self.disk_write_bytes, _, self.slept,
        ) = _FIGURES(data, at + 200 + moved)  # fmt: skip
        self.high_water_bytes = high_water * 1024
        self.reclaim_delay_s = _WORD(data, at + 320 + moved)[0] / 1e9
        self._newer(data, at + moved, length - moved, by - 16)
        return self

    def _newer(self, data: bytes, at: int, length: int, after: int) -> None:
        """What versions after 8 have added; `at` and `length` as if nothing had been inserted."""
        self.thrashing_delay_s = self.compact_delay_s = self.wpcopy_delay_s = None  # type: float | None
        self.process_lived_s = self.lived_s
        self.exe = None  # type: tuple[int, int] | None
        version = self.version
        if version >= 9 and length >= 344:
            self.thrashing_delay_s = _WORD(data, at + 336 + after)[0] / 1e9
        if version >= 11 and length >= 368:
            self.compact_delay_s = _WORD(data, at + 360 + 2 * after)[0] / 1e9
        if self.tgid is not None:
            lived_us, device, inode = _TIMES(data, at + 376 + 3 * after)
            self.exe = (device, inode)
            if lived_us / 1e6 > self.lived_s:
                self.process_lived_s = lived_us / 1e6
        if version >= 13 and length >= 416:
            self.wpcopy_delay_s = _WORD(data, at + 408 + 3 * after)[0] / 1e9

    @property
    def process(self) -> int:
        """The pid of the process; before version 12 a thread can't be told from one."""
        return self.tgid or self.pid

    @property
    def ends_process(self) -> bool:
        """Whether the process ended with this thread."""
        return self.tgid is None or bool(self.flags & LAST_OF_GROUP)

    @property
    def cpu_s(self) -> float:
        """CPU seconds up to the record.

        The counter stands where the last switch or tick left it, so up to a tick (1 to 10 ms) may
        be missing. Who never slept was on a CPU whenever it was not waiting for one: then
        lifetime less that wait is right to the microsecond.
        """
        if self.slept:
            return float(self.ran_s)
        return float(max(self.ran_s, self.lived_s - self.cpu_delay_s))
