"""Readings of the whole host: what a dashboard would have shown over the same time."""

import posix
import time

from tracer_hooks.supervisor import jsonl
from tracer_hooks.supervisor.procfs import TICKS_PER_SECOND, Proc
from tracer_hooks.supervisor.spool import make_folders

_LEASE_S = 1.0
_FLAGS = posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC


class HostReadings:
    """Appends a line to the run's host file when nobody did for a second.

    However many tasks of a run share a host, one reading a second is taken: the file's
    modification time is the lease. Failures are silent, the next reading tries again.
    """

    def __init__(self, proc: Proc, path: str, host: str) -> None:
        self._proc = proc
        self._path = path
        self._host = host

    def take(self) -> None:
        """Append a line if the last is older than the lease."""
        now = time.time()
        try:
            age = now - posix.stat(self._path).st_mtime
            if 0 <= age < _LEASE_S:
                return
        except FileNotFoundError:
            pass
        except OSError:
            return
        line = read_host(self._proc)
        line.update({"t": "h", "at": now, "host": self._host})
        try:
            try:
                fd = posix.open(self._path, _FLAGS, 0o666)
            except FileNotFoundError:
                make_folders(self._path.rpartition("/")[0])
                fd = posix.open(self._path, _FLAGS, 0o666)
            try:
                posix.write(fd, jsonl.encode(line).encode("ascii") + b"\n")
            finally:
                posix.close(fd)
        except OSError:
            pass  # the store is full or gone; the task's own spool says so


def read_host(proc: Proc) -> "dict[str, object]":
    """The columns of `hosts`; what can't be read is absent."""
    line = {}  # type: dict[str, object]
    for reader in (_stat, _memory, _disks, _network, _load):
        try:
            reader(proc, line)
        except (ValueError, IndexError, AttributeError):
            pass  # this kernel shows it differently: unknown
    return line


def forks(proc: Proc) -> "int | None":
    """Processes and threads forked on the host since boot."""
    raw = proc.read_all("stat") or b""
    begin = raw.find(b"\nprocesses ")
    return int(raw[begin + 11 :].split(None, 1)[0]) if begin >= 0 else None


def _stat(proc: Proc, line: "dict[str, object]") -> None:
    raw = proc.read_all("stat")
    if raw is None:
        return
    cpus = 0
    for row in raw.splitlines():
        field = row.split()
        if field[0] == b"cpu":
            second = [int(word) / TICKS_PER_SECOND for word in field[1:9]]
            line["cpu_user_s"] = second[0] + second[1]
            line["cpu_system_s"] = second[2] + second[5] + second[6]
            line["cpu_idle_s"], line["cpu_iowait_s"] = second[3], second[4]
            line["cpu_steal_s"] = second[7]
        elif field[0].startswith(b"cpu"):
            cpus += 1
        elif field[0] == b"processes":
            line["forks"] = int(field[1])
        elif field[0] == b"procs_running":
            line["processes_running"] = int(field[1])
        elif field[0] == b"procs_blocked":
            line["processes_blocked"] = int(field[1])
    line["cpu_count"] = cpus


def _memory(proc: Proc, line: "dict[str, object]") -> None:
    raw = proc.read("meminfo")
    if raw is None:
        return
    size = {}
    for row in raw.splitlines():
        name, _, rest = row.partition(b":")
        size[name] = int(rest.split()[0]) * 1024 if rest else 0
    line["memory_total_bytes"] = size.get(b"MemTotal")
    line["memory_available_bytes"] = size.get(b"MemAvailable")
    if b"SwapTotal" in size and b"SwapFree" in size:
        line["swap_used_bytes"] = size[b"SwapTotal"] - size[b"SwapFree"]


def _disks(proc: Proc, line: "dict[str, object]") -> None:
    raw = proc.read_all("diskstats")
    if raw is None:
        return
    # whole devices only: a partition's bytes are its device's too, and so are dm's and md's
    try:
        devices = {name.encode() for name in posix.listdir("/sys/block")}
    except OSError:
        return
    read = written = 0
    for row in raw.splitlines():
        field = row.split()
        name = field[2]
        if name in devices and not name.startswith((b"loop", b"ram", b"zram", b"dm-", b"md")):
            read += int(field[5]) * 512
            written += int(field[9]) * 512
    line["disk_read_bytes"], line["disk_write_bytes"] = read, written


def _network(proc: Proc, line: "dict[str, object]") -> None:
    raw = proc.read_all("net/dev")
    if raw is None:
        return
    received = sent = 0
    for row in raw.splitlines()[2:]:
        name, _, rest = row.partition(b":")
        if name.strip() != b"lo":
            field = rest.split()
            received += int(field[0])
            sent += int(field[8])
    line["network_rx_bytes"], line["network_tx_bytes"] = received, sent


def _load(proc: Proc, line: "dict[str, object]") -> None:
    raw = proc.read("loadavg", 64)
    if raw:
        line["load_1m"] = float(raw.split()[0])
