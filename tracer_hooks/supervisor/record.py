"""The record of one attempt: its first line, its observer, its seal."""

import posix
import resource
import time

from tracer_hooks.supervisor import identifiers
from tracer_hooks.supervisor.host import HostReadings, forks
from tracer_hooks.supervisor.jsonl import Raw
from tracer_hooks.supervisor.observer import Observer
from tracer_hooks.supervisor.observer_identity import observer_identity
from tracer_hooks.supervisor.options import Options
from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.redact import redact_argv
from tracer_hooks.supervisor.signals import SignalRelay
from tracer_hooks.supervisor.spool import Spool
from tracer_hooks.supervisor.totals import Totals

# A process costs at least this much to fork, run and reap: bounds how many went unseen.
_LEAST_PROCESS_CPU_S = 0.0002
_CANCELLING = (1, 2, 15)  # SIGHUP, SIGINT, SIGTERM from outside
_MAX_RECORDED_WORDS = 200


class Record:
    """Everything that is written of a supervised command."""

    def __init__(self, options: Options, pid: int, wall_start: float, started: float) -> None:
        self._options = options
        self._pid = pid
        self._started = started
        self._since = wall_start - started
        self._end = None  # type: float | None
        self._usage = None  # type: dict[str, object] | None
        self._broken = False
        proc = Proc()
        self._totals = Totals(proc)
        host = posix.uname().nodename
        tail = identifiers.unique(host)
        path = identifiers.spool_path(
            options.store, options.run, options.task, options.attempt, tail
        )
        self.spool = Spool(path)
        self._host_path = "%s/@host.%s.jsonl" % (path.rpartition("/")[0], identifiers.escape(host, 100))
        self.spool.add(first_line(options, host, wall_start, "poll"))
        self.spool.flush()
        self._forks_before = forks(proc)
        self._proc = proc
        self._me = posix.getpid()
        self._canary = 0
        self._observer = Observer(
            proc,
            self.spool,
            self._totals,
            self._roots,
            started=started,
            since=self._since,
            interval_s=options.interval_s,
            argv_recorded=options.argv_recorded,
            redact=options.redact,
            host=HostReadings(proc, self._host_path, host),
        )
        own = proc.stat(self._me)
        self._observer.tree.not_yet_stack = own.start_stack if own is not None else 0

    @property
    def problem(self) -> "str | None":
        """Why the record could not be written, if it could not."""
        return self.spool.problem

    def due(self) -> float:
        """When the next look is due."""
        return self._observer.due() if not self._broken else time.monotonic() + 3600.0

    def tick(self, now: float, canary: int) -> None:
        """Look at the tree."""
        self._exclude(canary)
        self._observer.tick(now)

    def last_look(self, pid: int, now: float, canary: int) -> None:
        """The command is a zombie: its own figures are final and can be read for the last time."""
        if not self._broken:
            self._exclude(canary)
            self._observer.tree.last_look(pid, now, self._options.command)

    def failed(self, error: BaseException) -> None:
        """Observing broke: no more looks; the totals and the seal will still be written."""
        self._broken = True
        self.degraded("observer", "%s: %s" % (type(error).__name__, error))

    def degraded(self, what: str, why: str) -> None:
        """Say in the record what could not be observed."""
        self.spool.add(
            {"t": "e", "at": time.monotonic() + self._since, "kind": "degraded",
             "detail": {"what": what, "why": why}}
        )  # fmt: skip

    def seal(self, status: int, relay: SignalRelay, exec_errno: int) -> None:
        """Write the last line. The command has been reaped with wait status `status`."""
        now = time.monotonic()
        observer = self._observer
        observer.tree.scan([], now, False)  # who was reaped is in the totals and no longer alive
        observer.memory.end(self._totals.largest_bytes())
        columns = observer.finish(now)
        wall_s = now - self._started
        line = {
            "t": "sealed", "ended_at": self._started + wall_s + self._since, "wall_s": wall_s,
        }  # type: dict[str, object]  # fmt: skip
        line.update(outcome(status, relay))
        line.update(columns)
        line.update(self._counts(columns))
        if exec_errno:
            line["exec_errno"] = exec_errno
        if self._options.outputs:
            line["output_bytes"] = _size_of(self._options.outputs)
        if self.spool.dropped_lines:
            line["events_lost"] = self.spool.dropped_lines
        for number in relay.received:
            self.spool.add(
                {"t": "e", "at": now + self._since, "kind": "signal", "detail": {"signal": number}}
            )
        usage = resource.getrusage(resource.RUSAGE_SELF)
        line["observer_cpu_s"] = usage.ru_utime + usage.ru_stime
        line["observer_memory_bytes"] = usage.ru_maxrss * 1024
        self.spool.add(line)
        self.spool.flush()
        self.spool.close()

    def _counts(self, columns: "dict[str, object]") -> "dict[str, object]":
        """How many processes there were: those seen, and how many more there can have been.

        Two bounds, and the smaller counts: what the host forked meanwhile, and what the CPU time
        that no seen process accounts for can have paid for.
        """
        tree = self._observer.tree
        unseen = 0
        unattributed = columns["cpu_unattributed_s"]
        if unattributed > _LEAST_PROCESS_CPU_S:  # type: ignore[operator]
            paid_for = int(unattributed / _LEAST_PROCESS_CPU_S)  # type: ignore[operator]
            after = forks(self._proc)
            if after is not None and self._forks_before is not None:
                forked = after - self._forks_before - tree.seen_threads
                unseen = max(0, min(forked, paid_for))
        return {
            "process_count": tree.seen_count + unseen,
            "process_count_source": "estimated",
            "short_process_count": self._observer.short_count + unseen,
        }

    def _roots(self) -> "list[int]":
        return self._proc.children(self._me, self._me) or [self._pid]

    def _exclude(self, canary: int) -> None:
        if canary != self._canary:
            self._canary = canary
            self._observer.tree.excluded = {canary}


