"""Runs as traces to an OpenTelemetry collector (`export otlp RUN --to URL`), by OTLP over HTTP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tracer_hooks.errors import TracerError
from tracer_hooks.export.otlp.collector import Collector
from tracer_hooks.export.otlp.records import attempt_record, run_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer_hooks.export.sender import RunToSend

_BATCH = 50
_LONGEST_PAUSE_S = 10.0


def connect(target: str, *, patience_s: float, tell: Callable[[str], None]) -> Traces:
    """The collector at `target`. Raises TracerError without the SDK, UsageError for no URL."""
    return Traces(Collector(target), patience_s, tell)


class Traces:
    """Where traces go. What this process has sent it does not send again; what another one sends
    again has the same ids."""

    def __init__(
        self, collector: Collector, patience_s: float, tell: Callable[[str], None]
    ) -> None:
        self._collector, self._patience_s, self._tell = collector, patience_s, tell
        self._sent: set[tuple[str, str]] = set()

    def send(self, run: RunToSend) -> str | None:
        """Send the attempts of the run that are over, and the run once it is. Raises TracerError
        when the collector stays away or refuses."""
        from tracer_hooks.analysis.trace import run_trace

        waiting: list[dict[str, object]] = []
        count = 0
        has_record = bool(run.record.get("engine")) and run.record.get("engine") != "command"
        for attempt in run_trace(run.tables, run.run_id).attempts():
            row = attempt.attempt
            key = (run.run_id, f"{row['task_id']}\0{row['attempt']}")
            if row.get("status") in (None, "running") or key in self._sent:
                continue
            self._sent.add(key)
            record = attempt_record(
                {**row, "run_id": run.run_id}, attempt.processes, attempt.events, has_record
            )
            waiting.append(record)
            count += 1
            if len(waiting) == _BATCH:
                self._deliver(waiting)
                waiting = []
        key = (run.run_id, "")
        if has_record and run.record.get("status") != "running" and key not in self._sent:
            self._sent.add(key)
            waiting.append(run_record(run.run_id, run.record))
            count += 1
        self._deliver(waiting)
        return f"{count} spans of tasks and the run" if count else None

    def close(self) -> None:
        """Let go of the collector."""
        self._collector.close()

    def _deliver(self, records: list[dict[str, object]]) -> None:
        if not records:
            return
        begin, pause = time.monotonic(), 0.5
        while (outcome := self._collector.deliver_records(records)) != "sent":
            if outcome == "refused":
                raise TracerError(f"the collector refuses it: {self._collector.problem}")
            if time.monotonic() - begin + pause > self._patience_s:
                raise TracerError(f"the collector can't be reached: {self._collector.problem}")
            if pause == 0.5:
                self._tell(f"waiting for the collector: {self._collector.problem}")
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 2)
