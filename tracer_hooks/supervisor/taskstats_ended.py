"""A process that has ended: the records of its threads, added up."""

from tracer_hooks.supervisor.process import Image
from tracer_hooks.supervisor.taskstats_record import FORKED, ExitRecord

_CLOCKS_DIFFER_S = 0.03  # /proc tells a beginning in ticks


class Ended:
    """Figures of one process. Times are monotonic seconds, sizes bytes."""

    __slots__ = (
        "comm", "cpu_s", "delay_s", "disk_read_bytes", "disk_write_bytes", "drained", "exe",
        "forked", "high_water_bytes", "io_read_chars", "io_write_chars", "least_s", "lived_s",
        "pid", "ppid", "status", "system_s", "threads", "user_s",
    )  # fmt: skip

    def __init__(self, record: ExitRecord) -> None:
        self.pid, self.ppid = record.process, record.ppid
        self.comm, self.exe = record.comm, record.exe
        self.status, self.forked = record.status, bool(record.flags & FORKED)
        self.cpu_s = self.least_s = self.user_s = self.system_s = self.lived_s = 0.0
        self.delay_s = 0.0
        self.io_read_chars = self.io_write_chars = 0
        self.disk_read_bytes = self.disk_write_bytes = self.high_water_bytes = 0
        self.threads = 0
        self.drained = (0.0, 0.0)  # it ended between these

    def add(self, record: ExitRecord) -> None:
        if record.pid == self.pid:  # only the first thread's record has these
            self.comm, self.status = record.comm, record.status
            self.forked = bool(record.flags & FORKED)
        self.ppid = record.ppid
        self.threads += 1
        self.cpu_s += record.cpu_s
        self.least_s += record.ran_s
        self.delay_s += record.cpu_delay_s
        self.user_s += record.user_s
        self.system_s += record.system_s
        self.io_read_chars += record.io_read_chars
        self.io_write_chars += record.io_write_chars
        self.disk_read_bytes += record.disk_read_bytes
        self.disk_write_bytes += record.disk_write_bytes
        if record.high_water_bytes > self.high_water_bytes:
            self.high_water_bytes = record.high_water_bytes
        if record.process_lived_s > self.lived_s:
            self.lived_s = record.process_lived_s

    def began_about(self, when: float, latest: "float | None" = None) -> bool:
        """Whether a process with this pid that began at `when` can be this one."""
        early = self.drained[0] - self.lived_s
        late = self.drained[1] - self.lived_s if latest is None else latest
        return early - _CLOCKS_DIFFER_S <= when <= late + _CLOCKS_DIFFER_S

    def is_of(self, image: Image) -> bool:
        """Whether an image with this pid was the last of this process, going by its beginning."""
        if image.replaced:
            return False
        return self.began_about(image.born, None if image.exec_of is None else self.drained[1])
