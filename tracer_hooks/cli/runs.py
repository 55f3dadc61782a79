"""`tracer-hooks runs`: the runs in a store, newest first."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import Progress, console, warn
from tracer_hooks.cli.parsing import add_format, add_store, positive
from tracer_hooks.cli.values import records, status_style

if TYPE_CHECKING:
    import argparse


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", metavar="N", type=positive, help="show at most the newest N")
    add_format(parser, "text", "json")
    add_store(parser)


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.reading import ingest
    from tracer_hooks.store import Store

    store = Store(options.store, on_warning=warn)
    with Progress("reading records") as progress:
        ingest(store, None, progress)
    frame = store.runs().sort_values("started_at", ascending=False, na_position="last")
    if options.limit is not None:
        frame = frame.head(options.limit)
    rows = records(frame)
    if options.format == "json":
        json.dump({"schema_version": 1, "runs": rows}, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        _print(rows)
    return 0


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    lines = [_cells(row) for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    shown = _fitting(lines, out.width)
    for heading in shown:
        right = heading in _RIGHT
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row, cells in zip(rows, lines, strict=True):
        style = status_style(row["status"])
        table.add_row(*(Text(cells[h], style=style if h == "STATUS" else "") for h in shown))
    out.print(table)


_HEADINGS = ("RUN", "PIPELINE", "ENGINE", "STATUS", "STARTED", "WALL", "TASKS", "FAILED", "CPU")
_RIGHT = frozenset({"WALL", "TASKS", "FAILED", "CPU"})
# What a narrow terminal does without, first to last. A run's id is never cut: it gets copied.
_DISPENSABLE = ("ENGINE", "PIPELINE", "CPU", "FAILED", "TASKS", "WALL", "STARTED", "STATUS")
_GAP = 2


def _cells(row: dict[str, Any]) -> dict[str, str]:
    from tracer_hooks.report.text import clean, fit
    from tracer_hooks.report.units import UNKNOWN, count, cpu_time, duration

    started = row["started_at"] and datetime.fromisoformat(row["started_at"]).astimezone()
    return {
        "RUN": clean(row["run_id"]),
        "PIPELINE": fit(row["pipeline"] or UNKNOWN, 24),
        "ENGINE": fit(row["engine"] or UNKNOWN, 16),
        "STATUS": fit(row["status"] or UNKNOWN, 12),
        "STARTED": f"{started:%Y-%m-%d %H:%M}" if started else UNKNOWN,
        "WALL": duration(row["wall_s"]),
        "TASKS": count(row["task_count"]),
        "FAILED": count(row["failed_count"]),
        "CPU": cpu_time(row["cpu_s"]),
    }


def _fitting(lines: list[dict[str, str]], width: int) -> list[str]:
    """The headings of the columns that `width` has room for, in their order."""
    from rich.cells import cell_len

    wanted = {h: max([len(h), *(cell_len(line[h]) for line in lines)]) + _GAP for h in _HEADINGS}
    for heading in _DISPENSABLE:
        if sum(wanted.values()) <= width:
            break
        del wanted[heading]
    return list(wanted)


COMMAND = Command(
    name="runs",
    summary="list the runs in the store, newest first",
    examples="""\
  tracer-hooks runs
  tracer-hooks runs --limit 5 --format json
""",
    configure=_configure,
    execute=_execute,
)
