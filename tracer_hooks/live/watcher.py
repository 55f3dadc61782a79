"""Looks at a store again and again, counts what ended, and says what runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tracer_hooks.live.catch_up import CatchUp
from tracer_hooks.live.fleet import Fleet
from tracer_hooks.live.gauges import run_gauges, task_gauges
from tracer_hooks.live.ingested import attempt_of
from tracer_hooks.live.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tracer_hooks.alert.rules import Measure
    from tracer_hooks.live.attempt import Attempt, Line
    from tracer_hooks.live.cost import Prices
    from tracer_hooks.live.fleet import Followed
    from tracer_hooks.live.ledger import Series
    from tracer_hooks.live.runs import Run
    from tracer_hooks.live.state import State
    from tracer_hooks.tools import ToolRules

# What ended longer ago before the first `serve` is the past, which exports are for.
_PAST_S = 600.0
# Of a run without a record nobody says that it is over: there may be hours between two commands.
_GONE_S = 6 * 3600.0


class Listener(Protocol):
    """Told of what ended, before it is committed: what it writes to the state is one with it."""

    def attempt_ended(
        self, attempt: Attempt, processes: dict[str, list[Line]] | None, in_run: bool
    ) -> None:
        """`processes`: the spool's lines of processes and events, if it is still there; `in_run`:
        the run has a record, and will be told of too."""

    def run_ended(self, run_id: str, head: Line, end: Line) -> None:
        """`head` and `end`: columns of `runs`."""


@dataclass(frozen=True)
class Snapshot:
    """All figures at one moment. `counters` are as they are: who publishes them holds new ones."""

    at: float
    counters: Mapping[Series, float]
    gauges: Mapping[Series, float]


class Watcher:
    """One store, followed. Everything is called from one thread."""

    def __init__(
        self,
        store: Path,
        state: State,
        prices: Prices,
        measure: Measure,
        rules: ToolRules,
        *,
        budgets: Mapping[str, float] | None = None,
        most: Mapping[str, int] | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.store, self.state, self.measure = store, state, measure
        self._prices, self._most = prices, most
        self.ledger = Ledger(state, prices, measure, most)
        self.fleet = Fleet(store, measure, state.counted)
        self.listeners: list[Listener] = []
        self.looked_at = 0.0
        self.rules, self._budgets = rules, dict(budgets or {})
        self._fresh = state.get("began") is None
        self._parquet = CatchUp(store, state, warn)
        self._snapshot: Snapshot | None = None
        self._quiet: dict[str, float] = {}  # runs that do nothing now, and since when

    def look(self, now: float | None = None) -> None:
        """Read what is new, count what ended."""
        now = time.time() if now is None else now
        try:
            self._look(now)
        except BaseException:
            self._begin_again()
            raise

    def _begin_again(self) -> None:
        """What was counted and not committed was not counted: the next look reads it again."""
        self.state.rollback()
        self.fleet.close()
        self.ledger = Ledger(self.state, self._prices, self.measure, self._most)
        self.fleet = Fleet(self.store, self.measure, self.state.counted)
        self._fresh = self.state.get("began") is None
        self._snapshot = None

    def _look(self, now: float) -> None:
        if self._fresh:
            self._parquet.begin()
            self.state.set("began", repr(now))
        for followed in self.fleet.look(now):
            self._ended(followed, now)
        for run in list(self.fleet.runs.values()):
            self._count_run(run, now)
        self._fresh = False
        for found in self._parquet.look(now):
            self._count_row(found, now)
        for attempt in self._parquet.given_up(now):
            attempt.status = "lost"
            if self.ledger.ended(attempt, [], now):
                self._tell(attempt, None)
        self._forget_costs(now)
        self.state.commit()
        self.looked_at, self._snapshot = now, None

    def running(self) -> list[Attempt]:
        """The attempts that run now."""
        return self.fleet.running()

    def snapshot(self) -> Snapshot:
        """The figures as of the last look."""
        if self._snapshot is None:
            now, running = self.looked_at, self.running()
            unresolved = self._parquet.vanished()
            silent = [f.attempt for f in self.fleet.attempts.values() if f.attempt not in running]
            gauges = task_gauges(running, self.ledger, self.measure, now)
            runs = self.fleet.active()
            gauges |= run_gauges(runs, running, self.ledger, self._budgets, now)
            counters = self.ledger.counters([*running, *silent, *unresolved], now)
            try:
                self.state.commit()  # label sets that were new
            except BaseException:
                self._begin_again()
                raise
            self._snapshot = Snapshot(now, counters, gauges)
        return self._snapshot

    def close(self) -> None:
        """Let go of all files."""
        self.fleet.close()
        self.state.close()

    # --- what ended ------------------------------------------------------------------------------
    def _ended(self, followed: Followed, now: float) -> None:
        attempt = followed.attempt
        if attempt.status == "running":  # its spool is gone: Parquet knows how it ended
            self._parquet.vanish(attempt, now)
            return
        ended_at = (attempt.sealed or {}).get("ended_at")
        if self._fresh and isinstance(ended_at, (int, float)) and now - ended_at > _PAST_S:
            self.ledger.skip(attempt)
            return
        tools = followed.file.tools(attempt.head.get("interval_s"), self.rules)
        if self.ledger.ended(attempt, tools, now):
            self._tell(attempt, followed.file.process_lines() if self.listeners else None)

    def _count_run(self, run: Run, now: float) -> None:
        for record in run.records.values():
            if record.end is None or not record.head:
                continue
            labels = (run.pipeline, run.engine)
            status = str(record.end.get("status"))
            ended_at = record.end.get("ended_at")
            if self._fresh and isinstance(ended_at, (int, float)) and now - ended_at > _PAST_S:
                self.state.count(run.run_id, record.stem)
            elif self.ledger.run_ended(run.run_id, record.stem, labels, status, record.wall_s, now):
                for listener in self.listeners:
                    listener.run_ended(run.run_id, record.head, record.end)

    def _forget_costs(self, now: float) -> None:
        """What a run cost is kept until it says that it is over, or was not seen for hours: between
        two of its tasks it may do nothing for a while."""
        for run_id in {run_id for run_id, _ in self.ledger.run_costs}:
            run = self.fleet.runs.get(run_id)
            if run is not None and run.active:
                self._quiet.pop(run_id, None)
                continue
            since = self._quiet.setdefault(run_id, now)
            if (run is not None and run.over) or now - since > _GONE_S:
                self.ledger.forget_run(run_id)
                del self._quiet[run_id]

    def _count_row(self, found: dict[str, Line], now: float) -> None:
        """What was found in Parquet that is not counted yet."""
        if "run" in found:
            row = found["run"]
            labels = (row["pipeline"] or "", row["engine"] or "")
            run_id, stem = row["run_id"], row["spool"]
            if self.ledger.run_ended(run_id, stem, labels, row["status"], row["wall_s"], now):
                self._tell_run(run_id, row, row)
                known = self.fleet.runs.get(run_id)
                if known is None or not known.active:
                    self.ledger.forget_run(run_id)
            return
        row = found["attempt"]
        attempt = attempt_of(row)
        if self.ledger.ended(attempt, row["tools"], now):
            run = self.fleet.runs.get(attempt.run_id)
            if run is not None:
                run.ended[attempt.status] += 1
            self._tell(attempt, None)

    def _tell(self, attempt: Attempt, processes: dict[str, list[Line]] | None) -> None:
        run = self.fleet.runs.get(attempt.run_id)
        in_run = attempt.engine not in ("", "command") if run is None else bool(run.records)
        for listener in self.listeners:
            listener.attempt_ended(attempt, processes, in_run)

    def _tell_run(self, run_id: str, head: Line, end: Line) -> None:
        for listener in self.listeners:
            listener.run_ended(run_id, head, end)


def raise_file_limit() -> None:
    """A descriptor is kept for each running attempt."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def default_state(store: Path) -> Path:
    """Where `serve` keeps what it remembers of a store."""
    return store / ".serve"
