"""What `top` draws: runs, tasks and what each waits for; or one task with its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tracer_hooks.live.now import total
from tracer_hooks.live.table import ORDERS, View
from tracer_hooks.report import units
from tracer_hooks.report.text import clean

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
_GAP = 2
_SHORTEST_NAME = 12
_KEYS = "↑ ↓ enter: into  esc: back  q: quit  sort: " + "  ".join(
    f"{key}: {name}" for key, (name, _) in ORDERS.items()
)


def screen(
    view: View,
    runs: Sequence[RunNow],
    tasks: Sequence[TaskNow],
    processes: Sequence[dict[str, Any]],
    size: tuple[int, int],
    interactive: bool,
    nothing: str = "",
) -> Group:
    """Everything; at most as many cells wide and lines high as `size` says. `nothing`: what
    to say where nothing runs."""
    width, height = size
    parts: list[Any] = [_headline(view, runs, tasks)]
    task = next((task for task in tasks if task.stem == view.stem), None)
    if view.stem is not None:
        parts.append(_one_task(task) if task else Text("It is over."))
        if processes:
            parts.append(_processes(processes[: max(1, height - 12)], width))
    else:
        shown = 0 if view.run_id is not None else len(runs)
        few = min(shown, max(1, height // 3))
        if shown:
            first = min(max(0, view.row - few + 1), shown - few)
            parts.append(_runs(runs[first : first + few], view.row - first, width))
        room = max(3, height - 6 - (few + 2 if shown else 0))
        # They may have become fewer since the row was chosen.
        first = min(max(0, view.row - shown - room + 1), max(0, len(tasks) - room))
        if tasks:
            parts.append(_tasks(tasks[first : first + room], view.row - shown - first, width))
        elif not shown:
            parts.append(Text(clean(nothing)))
        if len(tasks) > room:
            parts.append(Text(f"{len(tasks) - room} more", style="dim"))
    if interactive:
        parts.append(Text(_KEYS, style="dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _headline(view: View, runs: Sequence[RunNow], tasks: Sequence[TaskNow]) -> Text:
    used = total(task.cores_used for task in tasks)
    held = total(task.cores_requested for task in tasks)
    memory = total(task.memory_bytes for task in tasks)
    of_all = f"{units.plural(len(runs), 'run')}, "
    where = of_all if view.run_id is None else f"run {clean(view.run_id)}: "
    return Text(
        f"{where}{units.plural(len(tasks), 'task')} · {units.cores(used)} cores used of "
        f"{units.cores(held)} held · {units.size(memory)} · sorted by {ORDERS[view.order][0]}",
        style="bold",
        no_wrap=True,
        overflow="ellipsis",
    )


def _table(
    width: int, columns: Sequence[str], go_first: Sequence[str], rows: Sequence[Sequence[Text]]
) -> Table:
    """A table of at most `width` cells: names are cut, and figures, which a cut would change, are
    left out by whole columns in the order of `go_first`. Columns of figures begin with `>`."""
    wide = {
        name: max([len(name.lstrip(">")), *(row[index].cell_len for row in rows)])
        for index, name in enumerate(columns)
    }
    fitted = {
        name: cells if name.startswith(">") else min(_SHORTEST_NAME, cells)
        for name, cells in wide.items()
    }
    for name in go_first:
        if sum(fitted.values()) + _GAP * len(fitted) <= width + _GAP:
            break
        del fitted[name]
    room = width + _GAP - sum(fitted.values()) - _GAP * len(fitted)
    for name, cells in fitted.items():
        more = max(0, min(wide[name] - cells, room))
        fitted[name] += more
        room -= more
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for name, cells in fitted.items():
        table.add_column(
            name.lstrip(">"),
            justify="right" if name.startswith(">") else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=cells,
        )
    for row in rows:
        table.add_row(*(row[index] for index, name in enumerate(columns) if name in fitted))
    return table


def _choose(table: Table, row: int) -> Table:
    if 0 <= row < table.row_count:
        table.rows[row].style = "reverse"
    return table


def _names(*names: str) -> list[Text]:
    """Names from users: nothing in them is to be obeyed by a terminal."""
    return [Text(clean(name)) for name in names]


def _figures(*figures: str) -> list[Text]:
    return [Text(figure) for figure in figures]


def _runs(runs: Sequence[RunNow], chosen: int, width: int) -> Table:
    rows = []
    for run in runs:
        failed = run.ended.get("failed", 0) + run.ended.get("lost", 0)
        rows.append([
            *_names(run.run_id, run.pipeline, run.engine),
            *_figures(
                units.duration(run.elapsed_s), str(run.running), str(sum(run.ended.values()))
            ),
            Text(str(failed), style="red" if failed else ""),
            *_figures(
                f"{units.cores(run.cores_used)}/{units.cores(run.cores_requested)}",
                units.size(run.memory_bytes),
            ),
        ])  # fmt: skip
    columns = ("RUN", "PIPELINE", "ENGINE", ">ON FOR", ">RUNNING", ">ENDED", ">FAILED", ">CORES",
               ">MEMORY")  # fmt: skip
    go_first = ("ENGINE", ">MEMORY", ">ENDED", "PIPELINE", ">ON FOR", ">CORES")
    return _choose(_table(width, columns, go_first, rows), chosen)


def _tasks(tasks: Sequence[TaskNow], chosen: int, width: int) -> Table:
    rows = [
        [
            *_names(task.step, task.name, task.host),
            *_figures(units.duration(task.elapsed_s)),
            Text(
                _WAITS.get(task.waits or "", units.UNKNOWN), style=_STYLES.get(task.waits or "", "")
            ),
            *_figures(
                f"{units.cores(task.cores_used)}/{units.cores(task.cores_requested)}",
                f"{units.size(task.memory_bytes)}/{units.size(task.memory_limit_bytes)}",
                units.duration(task.progress_age_s),
                units.number(task.cost),
            ),
        ]
        for task in tasks
    ]
    columns = ("STEP", "TASK", "HOST", ">FOR", "WAITS FOR", ">CORES", ">MEMORY", ">PROGRESS",
               ">COST")  # fmt: skip
    go_first = ("HOST", ">COST", ">PROGRESS", ">MEMORY", "STEP", ">FOR", ">CORES")
    return _choose(_table(width, columns, go_first, rows), chosen)


def _one_task(task: TaskNow) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=False)
    name, step, run, host = map(clean, (task.name, task.step, task.run_id, task.host))
    for what, value in (
        ("task", f"{name} (attempt {task.attempt}), step {step}, run {run}"),
        ("host", host),
        ("runs for", units.duration(task.elapsed_s)),
        ("waits for", _WAITS.get(task.waits or "", units.UNKNOWN)),
        ("cores", f"{units.cores(task.cores_used)} of {units.cores(task.cores_requested)}"),
        ("CPU time", units.cpu_time(task.cpu_s)),
        ("memory", f"{units.size(task.memory_bytes)} of {units.size(task.memory_limit_bytes)}"),
        ("last progress", f"{units.duration(task.progress_age_s)} ago"),
    ):
        table.add_row(Text(what, style="dim", no_wrap=True), Text(value))
    return table


def _processes(rows: Sequence[dict[str, Any]], width: int) -> Table:
    return _table(
        width,
        (">PID", "TOOL", ">CPU", ">MEMORY"),
        (),
        [
            [
                Text(str(row.get("pid", ""))),
                *_names(str(row.get("tool", ""))),
                *_figures(units.cpu_time(row.get("cpu_s")), units.size(row.get("memory_bytes"))),
            ]
            for row in rows
        ],
    )
