"""The record of one attempt: its first line, its seal, and an observer in between.

The observer is imported when the first look is due: a task that ends before that pays nothing
for it, and is recorded from the kernel's totals and its zombie alone.
"""

import posix
import resource
import time

from tracer_hooks.supervisor import identifiers, launch
from tracer_hooks.supervisor.jsonl import Raw
from tracer_hooks.supervisor.observer_identity import observer_identity
from tracer_hooks.supervisor.options import Options
from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.spool import Spool
from tracer_hooks.supervisor.totals import Totals

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Sequence

    from tracer_hooks.supervisor.attached_totals import AttachedTotals
    from tracer_hooks.supervisor.evidence import Evidence, Received
    from tracer_hooks.supervisor.perf_open import PerfEvents
    from tracer_hooks.supervisor.taskstats_open import ExitMessages

_FIRST_TICK_S = 0.005
_MAX_RECORDED_WORDS = 200


class Record:
    """Everything that is written of a supervised command with pid `pid`.

    `started` is monotonic, `wall_start` the same moment in UNIX time.
    """

    def __init__(
        self,
        options: Options,
        pid: int,
        wall_start: float,
        started: float,
        totals: "Totals | AttachedTotals | None" = None,
        events: "PerfEvents | None" = None,
        exits: "ExitMessages | None" = None,
        spool: "Spool | None" = None,
    ) -> None:
        self.options = options
        self.pid = pid
        self.started = started
        self.since = wall_start - started
        self.proc = Proc()
        self.totals = Totals(self.proc) if totals is None else totals
        self.host = posix.uname().nodename
        self.spool = self._new_spool() if spool is None else spool
        self.events = events
        self._evidence = None  # type: Evidence | None
        self.exits = exits
        self.socket_ends: _socket.socket | None = None
        self._observer = None  # type: object
        self._zombie = None  # type: object
        self._broken = False
        self.ended = 0.0  # when the command was seen to have ended before anybody looked
        opened = {"perf": events, "taskstats": exits}
        capture = "+".join([name for name, source in opened.items() if source]) or "poll"
        self.spool.add(first_line(options, self.host, wall_start, capture))
        self.spool.flush()

    def _new_spool(self) -> Spool:
        options, tail = self.options, identifiers.unique(self.host)
        return Spool(
            identifiers.spool_path(options.store, options.run, options.task, options.attempt, tail)
        )

    @property
    def evidence(self) -> "Evidence":
        """What is found that bears on a failure."""
        if self._evidence is None:
            from tracer_hooks.supervisor.evidence import Evidence

            self._evidence = Evidence()
        return self._evidence

    @property
    def problem(self) -> "str | None":
        """Why the record could not be written, if it could not."""
        return self.spool.problem

    def due(self) -> float:
        """When the next look is due."""
        if self._broken or self.ended:
            return time.monotonic() + 3600.0
        if self._observer is None:
            return self.started + _FIRST_TICK_S
        return self._observer.due()  # type: ignore[attr-defined, no-any-return]

    def tick(self, now: float, helpers: "dict[int, float]") -> None:
        """Look at the tree, but for `helpers`: see `SignalRelay`."""
        if self._observer is None:
            self._start_observer()
            if self._observer is None:
                return  # it has ended meanwhile, and its last look is due
            now = time.monotonic()
        self._exclude(helpers, now)
        self._observer.tick(now)  # type: ignore[attr-defined]

    def _start_observer(self, ended: bool = False) -> None:
        from tracer_hooks.supervisor.quick_import import HEAR, LOOK, load

        if not ended:
            load(HEAR)
        if self.exits is None and not ended:
            from tracer_hooks.supervisor.taskstats_permitted import open_exits

            self.exits, _ = open_exits(self.options.capture)
        if not ended:
            from tracer_hooks.supervisor.sock_diag import listen

            # before the rest is even imported: what ends unheard is not counted
            self.socket_ends = listen()
        for name in LOOK:
            load((name,))
            if not ended and self._is_over():
                return
        from tracer_hooks.supervisor.watch import watch

        self._observer = watch(self, ended)

    def _is_over(self) -> bool:
        """Whether the command has ended, and nothing is lost if sockets are not looked at."""
        if self.options.mode == "attach":  # it is no child
            return False
        now = launch.ended(self.pid)
        if not now:
            return False
        if self.socket_ends is not None:
            from tracer_hooks.supervisor.sock_diag import has_heard

            if has_heard(self.socket_ends):
                return False
        self.ended = now
        return True

    def read_now(self, now: float, waits_for_us: bool = False) -> None:
        """Look at the tree and take a reading whether or not one is due; whether the main process
        stands still until that is done."""
        if self._observer is not None and not self._broken:
            if waits_for_us:
                self._observer.waits.waits_for_us = self.pid  # type: ignore[attr-defined]
            self._observer.read_now(now)  # type: ignore[attr-defined]

    def last_look(self, now: float, helpers: "dict[int, float]") -> None:
        """The command is a zombie: its own figures are final and can be read for the last time."""
        if self._broken:
            return
        if self._observer is None:
            if self._is_alone():
                from tracer_hooks.supervisor.brief import Zombie

                self._zombie = Zombie(self.proc, self.pid)
                return
            self._start_observer(ended=True)
        self._exclude(helpers, now)
        self._observer.last_look(self.pid, now, self.options.command)  # type: ignore[attr-defined]

    def _exclude(self, helpers: "dict[int, float]", now: float) -> None:
        """Our own helpers are no part of the task; what has the number of one later on may be."""
        excluded = self._observer.tree.excluded  # type: ignore[attr-defined]
        for pid, until in list(helpers.items()):
            if now < until:
                excluded.add(pid)
            else:
                del helpers[pid]
                excluded.discard(pid)

    def _is_alone(self) -> bool:
        """Whether the command, which was never looked at, forked nothing that sources told of."""
        if self.events is not None and not self.events.quiet():
            return False
        return self.exits is None or not self.exits.has_child_of(self.pid)

    def failed(self, error: BaseException) -> None:
        """Observing broke: no more looks; the totals and the seal will still be written."""
        self._broken = True
        self.degraded("observer", "%s: %s" % (type(error).__name__, error))

    def degraded(self, what: str, why: str) -> None:
        """Say in the record what could not be observed."""
        self.event("degraded", {"what": what, "why": why})

    def seal(
        self,
        ended: "dict[str, object]",
        now: float,
        received: "Sequence[Received]" = (),
        exec_errno: int = 0,
    ) -> None:
        """Write the last line: how it `ended` (see `outcome`) at the monotonic time `now`."""
        wall_s = now - self.started
        paused = ended["status"] == "paused"
        line = {
            "t": "paused" if paused else "sealed", "ended_at": now + self.since, "wall_s": wall_s,
        }  # type: dict[str, object]  # fmt: skip
        if not paused:
            line.update(ended)
        self._main_ended(ended)
        try:
            line.update(self._columns(now))
        except Exception as error:  # the outcome is known and will be told
            self.failed(error)
        if ended["status"] not in ("succeeded", "paused"):
            line.update(self._explained(ended, received, now))
        if exec_errno:
            line["exec_errno"] = exec_errno
        if self.options.outputs:
            from tracer_hooks.supervisor.output_size import size_of

            line["output_bytes"] = size_of(self.options.outputs)
        if self.spool.dropped_lines:
            line["events_lost"] = self.spool.dropped_lines
        for one in received:
            self.event("signal", one.detail(), one.at)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        line["observer_cpu_s"] = usage.ru_utime + usage.ru_stime
        # not ru_maxrss, which begins at the size of whoever forked us
        line["observer_memory_bytes"] = self.proc.high_water_bytes("self")
        self.spool.add(line)
        self.spool.flush()
        self.spool.close()

    def _columns(self, now: float) -> "dict[str, object]":
        if self._observer is not None:
            return self._observer.finish(now)  # type: ignore[attr-defined, no-any-return]
        from tracer_hooks.supervisor.brief import columns

        return columns(self, self._zombie, now)  # type: ignore[arg-type]

    def _main_ended(self, ended: "dict[str, object]") -> None:
        """What only its parent knows of the main process."""
        code, signal = ended["exit_code"], ended["signal"]
        if signal == 9 or code == 137:
            self.evidence.main_killed = True
        if self._observer is not None:
            self._observer.main_ended = (self.pid, code, signal)  # type: ignore[attr-defined]

    def _explained(
        self, ended: "dict[str, object]", received: "Sequence[Received]", now: float
    ) -> "dict[str, object]":
        """`ended` with its cause, whose evidence becomes an event."""
        from tracer_hooks.supervisor.explanation import explain, limits_of_time

        try:
            limits_of_time(self.evidence, self.options.card, self.since)
            found, shown = explain(ended, received, self.evidence, self.started, now)
            self.event("failure", dict(shown, cause=found["failure_cause"]), now)
        except Exception as error:
            self.failed(error)
            return ended
        return found

    def event(self, kind: str, detail: "dict[str, object]", at: "float | None" = None) -> None:
        """Note what happened, now or at the monotonic time `at`."""
        at = (time.monotonic() if at is None else at) + self.since
        self.spool.add({"t": "e", "at": at, "kind": kind, "detail": detail})


