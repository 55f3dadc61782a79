"""A task that ended before anybody looked: what the kernel's totals and its zombie tell."""

from tracer_hooks.supervisor.procfs import Proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.supervisor.record import Record


class Zombie:
    """The final figures of a process that has exited and was not reaped yet."""

    def __init__(self, proc: Proc, pid: int) -> None:
        self.stat = proc.stat(pid)
        self.io = proc.io("%d" % pid)
        self.ran_s = self.waited_s = 0.0
        raw = proc.read("%d/schedstat" % pid, 64)
        if raw:
            ran, waited = raw.split(b" ", 2)[:2]
            self.ran_s, self.waited_s = int(ran) / 1e9, int(waited) / 1e9


def columns(record: "Record", zombie: "Zombie | None", now: float) -> "dict[str, object]":
    """The columns of `tasks`, and the one process's lines on the spool."""
    user, system = record.totals.cpu(())
    cpu_s = user + system
    wall_s = now - record.started
    waited_s = own_s = 0.0
    if zombie is not None and zombie.stat is not None:
        waited_s = zombie.waited_s
        own_s = min(cpu_s, max(zombie.ran_s, zombie.stat.cpu_s))
        _write_process(record, zombie, own_s, now)
    wanted_s = cpu_s + waited_s
    share = min(1.0, wall_s / wanted_s) if wanted_s > 0 else 0.0
    peak = record.totals.largest_bytes()
    line = {
        "cpu_user_s": user, "cpu_system_s": system, "cpu_s": cpu_s,
        "cpu_unattributed_s": max(0.0, cpu_s - own_s),
        "wall_cpu_s": cpu_s * share, "wall_runnable_s": waited_s * share,
        "wall_disk_s": 0.0, "wall_network_s": 0.0,
        "wall_idle_s": max(0.0, wall_s - cpu_s * share - waited_s * share),
        "memory_peak_bytes": peak, "memory_source": None if peak is None else "rusage",
        "process_count": 1, "process_count_source": "estimated", "short_process_count": 1,
        "reading_count": 0,
    }  # type: dict[str, object]  # fmt: skip
    line.update(io_columns(record.totals.io(())))
    line.update(record.totals.reaped(()))
    return line


def io_columns(io: "Sequence[int | None] | None") -> "dict[str, object]":
    """The four I/O columns of (rchar, wchar, read_bytes, write_bytes)."""
    names = ("io_read_chars", "io_write_chars", "disk_read_bytes", "disk_write_bytes")
    return dict(zip(names, io or (None, None, None, None)))


def _write_process(record: "Record", zombie: Zombie, own_s: float, now: float) -> None:
    stat = zombie.stat
    if stat is None:
        return
    options = record.options
    argv = []  # type: list[str]
    if options.argv_recorded:
        from tracer_hooks.supervisor.redact import redact_argv

        argv = redact_argv(options.command, options.redact)
    ticked = stat.user_s + stat.system_s
    user_s = own_s * stat.user_s / ticked if ticked > 0 else own_s
    record.spool.add(
        {"t": "p", "id": 1, "parent": None, "pid": record.pid, "ppid": stat.ppid,
         "start": record.started + record.since,
         "comm": stat.comm.decode("utf-8", "surrogateescape"),
         "argv": argv, "forked": False, "src": "poll"}
    )  # fmt: skip
    line = {
        "t": "q", "id": 1, "end": now + record.since, "cpu_s": own_s, "cpu_user_s": user_s,
        "cpu_system_s": own_s - user_s, "cpu_src": "schedstat", "threads_peak": 1, "src": "poll",
    }  # type: dict[str, object]  # fmt: skip
    if zombie.io is not None and not stat.reaped_s:
        line.update(io_columns(zombie.io))
    record.spool.add(line)
