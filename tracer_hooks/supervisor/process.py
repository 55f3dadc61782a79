"""What is known of one process, and of each program image that it ran.

A process is a pid and a start time. Each exec begins a new image; an image is a row of the
`processes` table. Figures are a process's own, without the children that it reaped.
"""

from tracer_hooks.supervisor.procfs import Proc, Stat


class Thread:
    """One thread: its open schedstat file and what that said last."""

    __slots__ = ("fd", "ran_ns", "waited_ns", "waits_for")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.ran_ns = -1
        self.waited_ns = 0
        self.waits_for = ""  # run, disk, network, idle; "" not looked at


class Image:
    """One program in one process, from fork or exec to exec or exit."""

    __slots__ = (
        "argv", "argv_src", "born", "comm", "cpu_base_s", "cpu_s", "cpu_src", "disk_read_bytes",
        "disk_write_bytes", "ended", "exe", "exec_of", "exit_code", "forked", "id", "io_base",
        "io_read_chars", "io_write_chars", "memory_peak_bytes", "network_rx_bytes",
        "network_tx_bytes", "parent_id", "pid", "ppid", "replaced", "signal", "src",
        "system_base_s", "system_s", "threads_peak", "told", "user_base_s", "user_s", "written",
    )  # fmt: skip

    def __init__(self, number: int, pid: int, ppid: int, born: float) -> None:
        self.id = number
        self.pid = pid
        self.ppid = ppid
        self.born = born
        self.told = None  # type: float | None  # when its figures were last written
        self.ended = None  # type: float | None
        self.parent_id = None  # type: int | None
        self.exec_of = None  # type: int | None
        self.comm = ""
        self.exe = None  # type: str | None
        self.argv = []  # type: list[str]
        self.forked = False
        self.cpu_s = 0.0
        self.user_s = self.system_s = 0.0  # type: float | None
        self.cpu_base_s = self.user_base_s = self.system_base_s = 0.0
        self.memory_peak_bytes = None  # type: int | None
        self.io_base = (0, 0, 0, 0)
        self.io_read_chars = self.io_write_chars = None  # type: int | None
        self.disk_read_bytes = self.disk_write_bytes = None  # type: int | None
        self.network_rx_bytes = self.network_tx_bytes = None  # type: int | None
        self.threads_peak = 1
        self.exit_code = self.signal = None  # type: int | None
        self.src = "poll"
        self.cpu_src = "schedstat"
        self.argv_src = "argv"  # argv: read; learned: from others of its kind; comm: only that
        self.written = False
        self.replaced = False  # by the image of another program, in an exec

    def identify(self, proc: Proc, stat: Stat, parent: "Process | None") -> None:
        """Read what program this is; a fork that has not exec'd is a worker of its parent."""
        self.comm = stat.comm.decode("utf-8", "surrogateescape")
        self.exe = proc.executable(self.pid)
        self.argv = proc.command_line(self.pid)
        if parent is not None:
            self.parent_id = parent.image.id
            # It has ended, or its memory is gone already: nothing is left to compare but the name.
            if stat.state == b"Z" or not (stat.start_stack or self.exe or self.argv):
                self.forked = self.comm == parent.image.comm
            elif stat.start_stack:
                self.forked = stat.start_stack == parent.start_stack
            else:  # not permitted to see addresses: the same program with the same words
                self.forked = self.argv == parent.image.argv and self.exe == parent.image.exe

    def read_words(self, proc: Proc, stat: Stat) -> None:
        """Read exe and argv of an image known by name, if the process runs it still."""
        if stat.state != b"Z" and stat.comm.decode("utf-8", "surrogateescape") == self.comm:
            self.exe = proc.executable(self.pid) or self.exe
            self.argv = proc.command_line(self.pid)
            self.argv_src = "argv"

    def identity_line(self, since: float) -> "dict[str, object]":
        """The `p` line; `since` turns monotonic into UNIX time."""
        line = {
            "t": "p", "id": self.id, "parent": self.parent_id, "pid": self.pid, "ppid": self.ppid,
            "start": self.born + since, "comm": self.comm, "exe": self.exe, "argv": self.argv,
            "forked": self.forked, "src": self.src, "argv_src": self.argv_src,
        }  # type: dict[str, object]  # fmt: skip
        if self.exec_of is not None:
            line["exec_of"] = self.exec_of
        return line

    def figures_line(self, since: float) -> "dict[str, object]":
        """The `q` line."""
        return {
            "t": "q", "id": self.id, "end": None if self.ended is None else self.ended + since,
            "cpu_s": self.cpu_s, "cpu_user_s": self.user_s, "cpu_system_s": self.system_s,
            "cpu_src": self.cpu_src, "memory_peak_bytes": self.memory_peak_bytes,
            "disk_read_bytes": self.disk_read_bytes, "disk_write_bytes": self.disk_write_bytes,
            "io_read_chars": self.io_read_chars, "io_write_chars": self.io_write_chars,
            "network_rx_bytes": self.network_rx_bytes, "network_tx_bytes": self.network_tx_bytes,
            "threads_peak": self.threads_peak, "exit_code": self.exit_code, "signal": self.signal,
            "src": self.src,
        }  # fmt: skip


class Process:
    """A live process of the tree: its threads, its current image, its cached readings."""

    __slots__ = (
        "changed", "first_resident_bytes", "high_water_bytes", "image", "io_total",
        "measured_resident_bytes", "pid", "proportional_bytes", "ran_ns", "reaped_io",
        "resident_bytes", "start_stack", "start_ticks", "stat", "threads", "waited_ns",
    )  # fmt: skip

    def __init__(self, pid: int, stat: Stat, image: Image) -> None:
        self.pid = pid
        self.start_ticks = stat.start_ticks
        self.start_stack = stat.start_stack
        self.stat = stat
        self.image = image
        self.threads = {}  # type: dict[int, Thread]
        self.ran_ns = 0  # of all its threads, the dead ones as last seen
        self.waited_ns = 0  # the same: runnable but not running
        self.resident_bytes = self.first_resident_bytes = 0
        self.proportional_bytes = None  # type: int | None
        self.measured_resident_bytes = 0  # resident when the proportional size was read
        self.high_water_bytes = 0
        self.io_total = None  # type: tuple[int, int, int, int] | None
        self.reaped_io = (0, 0, 0, 0)  # what children that are known to have ended had counted
        self.changed = True  # since the last reading

    @property
    def cpu_s(self) -> float:
        """CPU of the process's own threads since it was forked: ns where the kernel gives them.

        schedstat is exact but forgets threads that have ended, stat has all of them in ticks.
        """
        return max(self.ran_ns / 1e9, self.stat.cpu_s)

    def settle(self) -> None:
        """Bring the current image's figures up to the process's."""
        image, stat = self.image, self.stat
        image.cpu_s = max(0.0, self.cpu_s - image.cpu_base_s)
        user, system = stat.user_s - image.user_base_s, stat.system_s - image.system_base_s
        ticked = user + system
        # ticks say in which mode, nanoseconds say how much
        image.user_s = image.cpu_s * user / ticked if ticked > 0 else image.cpu_s
        image.system_s = image.cpu_s - image.user_s
        if stat.threads > image.threads_peak:
            image.threads_peak = stat.threads