def first_line(options: Options, host: str, wall_start: float, capture: str) -> "dict[str, object]":
    """The `card` line."""
    line = {
        "t": "card", "v": 1, "card": Raw(options.card), "started_at": wall_start, "host": host,
        "user": _user_name(), "workdir": _workdir(), "observer": observer_identity(),
        "capture": capture, "interval_s": options.interval_s, "mode": options.mode,
    }  # type: dict[str, object]  # fmt: skip
    if options.argv_recorded and options.command:
        from tracer_hooks.supervisor.redact import redact_argv

        line["argv"] = redact_argv(options.command[:_MAX_RECORDED_WORDS], options.redact)
    return line


def _user_name() -> str:
    """The user's name, or the number where /etc/passwd does not name it.

    Not through the name service: on a cluster that is a network request.
    """
    uid = b"%d" % posix.getuid()
    for row in (Proc("/etc").read("passwd", 1 << 16) or b"").splitlines():
        field = row.split(b":")
        if len(field) > 2 and field[2] == uid:
            return field[0].decode("utf-8", "replace")
    name = posix.environ.get(b"LOGNAME") or posix.environ.get(b"USER") or uid
    return name.decode("utf-8", "replace")


def _workdir() -> "str | None":
    try:
        return posix.getcwd()
    except OSError:  # it was removed
        return None
