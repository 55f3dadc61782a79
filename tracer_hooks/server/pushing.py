"""`serve --otlp URL`: what ended is queued as it is counted, figures go every while."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from tracer_hooks.export.otlp.figures import metrics_data
from tracer_hooks.export.otlp.records import attempt_record, run_record
from tracer_hooks.live.outbox import Target
from tracer_hooks.store.processes import process_rows

if TYPE_CHECKING:
    from tracer_hooks.export.otlp.collector import Collector
    from tracer_hooks.live.attempt import Attempt, Line
    from tracer_hooks.live.state import State
    from tracer_hooks.server.watching import Watching
    from tracer_hooks.tools import ToolRules

TRACES = "otlp:traces"
_BATCH = 50
_LONGEST_PAUSE_S = 300.0
# Columns of `tasks` that stand in the card's and the seal's lines under the same names.
_WHERE = ("host", "user", "workdir", "started_at", "capture")


class Traces:
    """Puts a span's record in the queue for each attempt and run that ended."""

    def __init__(self, state: State, rules: ToolRules) -> None:
        self._state, self._rules = state, rules

    def attempt_ended(
        self, attempt: Attempt, processes: dict[str, list[Line]] | None, in_run: bool
    ) -> None:
        """Queue it; with its processes, if they are still to be had."""
        lines = processes or {}
        rows = process_rows(lines.get("p", []), lines.get("q", []), self._rules)
        row: dict[str, Any] = {
            **{key: value for key, value in attempt.card.items() if key != "card"},
            **{key: attempt.head[key] for key in _WHERE if key in attempt.head},
            **(attempt.sealed or attempt.last),
            "run_id": attempt.run_id,
            "task_id": attempt.task_id,
            "attempt": attempt.number,
            "status": attempt.status,
        }
        record = attempt_record(row, rows, lines.get("e", []), in_run)
        self._state.enqueue(TRACES, json.dumps(record))

    def run_ended(self, run_id: str, head: Line, end: Line) -> None:
        """Queue it."""
        row = {k: v for k, v in {**head, **end}.items() if k not in ("observer", "v")}
        self._state.enqueue(TRACES, json.dumps(run_record(run_id, row)))


def traces_target(collector: Collector) -> Target:
    """Where the queue goes."""
    return Target(collector.deliver, batch=_BATCH)


class Figures:
    """The thread that sends all figures every `every_s` seconds, less often while nobody takes
    them. They are cumulative: what comes next holds what did not arrive."""

    def __init__(
        self, collector: Collector, watching: Watching, began: float, every_s: float
    ) -> None:
        self._collector, self._watching = collector, watching
        self._began, self._every_s = began, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="push", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send a last time, and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)
            self._send()

    def _loop(self) -> None:
        pause = self._every_s
        while not self._stop.wait(pause):
            pause = self._every_s if self._send() else min(_LONGEST_PAUSE_S, pause * 2)

    def _send(self) -> bool:
        families = self._watching.all_families()
        data = metrics_data(families, self._began, time.time())
        return self._collector.deliver_metrics(data) == "sent"