def first_line(options: Options, host: str, wall_start: float, capture: str) -> "dict[str, object]":
    """The `card` line."""
    line = {
        "t": "card", "v": 1, "card": Raw(options.card), "started_at": wall_start, "host": host,
        "user": user_name(), "workdir": _workdir(), "observer": observer_identity(),
        "capture": capture, "interval_s": options.interval_s, "mode": options.mode,
    }  # type: dict[str, object]  # fmt: skip
    if options.argv_recorded and options.command:
        line["argv"] = redact_argv(options.command[:_MAX_RECORDED_WORDS], options.redact)
    return line


def user_name() -> str:
    """The user's name, or the number where the number has no name."""
    uid = posix.getuid()
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)


def _workdir() -> "str | None":
    try:
        return posix.getcwd()
    except OSError:  # it was removed
        return None


def outcome(status: int, relay: SignalRelay) -> "dict[str, object]":
    """status, exit_code, signal and failure_cause from a wait status."""
    signal = posix.WTERMSIG(status) if posix.WIFSIGNALED(status) else None
    code = None if signal is not None else posix.WEXITSTATUS(status)
    if code == 0:
        return {"status": "succeeded", "exit_code": 0, "signal": None, "failure_cause": None}
    ended_by = signal if signal is not None else (code or 0) - 128
    if ended_by in relay.received and ended_by in _CANCELLING:
        return {"status": "cancelled", "exit_code": code, "signal": signal, "failure_cause": "cancelled"}
    cause = "signal" if signal is not None else "exit_code"
    return {"status": "failed", "exit_code": code, "signal": signal, "failure_cause": cause}


def _size_of(paths: "list[str]") -> "int | None":
    """The summed size of the files that are there; None if none is."""
    total, found = 0, False
    for path in paths[:1000]:
        try:
            total += posix.stat(path).st_size
            found = True
        except (OSError, ValueError):
            continue
    return total if found else None
