"""The sources that look for causes and containers: cgroups, `timeout`s, container engines."""

import posix
import time

from tracer_hooks.supervisor.sources import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.observer import Observer
    from tracer_hooks.supervisor.record import Record


class Guarded(Source):
    """A source that ends, with a word in the record, if it raises."""

    def __init__(self, source: Source, observer: "Observer") -> None:
        self.name = source.name
        self._source = source  # type: Source | None
        self._observer = observer

    def _ask(self, method: str, now: float) -> "object":
        if self._source is None:
            return None
        try:
            return getattr(self._source, method)(now)
        except Exception as error:
            self._source = None
            self._observer.degraded(self.name, "%s: %s" % (type(error).__name__, error))
            return None

    def due(self) -> float:
        """As the source says."""
        return float("inf") if self._source is None else self._source.due()

    def before_scan(self, now: float) -> None:
        """Pass on."""
        self._ask("before_scan", now)

    def look(self, now: float) -> None:
        """Pass on."""
        self._ask("look", now)

    def finish(self, now: float) -> None:
        """Pass on."""
        self._ask("finish", now)

    def columns(self, now: float) -> "dict[str, object]":
        """What the source knows, nothing if it has ended."""
        found = self._ask("columns", now)
        return found if isinstance(found, dict) else {}


def watch_failures(record: "Record", observer: "Observer") -> None:
    """Add the sources to the observer; what goes wrong is written down as degraded."""
    try:
        from tracer_hooks.supervisor.cgroup import watch_cgroups
        from tracer_hooks.supervisor.containers import ContainerSource, TotalsWithContainers
        from tracer_hooks.supervisor.newcomers import TimerSource

        cgroups = watch_cgroups(record, observer, posix.getpid(), time.monotonic())
        containers = ContainerSource(observer, cgroups)
        for source in (TimerSource(observer.tree, record.evidence), cgroups, containers):
            observer.sources.append(Guarded(source, observer))
        observer.totals = TotalsWithContainers(observer.totals, containers)
    except Exception as error:
        observer.degraded("cgroup", "%s: %s" % (type(error).__name__, error))
