"""Putting the observer of a record together: what it looks at, and through which sources."""

import gc
import posix
import time

from tracer_hooks.supervisor.host import HostReadings
from tracer_hooks.supervisor.identifiers import escape
from tracer_hooks.supervisor.observer import Observer
from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.quick_import import EXIT_RECORDS, FAILURES, SOCKETS, load
from tracer_hooks.supervisor.rows import Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.record import Record

# Where the kernel has no children files: at least this far apart, and this share of one core.
_SCAN_S = 0.5
_SCAN_SHARE = 0.006


def watch(record: "Record", ended: bool = False) -> Observer:
    """The observer of a record: in `run` mode the tree hangs from this process's children, in
    `attach` mode from the process that was named."""
    gc.freeze()  # what is here by now stays
    gc.enable()
    proc, options = record.proc, record.options
    me = posix.getpid()
    host_path = "%s/@host.%s.jsonl" % (
        record.spool.path.rpartition("/")[0], escape(record.host, 100),
    )  # fmt: skip
    attached = options.mode == "attach"
    if proc.stat(me) is None:
        record.degraded("processes", "%s can't be read: only the kernel's totals are" % proc.root)
    elif proc.children(me, me) is None:
        record.degraded(
            "processes", "this kernel has no children files: new processes are sought less often"
        )
    observer = Observer(
        proc,
        record.spool,
        record.totals,
        _Roots(proc, record.pid if attached else me, attached).pids,
        started=record.started,
        since=record.since,
        interval_s=options.interval_s,
        rows=Rows(record.spool, record.since, options),
        host=HostReadings(proc, host_path, record.host),
    )
    if attached:
        record.totals.follow(observer.tree)  # type: ignore[union-attr]
    else:
        own = proc.stat(me)
        observer.tree.not_yet_stack = own.start_stack if own is not None else 0
    if record.events is not None:
        from tracer_hooks.supervisor.perf import PerfSource

        observer.sources.append(PerfSource(record.events, observer))
    if record.exits is not None:  # after perf, whose images its records complete
        load(EXIT_RECORDS)
        from tracer_hooks.supervisor.taskstats import TaskstatsSource

        observer.sources.append(TaskstatsSource(record.exits, observer, record.pid, not attached))
    if ended:
        return observer
    if attached:  # it may end any moment, and stands still then until it is answered
        observer.hurries = True
        observer.later = [lambda: _watch_sockets(record, observer)]
    else:
        _watch_sockets(record, observer)
    observer.later.append(lambda: _watch_failures(record, observer))
    return observer


def _watch_sockets(record: "Record", observer: Observer) -> None:
    load(SOCKETS)
    from tracer_hooks.supervisor.sockets import watch_sockets

    options = record.options
    accounts = options.capture in ("auto", "taskstats")
    watch_sockets(observer, options.mode == "attach", record.socket_ends, accounts)


def _watch_failures(record: "Record", observer: Observer) -> None:
    """The sources that a task of a few milliseconds does without, for it would pay for them."""
    load(FAILURES)
    from tracer_hooks.supervisor.failure_sources import watch_failures

    exact, observer.sources = observer.sources, []
    watch_failures(record, observer)  # before those who take what has ended
    observer.sources += exact
    from tracer_hooks.supervisor.peeks import PeekSource

    observer.sources.append(PeekSource(observer))


class _Roots:
    """The pids at the top of the tree of process `top`, which itself is one if `included`."""

    def __init__(self, proc: Proc, top: int, included: bool) -> None:
        self._proc = proc
        self._top = top
        self._own = [top] if included else []
        self._by_scan = proc.children(top, top) is None
        self._next_scan = 0.0

    def pids(self) -> "list[int]":
        if not self._by_scan:
            return self._own or self._proc.children(self._top, self._top) or []
        now = time.monotonic()
        if now < self._next_scan:
            return self._own
        found = self._own + self._proc.descendants(self._top)
        self._next_scan = now + max(_SCAN_S, (time.monotonic() - now) / _SCAN_SHARE)
        return found
