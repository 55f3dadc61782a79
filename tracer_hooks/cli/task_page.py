"""One task as a page of text: what was asked and used, waiting, processes, timeline, evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from tracer_hooks.cli.task_tree import tree
from tracer_hooks.cli.timeline import sparkline
from tracer_hooks.cli.values import status_style
from tracer_hooks.report.text import clean, encodable, fit
from tracer_hooks.report.units import UNKNOWN, count, duration, moment, number, percent, size

if TYPE_CHECKING:
    from rich.console import Console

Row = dict[str, Any]

_TREE_LINES = 60
_EVENTS = 20
_WAITS = (
    ("wall_cpu_s", "on a CPU", "█"),
    ("wall_runnable_s", "waiting for a CPU", "▓"),
    ("wall_disk_s", "waiting for the disk", "▒"),
    ("wall_network_s", "waiting for the network", "░"),
    ("wall_idle_s", "idle", "·"),
)


def render(task: Row, attempts: int, evidence: dict[str, list[Row]], console: Console) -> None:
    """Print the page. `evidence`: rows of processes, tools, readings and events of the attempt."""
    page = _Page(console)
    _head(page, task, attempts)
    _used(page, task)
    _waits(page, task)
    _processes(page, task, evidence["processes"])
    _tools(page, evidence["tools"])
    _timeline(page, task, evidence["readings"])
    _events(page, task, evidence["events"])
    _coverage(page, task)


class _Page:
    """A console whose lines never hold a sign that its encoding lacks."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, text: str = "", style: str = "") -> None:
        self._console.print(self.text(text, style), soft_wrap=False)

    def section(self, title: str) -> None:
        self._console.print()
        self.line(title, "bold")

    def table(self, *columns: str) -> Table:
        """A table; a column whose name begins with `>` is aligned to the right."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for column in columns:
            right = column.startswith(">")
            table.add_column(
                column.lstrip(">"), justify="right" if right else "left", no_wrap=right
            )
        return table

    def rows(self, table: Table) -> None:
        self._console.print(table)

    def text(self, text: str, style: str = "") -> Text:
        return Text(encodable(text, self._console.encoding), style=style)


def _head(page: _Page, task: Row, attempts: int) -> None:
    title = page.text(clean(task["task_id"]), "bold")
    title.append_text(page.text("  " + clean(task["status"]), status_style(task["status"])))
    page.rows(_one(title))
    facts = [
        ("run", task["run_id"]),
        ("step", task["step"]),
        ("name", task["task_name"] if task["task_name"] != task["task_id"] else None),
        ("sample", task["sample"]),
        ("tags", ", ".join(f"{key}={value}" for key, value in task["tags"] or ())),
        ("attempt", f"{task['attempt']} of {attempts}" if attempts > 1 else None),
        ("command", task["command"]),
        ("folder", task["workdir"]),
        ("host", task["host"]),
        ("container", task["container_image"]),
        ("started", moment(task["started_at"]) if task["started_at"] else None),
        ("ended", _ended(task)),
    ]
    table = page.table("", "")
    table.show_header = False
    for name, value in facts:
        if value:
            table.add_row(page.text(name, "dim"), page.text(fit(str(value), 600)))
    page.rows(table)


def _after(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else "+" + duration(max(0.0, seconds))


def _one(text: Text) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row(text)
    return table


def _ended(task: Row) -> str | None:
    if task["signal"] is not None:
        how = f"signal {task['signal']}"
    elif task["exit_code"] is not None:
        how = f"exit status {task['exit_code']}"
    else:
        how = ""
    cause = task["failure_cause"]
    if cause and cause not in ("exit_code", "signal"):
        how = f"{how}, {cause}" if how else cause
    return f"after {duration(task['wall_s'])}" + (f", {how}" if how else "")


def _used(page: _Page, task: Row) -> None:
    page.section("Asked for and used")
    table = page.table("", ">ASKED FOR", ">USED", "")
    wall, cpu = task["wall_s"], task["cpu_s"]
    cores = cpu / wall if cpu is not None and wall else None
    unattributed = task["cpu_unattributed_s"]
    cpu_note = f"{duration(cpu)} of CPU"
    if unattributed and cpu:
        cpu_note += f", {percent(unattributed / cpu)} of it by no process that was seen"
    source = fit(task["network_source"], 40) if task["network_source"] else ""
    rows = (
        ("cores", number(task["cpus_requested"]), number(cores), cpu_note + ", mean over the time"),
        ("memory", size(task["memory_requested_bytes"]), size(task["memory_peak_bytes"]),
         f"peak of the whole tree at one moment ({task['memory_source'] or 'unknown source'})"),
        ("time", duration(task["time_requested_s"]), duration(wall), ""),
        ("disk read", "", size(task["disk_read_bytes"]),
         f"{size(task['io_read_chars'])} with what the cache gave"),
        ("disk written", "", size(task["disk_write_bytes"]),
         f"{size(task['io_write_chars'])} with what the cache took"),
        ("received", "", size(task["network_rx_bytes"]), source),
        ("sent", "", size(task["network_tx_bytes"]), ""),
        ("processes", "", count(task["process_count"]),
         f"{count(task['short_process_count'])} of them shorter than one polling interval"),
        ("threads", "", count(task["threads_peak"]), "at the peak"),
    )  # fmt: skip
    for name, asked, used, note in rows:
        table.add_row(name, *(page.text(text) for text in (asked, used)), page.text(note, "dim"))
    page.rows(table)


def _waits(page: _Page, task: Row) -> None:
    known = [
        (task[column], name, sign) for column, name, sign in _WAITS if task[column] is not None
    ]
    total = sum(seconds for seconds, _, _ in known)
    if not total:
        return
    page.section("Where the wall time went")
    bar = "".join(sign * round(60 * seconds / total) for seconds, _, sign in known)
    page.line(bar)
    for seconds, name, sign in known:
        page.line(f"{sign} {name:<24} {duration(seconds):>9}  {percent(seconds / total):>6}")


def _processes(page: _Page, task: Row, processes: list[Row]) -> None:
    page.section("Processes")
    if not processes:
        page.line("none was seen: the task was over before it could be looked at", "dim")
        return
    lines, hidden = tree(processes, task["started_at"], _TREE_LINES)
    table = page.table(
        "PROCESS", ">PID", ">START", ">LIVED", ">CPU", ">MEMORY", ">READ", ">WRITTEN", ""
    )
    for line in lines:
        name = "  " * line.depth + fit(line.tool, 48)
        if line.forked:
            name += " (worker)"
        if line.count > 1:
            name += f" × {count(line.count)}"
        table.add_row(
            page.text(name),
            str(line.pid) if line.pid else "",
            page.text(_after(line.start_s)),
            *(page.text(text) for text in (
                duration(line.wall_s), duration(line.cpu_s), size(line.memory_peak_bytes),
                size(line.disk_read_bytes), size(line.disk_write_bytes),
            )),
            page.text(line.end, "red"),
        )  # fmt: skip
    page.rows(table)
    if hidden > 0:
        page.line(f"and {count(hidden)} more; `--format json` has all", "dim")


def _tools(page: _Page, tools: list[Row]) -> None:
    if not tools:
        return
    page.section("Tools")
    table = page.table(
        "TOOL", ">COUNT", ">SHORT", ">CPU", ">LIFETIMES", ">MEMORY", ">READ", ">WRITTEN"
    )
    for row in sorted(tools, key=lambda row: -(row["cpu_s"] or 0))[:20]:
        table.add_row(
            page.text(fit(row["tool"], 48)),
            *(page.text(text) for text in (
                count(row["count"]), count(row["short_count"]), duration(row["cpu_s"]),
                duration(row["wall_s"]), size(row["memory_peak_bytes"]),
                size(row["disk_read_bytes"]), size(row["disk_write_bytes"]),
            )),
        )  # fmt: skip
    page.rows(table)


def _timeline(page: _Page, task: Row, readings: list[Row]) -> None:
    whole = [row for row in readings if row["process_id"] is None and row["elapsed_s"] is not None]
    whole.sort(key=lambda row: row["elapsed_s"])
    if len(whole) < 2:
        return
    page.section(f"Timeline: 0 to {duration(task['wall_s'] or whole[-1]['elapsed_s'])}")
    table = page.table("", "", ">MOST")
    table.show_header = False
    for name, column, rate, unit in (
        ("cores", "cpu_s", True, number),
        ("memory", "memory_bytes", False, size),
        ("read", "disk_read_bytes", True, lambda v: size(v) + "/s"),
        ("written", "disk_write_bytes", True, lambda v: size(v) + "/s"),
        ("processes", "processes", False, count),
    ):
        points = [(row["elapsed_s"], row[column]) for row in whole]
        line, most = sparkline(points, rate)
        if most:
            table.add_row(name, page.text(line), page.text("at most " + unit(most), "dim"))
    page.rows(table)


def _events(page: _Page, task: Row, events: list[Row]) -> None:
    if not events:
        return
    page.section("Events")
    events = sorted(events, key=lambda row: str(row["at"]))
    for row in events[:_EVENTS]:
        known = row["at"] and task["started_at"]
        at = _after((row["at"] - task["started_at"]).total_seconds() if known else None)
        page.line(f"{at:>9}  {clean(row['kind'])}  {fit(row['detail'] or '', 200)}")
    if len(events) > _EVENTS:
        page.line(f"and {count(len(events) - _EVENTS)} more; `--format json` has all", "dim")


def _coverage(page: _Page, task: Row) -> None:
    page.section("How this is known")
    lost = task["events_lost"]
    cpu, memory = duration(task["observer_cpu_s"]), size(task["observer_memory_bytes"])
    facts = (
        f"capture: {clean(task['capture'])}",
        f"{count(task['reading_count'])} readings",
        None if lost is None else f"{count(lost)} events lost",
        f"watching cost {cpu} of CPU and {memory} of memory",
    )
    page.line("; ".join(fact for fact in facts if fact))
    if task["status"] in ("running", "lost"):
        page.line(f"the task is {task['status']}: the figures go up to the last reading", "yellow")
