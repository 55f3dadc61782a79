"""The thread that looks at the store, and what the web pages may ask of it meanwhile."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tracer_hooks.export.exposition import exposed
from tracer_hooks.live.catch_up import ingested_at
from tracer_hooks.live.families import families, own_families
from tracer_hooks.live.now import RunNow, TaskNow, run_now, task_now
from tracer_hooks.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer_hooks.export.families import Family, Point
    from tracer_hooks.live.watcher import Watcher

# Older figures than this are not healthy.
STALE_S = 30.0
_LISTED_EVERY_S = 5.0


class Watching:
    """A `Watcher` in a thread. Every public method may be called from any thread."""

    def __init__(
        self, watcher: Watcher, *, interval_s: float, hold_s: float, warn: Callable[[str], None]
    ) -> None:
        self._watcher = watcher
        self.interval_s, self._hold_s, self._warn = interval_s, hold_s, warn
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="watch", daemon=True)
        self._after: list[Callable[[Watcher], None]] = []
        self._more: list[Callable[[], dict[str, list[Point]]]] = []
        self._texts: dict[bool, tuple[float, bytes, str]] = {}
        self._known: tuple[float, dict[str, float]] = (0.0, {})
        self.looks = 0

    def after_look(self, then: Callable[[Watcher], None]) -> None:
        """Have something done after each look, in its thread."""
        self._after.append(then)

    def tell_too(self, points: Callable[[], dict[str, list[Point]]]) -> None:
        """Have more said under /metrics: points by names of metrics of the group `serve`."""
        self._more.append(points)

    def start(self) -> None:
        """Look once, so that nothing is shown that is not true yet, and go on in the thread."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and let go of everything."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)
        with self._lock:
            self._watcher.close()

    def _loop(self) -> None:
        while not self._stop.wait(self.interval_s):
            self._try()

    def _try(self) -> None:
        try:
            self._look()
        except Exception as error:  # the next look begins anew: a disk may be full for a while
            self._warn(f"a look at the store failed: {type(error).__name__}: {error}")

    def _look(self) -> None:
        with self._lock:
            self._watcher.look()
            for then in self._after:
                then(self._watcher)
            self.looks += 1

    # --- for the pages ---------------------------------------------------------------------------
    def age_s(self) -> float:
        """How old the figures are."""
        return time.time() - self._watcher.looked_at

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """The text of /metrics, written at most once a look for each format."""
        modern = "application/openmetrics-text" in accept
        with self._lock:
            at = self._watcher.looked_at
            cached = self._texts.get(modern)
            if cached is None or cached[0] != at:
                cached = (at, *exposed(self.families(), accept))
                self._texts[modern] = cached
            return cached[1], cached[2]

    def families(self) -> list[Family]:
        """Everything there is to say; only in the watching thread, or under its lock."""
        groups = self._watcher.ledger.groups
        more = {name: points for tell in self._more for name, points in tell().items()}
        found = list(families(self._watcher.snapshot(), groups, self._hold_s))
        return [*found, *own_families(self._watcher.looked_at, groups, more)]

    def all_families(self) -> list[Family]:
        """The same, for other threads."""
        with self._lock:
            return self.families()

    def now(self) -> tuple[list[RunNow], list[TaskNow]]:
        """The runs that are followed, the newest first, and the running tasks, the costliest
        first."""
        with self._lock:
            now = self._watcher.looked_at
            tasks = [task_now(attempt, now) for attempt in self._watcher.running()]
            mine: dict[str, list[TaskNow]] = {}
            for task in tasks:
                mine.setdefault(task.run_id, []).append(task)
            runs = [
                run_now(run, mine.get(run.run_id, []), now)
                for run in self._watcher.fleet.runs.values()
            ]
        runs.sort(key=lambda run: (run.active, run.started_at or 0.0), reverse=True)
        tasks.sort(key=lambda task: task.cores_used or 0.0, reverse=True)
        return runs, tasks

    def run(self, run_id: str) -> RunNow | None:
        """A run that is followed, or None."""
        return next((run for run in self.now()[0] if run.run_id == run_id), None)

    def stored(self) -> dict[str, float]:
        """Every run that was ingested, with when that changed last (UNIX seconds)."""
        listed_at, known = self._known
        if time.time() - listed_at >= _LISTED_EVERY_S:
            known = ingested_at(Layout(self._watcher.store))
            self._known = time.time(), known
        return known

    def version(self, run_id: str) -> str | None:
        """Changes when a report on the run would; None: there is no such run."""
        run, stored = self.run(run_id), self.stored().get(run_id)
        if run is None:
            return None if stored is None else f"{stored:.3f}"
        ended = sum(run.ended.values())
        # While tasks run their readings grow too: a new report every ten seconds.
        beat = int(time.time() / 10) if run.active else 0
        return f"{stored or 0:.3f}-{run.running}-{ended}-{beat}"
