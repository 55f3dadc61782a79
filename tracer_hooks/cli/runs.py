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

    from tracer_hooks.report.text import clean, fit
    from tracer_hooks.report.units import UNKNOWN, count, cpu_time, duration

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("RUN", "PIPELINE", "ENGINE", "STATUS", "STARTED"):
        table.add_column(heading, no_wrap=heading != "RUN", overflow="fold")
    for heading in ("WALL", "TASKS", "FAILED", "CPU"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        started = row["started_at"]
        table.add_row(
            Text(clean(row["run_id"])),
            Text(fit(row["pipeline"] or UNKNOWN, 24)),
            Text(fit(row["engine"] or UNKNOWN, 16)),
            Text(fit(row["status"] or UNKNOWN, 12), style=status_style(row["status"])),
            f"{datetime.fromisoformat(started).astimezone():%Y-%m-%d %H:%M:%S}"
            if started
            else UNKNOWN,
            duration(row["wall_s"]),
            count(row["task_count"]),
            count(row["failed_count"]),
            cpu_time(row["cpu_s"]),
        )
    console().print(table)


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
