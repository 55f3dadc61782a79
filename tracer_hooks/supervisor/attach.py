"""Watching a process that runs already, from outside it: what `trace` and engines' hooks use.

The monitor is no parent of the process and can't reap for it. What the process used before is
subtracted, children that it had before are left out, and a descendant that is handed to init
keeps being watched by its pid. It ends when told, when the other end of the control pipe is
closed, or when the process dies, so a crash, os._exit and SIGKILL are recorded too.

The process waits twice: at its start until what it was before is read, at its end until what it
is by then is. Everything else, the imports too, is done while it works, or when it has gone on.
"""

import posix
import time

from tracer_hooks.supervisor.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer_hooks.supervisor.perf_open import PerfEvents
    from tracer_hooks.supervisor.procfs import Proc
    from tracer_hooks.supervisor.record import Record


def attach(options: Options) -> int:
    """Watch `options.pid` until it or its owner says that it is over; returns 0."""
    from tracer_hooks.supervisor.quick_import import ATTACH, RECORD, load

    load(ATTACH)
    from tracer_hooks.supervisor.attached_totals import AttachedTotals
    from tracer_hooks.supervisor.procfs import Proc
    from tracer_hooks.supervisor.taskstats_permitted import open_exits

    proc = Proc()
    wall_start, started = time.time(), time.monotonic()
    totals = AttachedTotals(proc, options.pid)
    try:
        pidfd = posix.pidfd_open(options.pid) if hasattr(posix, "pidfd_open") else -1
    except OSError:
        pidfd = -1
    options.command = proc.command_line(options.pid)
    memory_bytes = proc.resident_bytes(options.pid)
    exits = None
    events, refusal = _open_events(options, proc)
    if events is None:  # beside those they can wait
        exits, refusal = open_exits(options.capture, refusal)
    # What was there before is known and events are listened to: the rest can wait.
    if options.ready_fd >= 0:
        _say(options.ready_fd, b"ready\n")
        posix.close(options.ready_fd)
    load(RECORD)
    from tracer_hooks.supervisor.record import Record

    spool, before = None, None
    if options.resume:
        from tracer_hooks.supervisor.stretches import stretch_spool

        spool, before = stretch_spool(options.store, options.run, options.task, options.attempt)
    record = Record(options, options.pid, wall_start, started, totals, events, exits, spool)
    if before is not None:
        record.event("resumed", {"host": record.host, "pid": options.pid})
    record.event("attached", {"memory_bytes": memory_bytes})
    if refusal:
        record.degraded("capture", refusal)
    _look(record, record.tick, time.monotonic(), {})
    if proc.io("%d" % options.pid) is None:
        record.degraded("io", "the kernel does not let this user read the I/O of the process")
    ended = _watch(record, options.control_fd, pidfd)
    record.seal(ended, time.monotonic())
    _say(options.control_fd, _problem(record) + b"sealed\n")
    return 0


def _open_events(options: Options, proc: "Proc") -> "tuple[PerfEvents | None, str]":
    if options.capture not in ("auto", "perf"):
        return None, ""
    try:
        from tracer_hooks.supervisor.perf_open import PerfEvents

        return PerfEvents(options.pid, proc.threads(options.pid)), ""
    except Exception as error:
        return None, str(error) or type(error).__name__


def _say(fd: int, text: bytes) -> None:
    if fd >= 0:
        try:
            posix.write(fd, text)
        except OSError:
            pass  # nobody listens any more, or it is a pipe that leads here alone


def _problem(record: "Record") -> bytes:
    """What keeps the record from being written, as a line; empty if nothing does."""
    if not record.problem:
        return b""
    return b"problem " + record.problem.replace("\n", " ").encode("utf-8", "replace") + b"\n"


def _watch(record: "Record", control_fd: int, pidfd: int) -> "dict[str, object]":
    """Look at the tree until the end; how it ended."""
    import select

    poll = select.poll()
    if control_fd >= 0:
        poll.register(control_fd, select.POLLIN)
    if pidfd >= 0:
        poll.register(pidfd, select.POLLIN)
    message = b""
    while True:
        wait_s = max(0.0, record.due() - time.monotonic())
        ready = [fd for fd, _ in poll.poll(wait_s * 1e3)]
        now = time.monotonic()
        if control_fd in ready:
            chunk = _read(control_fd)
            message += chunk
            if b"\n" in message:
                _look(record, record.read_now, now, True)
                _say(control_fd, _problem(record) + b"read\n")
                return _told(record, message.decode("ascii", "replace"))
            if not chunk:
                poll.unregister(control_fd)
                return _died(record, now, pidfd)
        if pidfd in ready or (pidfd < 0 and record.proc.stat(record.pid) is None):
            return _died(record, now, pidfd)
        if now >= record.due():
            _look(record, record.tick, now, {})


def _read(fd: int) -> bytes:
    try:
        return posix.read(fd, 4096)
    except OSError:
        return b""


def _told(record: "Record", message: str) -> "dict[str, object]":
    """The process itself says how its task ended."""
    from tracer_hooks.supervisor.attached_totals import AttachedTotals
    from tracer_hooks.supervisor.told import Told

    told = Told(message)
    if told.disk is not None and isinstance(record.totals, AttachedTotals):
        record.totals.hand_over(told.disk)
    if told.detail:
        record.event("engine", told.detail)
    return told.outcome


def _died(record: "Record", now: float, pidfd: int) -> "dict[str, object]":
    """The process has gone, or has closed its end of the pipe, without a word."""
    from tracer_hooks.supervisor.attached_end import lives_on, wait_status
    from tracer_hooks.supervisor.outcome import outcome

    stat = record.proc.read("%d/stat" % record.pid)
    if lives_on(pidfd, stat):  # but it does not want to be watched any more
        _look(record, record.read_now, now)
        return outcome(0)
    status = wait_status(record, pidfd, stat)
    _look(record, record.last_look, now, {})
    return outcome(status)


def _look(record: "Record", look: "Callable[..., None]", *arguments: object) -> None:
    """Look at the tree; if that fails, the end will still be heard and recorded."""
    try:
        look(*arguments)
    except Exception as error:
        record.failed(error)
