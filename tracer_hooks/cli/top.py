"""`tracer-hooks top`: what runs now in a store, and what each task waits for."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import console
from tracer_hooks.cli.parsing import add_store
from tracer_hooks.cli.prices import add_prices, pricing_of
from tracer_hooks.hint import hint

if TYPE_CHECKING:
    import argparse
    from types import FrameType

    from rich.console import Console, Group

    from tracer_hooks.live.cost import Prices
    from tracer_hooks.live.fleet import Fleet
    from tracer_hooks.live.now import RunNow, TaskNow
    from tracer_hooks.live.table import View

_PIPED_HEIGHT = 100


def _configure(parser: argparse.ArgumentParser) -> None:
    from tracer_hooks.quantities import parse_duration

    parser.add_argument(
        "--once", action="store_true",
        help="print what runs now and end (what happens anyway where stdout is no terminal)",
    )  # fmt: skip
    parser.add_argument(
        "--interval", metavar="DURATION", type=parse_duration, default=1.0,
        help="how often to look (default: 1 second)",
    )  # fmt: skip
    add_store(parser)
    add_prices(parser)


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.adapter import store_path
    from tracer_hooks.alert.rules import rule_table
    from tracer_hooks.live.cost import Prices
    from tracer_hooks.live.fleet import Fleet

    fleet = Fleet(Path(store_path(options.store)), rule_table().measure)
    top = _Top(fleet, Prices(pricing_of(options)), options.store)
    try:
        out = console()
        # A dumb terminal cannot be drawn on: it would show the codes.
        if options.once or out.is_dumb_terminal or not (out.is_terminal and sys.stdin.isatty()):
            top.look()
            if not fleet.runs:
                from tracer_hooks.store import Store

                Store(options.store).existing_runs()  # raises if it is none
            out.print(top.drawn((out.width, _PIPED_HEIGHT), interactive=False))
        else:
            top.follow(out, max(0.1, options.interval))
    finally:
        fleet.close()
    return 0


def _nothing(store: str | None) -> str:
    """What is said where nothing runs: who watches may wait for a store that is not there yet."""
    from tracer_hooks.adapter import store_path

    folder = store_path(store)
    if not folder.is_dir():
        return f"There is no store at {folder} yet: what begins to run there will be shown."
    return f"Nothing runs here now. `{hint('runs', store=store)}` shows what has run."


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


class _Top:
    def __init__(self, fleet: Fleet, prices: Prices, store: str | None) -> None:
        from tracer_hooks.live.table import View

        self._fleet, self._prices = fleet, prices
        self._store = store
        self._view: View = View()
        self._runs: list[RunNow] = []
        self._tasks: list[TaskNow] = []

    def look(self) -> None:
        """Read what is new."""
        from tracer_hooks.live.now import run_now, task_now

        now = time.time()
        for _ in self._fleet.look(now):
            pass  # what ended is of no interest here
        tasks = []
        for attempt in self._fleet.running():
            elapsed = attempt.last.get("elapsed_s")
            cost = self._prices.of(attempt, attempt.last, elapsed)
            tasks.append(task_now(attempt, now, None if cost is None else cost.allocated))
        mine: dict[str, list[TaskNow]] = {}
        for task in tasks:
            mine.setdefault(task.run_id, []).append(task)
        self._runs = [
            run_now(run, mine.get(run.run_id, []), now) for run in self._fleet.runs.values()
        ]
        self._tasks = tasks

    def drawn(self, size: tuple[int, int], *, interactive: bool) -> Group:
        """The screen as of the last look."""
        from tracer_hooks.cli.top_screen import screen

        runs, tasks = self._chosen()
        nothing = "" if tasks else _nothing(self._store)
        return screen(self._view, runs, tasks, self._processes(), size, interactive, nothing)

    def follow(self, out: Console, interval_s: float) -> None:
        """Draw again and again, until `q`. The terminal is left as it was, whoever ends this."""
        from rich.live import Live

        from tracer_hooks.cli.keys import keys

        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _end)
        self.look()
        with keys() as typed, Live(console=out, screen=True, auto_refresh=False) as live:
            due = time.monotonic() + interval_s
            while True:
                size = out.width, out.height
                live.update(self.drawn(size, interactive=True), refresh=True)
                key = typed.next(max(0.0, due - time.monotonic()))
                if key == "q":
                    return
                if key is not None:
                    self._view = self._view.pressed(key, *self._chosen())
                if time.monotonic() >= due:
                    self.look()
                    due = time.monotonic() + interval_s

    def _chosen(self) -> tuple[list[RunNow], list[TaskNow]]:
        from tracer_hooks.live.table import chosen

        return chosen(self._view, self._runs, self._tasks)

    def _processes(self) -> list[dict[str, Any]]:
        """The processes of the task that is looked at, the busiest first."""
        from tracer_hooks.store.processes import process_rows
        from tracer_hooks.tools import default_rules

        found = next(
            (f for (_, stem), f in self._fleet.attempts.items() if stem == self._view.stem), None
        )
        if found is None:
            return []
        lines = found.file.process_lines()
        rows = process_rows(lines["p"], lines["q"], default_rules())
        memory = {row[0]: row[2] for row in found.attempt.hot if len(row) > 2}
        alive = [
            {**row, "memory_bytes": memory.get(row.get("process_id"))}
            for row in rows
            if row.get("ended_at") is None and not row.get("replaced")
        ]
        return sorted(alive, key=lambda row: row.get("cpu_s") or 0.0, reverse=True)


COMMAND = Command(
    name="top",
    summary="watch what runs now: runs, tasks, what each waits for, the costliest first",
    examples="""\
  tracer-hooks top
  tracer-hooks top --store /shared/.tracer
  tracer-hooks top --once | head
""",
    configure=_configure,
    execute=_execute,
)
