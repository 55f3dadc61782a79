"""A run as its records tell: an adapter writes one each time that it starts or resumes it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracer_hooks.live.attempt import Attempt, number
from tracer_hooks.store.liveness import SILENT_S, observer_life

if TYPE_CHECKING:
    from tracer_hooks.live.spoolfile import SpoolFile


@dataclass
class Record:
    """One record, open. `head` and `end`: its lines `run` and `run_end`, once they were written."""

    stem: str
    file: SpoolFile
    head: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] | None = None

    def update(self) -> None:
        """Read on."""
        for line in self.file.new_lines():
            if line["t"] == "run":
                self.head = line
            elif line["t"] == "run_end":
                self.end = line

    def lives(self, now: float, running: int) -> bool:
        """Whether the run goes on, as far as can be seen."""
        if self.end is not None or not self.head or self.file.gone():
            return False
        age = now - self.file.modified_at()
        observer, host = self.head.get("observer"), self.head.get("host")
        life = observer_life(
            observer if isinstance(observer, dict) else {},
            host if isinstance(host, str) else None,
            age,
        )
        return life == "alive" or (life == "unknown" and (running > 0 or age < SILENT_S))

    @property
    def wall_s(self) -> float | None:
        """How long the run took."""
        ended, started = (
            number((self.end or {}).get("ended_at")),
            number(self.head.get("started_at")),
        )
        return None if ended is None or started is None else max(0.0, ended - started)


@dataclass
class Run:
    """A run, and what became of its attempts since we look. Times in UNIX seconds."""

    run_id: str
    records: dict[str, Record] = field(default_factory=dict)
    alive: bool = False
    pipeline: str = ""
    engine: str = ""
    started_at: float | None = None
    running: int = 0
    ended: Counter[str] = field(default_factory=Counter)

    @property
    def active(self) -> bool:
        """Whether it goes on: its engine lives, or one of its tasks does."""
        return self.alive or self.running > 0

    @property
    def over(self) -> bool:
        """Whether its engine said that it has ended, each time that it began."""
        ends = [record.end is not None for record in self.records.values()]
        return bool(ends) and all(ends) and not self.active

    def update(self, now: float) -> None:
        """Read on in its records."""
        for record in self.records.values():
            record.update()
            self._describe(record.head)
        self.alive = any(record.lives(now, self.running) for record in self.records.values())

    def describe(self, attempt: Attempt) -> None:
        """Learn from one of its attempts, for runs that have no record."""
        self._describe(
            {
                "pipeline": attempt.pipeline,
                "engine": attempt.engine,
                "started_at": attempt.started_at,
            }
        )

    def _describe(self, known: dict[str, Any]) -> None:
        self.pipeline = self.pipeline or _text(known.get("pipeline"))
        self.engine = self.engine or _text(known.get("engine"))
        started = number(known.get("started_at"))
        if started is not None and (self.started_at is None or started < self.started_at):
            self.started_at = started

    def close(self) -> None:
        """Let go of its records."""
        for record in self.records.values():
            record.file.close()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
