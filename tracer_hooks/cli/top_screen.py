"""What `top` draws: runs, tasks and what each waits for; or one task with its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tracer_hooks.live.table import ORDERS, View
from tracer_hooks.report import units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.live.now import RunNow, TaskNow

_WAITS = {
    "cpu": "on a CPU",
    "runnable": "ready, no free core",
    "disk": "disk",
    "network": "network",
    "idle": "idle",
}
_STYLES = {"cpu": "green", "runnable": "yellow", "disk": "magenta", "network": "cyan"}
_KEYS = "↑ ↓ enter: into  esc: back  q: quit  sort: " + "  ".join(
    f"{key}: {name}" for key, (name, _) in ORDERS.items()
)


def screen(
    view: View,
    runs: Sequence[RunNow],
    tasks: Sequence[TaskNow],
    processes: Sequence[dict[str, Any]],
    height: int,
    interactive: bool,
) -> Group:
    """Everything; at most `height` lines."""
    parts: list[Any] = [_headline(view, runs, tasks)]
    task = next((task for task in tasks if task.stem == view.stem), None)
    if view.stem is not None:
        parts.append(_one_task(task) if task else Text("It is over."))
        parts.append(_processes(processes[: max(1, height - 12)]))
    else:
        if view.run_id is None and runs:
            parts.append(_runs(runs[: height // 3], view.row))
        shown = 0 if view.run_id is not None else len(runs)
        room = max(3, height - 6 - (min(len(runs), height // 3) + 2 if shown else 0))
        first = max(0, view.row - shown - room + 1)
        parts.append(_tasks(tasks[first : first + room], view.row - shown - first))
        if len(tasks) > room:
            parts.append(Text(f"{len(tasks) - room} more", style="dim"))
    if interactive:
        parts.append(Text(_KEYS, style="dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _headline(view: View, runs: Sequence[RunNow], tasks: Sequence[TaskNow]) -> Text:
    used = sum(task.cores_used or 0.0 for task in tasks)
    held = sum(task.cores_requested or 0.0 for task in tasks)
    memory = sum(task.memory_bytes or 0.0 for task in tasks)
    where = f"run {view.run_id}: " if view.run_id is not None else f"{len(runs)} runs, "
    return Text(
        f"{where}{len(tasks)} tasks · {units.cores(used)} cores used of {units.cores(held)} held"
        f" · {units.size(memory)} · sorted by {ORDERS[view.order][0]}",
        style="bold",
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        right = column.startswith(">")
        table.add_column(
            column.removeprefix(">"),
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    return table


def _runs(runs: Sequence[RunNow], chosen: int) -> Table:
    table = _table("RUN", "PIPELINE", "ENGINE", ">ON FOR", ">RUNNING", ">ENDED", ">FAILED",
                   ">CORES", ">MEMORY")  # fmt: skip
    for index, run in enumerate(runs):
        failed = run.ended.get("failed", 0) + run.ended.get("lost", 0)
        table.add_row(
            *map(Text, (run.run_id, run.pipeline, run.engine)),
            units.duration(run.elapsed_s),
            str(run.running),
            str(sum(run.ended.values())),
            Text(str(failed), style="red" if failed else ""),
            f"{units.cores(run.cores_used)}/{units.cores(run.cores_requested)}",
            units.size(run.memory_bytes),
            style="reverse" if index == chosen else "",
        )
    return table


def _tasks(tasks: Sequence[TaskNow], chosen: int) -> Table:
    table = _table("STEP", "TASK", "HOST", ">FOR", "WAITS FOR", ">CORES", ">MEMORY", ">PROGRESS",
                   ">COST")  # fmt: skip
    for index, task in enumerate(tasks):
        table.add_row(
            *map(Text, (task.step, task.name, task.host)),
            units.duration(task.elapsed_s),
            Text(
                _WAITS.get(task.waits or "", units.UNKNOWN), style=_STYLES.get(task.waits or "", "")
            ),
            f"{units.cores(task.cores_used)}/{units.cores(task.cores_requested)}",
            f"{units.size(task.memory_bytes)}/{units.size(task.memory_limit_bytes)}",
            units.duration(task.progress_age_s),
            units.number(task.cost),
            style="reverse" if index == chosen else "",
        )
    return table


def _one_task(task: TaskNow) -> Table:
    table = _table("", "")
    table.show_header = False
    for name, value in (
        ("task", f"{task.name} (attempt {task.attempt}), step {task.step}, run {task.run_id}"),
        ("host", task.host),
        ("runs for", units.duration(task.elapsed_s)),
        ("waits for", _WAITS.get(task.waits or "", units.UNKNOWN)),
        ("cores", f"{units.cores(task.cores_used)} of {units.cores(task.cores_requested)}"),
        ("CPU time", units.cpu_time(task.cpu_s)),
        ("memory", f"{units.size(task.memory_bytes)} of {units.size(task.memory_limit_bytes)}"),
        ("last progress", f"{units.duration(task.progress_age_s)} ago"),
    ):
        table.add_row(Text(name, style="dim"), Text(value))
    return table


def _processes(rows: Sequence[dict[str, Any]]) -> Table:
    table = _table(">PID", "TOOL", ">CPU", ">MEMORY")
    for row in rows:
        table.add_row(
            str(row.get("pid", "")),
            Text(str(row.get("tool", ""))),
            units.cpu_time(row.get("cpu_s")),
            units.size(row.get("memory_bytes")),
        )
    return table
