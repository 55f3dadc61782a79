"""What `top` shows, ordered and chosen: pure functions from what runs now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracer_hooks.live.now import RunNow, TaskNow

if TYPE_CHECKING:
    from collections.abc import Sequence

_Key = Callable[[TaskNow], float]


def _cores(task: TaskNow) -> float:
    return task.cores_used or 0.0


def _idle(task: TaskNow) -> float:
    return (task.cores_requested or 0.0) - (task.cores_used or 0.0)


def _cpu(task: TaskNow) -> float:
    return task.cpu_s or 0.0


def _memory(task: TaskNow) -> float:
    return task.memory_bytes or 0.0


def _elapsed(task: TaskNow) -> float:
    return task.elapsed_s or 0.0


def _progress(task: TaskNow) -> float:
    return task.progress_age_s or 0.0


def _cost(task: TaskNow) -> float:
    return task.cost or 0.0


# Keys, what they sort by, and the order.
ORDERS: dict[str, tuple[str, _Key]] = {
    "c": ("cores used", _cores),
    "i": ("cores held and idle", _idle),
    "u": ("CPU time", _cpu),
    "m": ("memory", _memory),
    "t": ("how long it runs", _elapsed),
    "w": ("how long without progress", _progress),
    "d": ("cost so far", _cost),
}


@dataclass(frozen=True)
class View:
    """What a person looks at: all runs, the tasks of one, or one task; sorted how; which row."""

    order: str = "c"
    run_id: str | None = None
    stem: str | None = None
    row: int = 0

    def pressed(self, key: str, runs: Sequence[RunNow], tasks: Sequence[TaskNow]) -> View:
        """What is looked at after a key: one of ORDERS, up, down, enter, escape."""
        if key in ORDERS:
            return replace(self, order=key, row=0)
        rows = len(tasks) if self.run_id is not None or not runs else len(runs) + len(tasks)
        if key in ("up", "down"):
            step = 1 if key == "down" else -1
            return replace(self, row=min(max(0, self.row + step), max(0, rows - 1)))
        if key == "enter":
            return self._into(runs, tasks)
        if key == "escape":
            if self.stem is not None:
                return replace(self, stem=None)
            return replace(self, run_id=None, row=0)
        return self

    def _into(self, runs: Sequence[RunNow], tasks: Sequence[TaskNow]) -> View:
        if self.stem is not None:
            return self
        shown = [] if self.run_id is not None else runs
        if self.row < len(shown):
            return replace(self, run_id=shown[self.row].run_id, row=0)
        index = self.row - len(shown)
        return replace(self, stem=tasks[index].stem) if index < len(tasks) else self


def chosen(view: View, runs: Sequence[RunNow], tasks: Sequence[TaskNow]) -> tuple[
    list[RunNow], list[TaskNow]
]:  # fmt: skip
    """The runs and tasks that are shown, in order: runs by start, the newest first."""
    active = [run for run in runs if run.active]
    mine = [task for task in tasks if view.run_id in (None, task.run_id)]
    mine.sort(key=ORDERS[view.order][1], reverse=True)
    return sorted(active, key=lambda run: run.started_at or 0.0, reverse=True), mine
