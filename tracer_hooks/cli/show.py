"""`tracer-hooks show`: one task, with its processes, its timeline and the evidence."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import Progress, console, print_page, warn
from tracer_hooks.cli.parsing import add_format, add_store, positive

if TYPE_CHECKING:
    import argparse


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, a unique prefix of it, or `latest`")
    parser.add_argument(
        "task", metavar="TASK", help="a task's id or name, or a part of it that no other task has"
    )
    parser.add_argument(
        "--attempt", metavar="N", type=positive, help="which attempt (default: the last)"
    )
    add_format(parser, "text", "json")
    add_store(parser)


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.analysis.task import find_task, recorded, summarise_task, with_verdict
    from tracer_hooks.reading import open_run, tables
    from tracer_hooks.report import task as page
    from tracer_hooks.report.course import spans_for
    from tracer_hooks.store.text import clean

    with Progress("reading records") as progress:
        store, run_id = open_run(options.run, options.store, progress=progress, on_warning=warn)
    known = tables(store, run_id)
    task_id = find_task(known, run_id, clean(options.task))
    if options.format == "json":
        _print_json(recorded(known, run_id, task_id, options.attempt))
    else:
        spans = spans_for(console().width)
        report = summarise_task(known, run_id, task_id, options.attempt, spans)
        print_page(with_verdict(report, known), page)
    return 0


def _print_json(rows: dict[str, list[dict[str, Any]]]) -> None:
    """Everything that is recorded of the attempt, row by row."""
    from tracer_hooks.cli.values import plain

    (task, *_), evidence = rows["tasks"], {k: v for k, v in rows.items() if k != "tasks"}
    json.dump(plain({"schema_version": 1, "task": task, **evidence}), sys.stdout, indent=1)
    sys.stdout.write("\n")


COMMAND = Command(
    name="show",
    summary="show one task: its processes, its timeline, the evidence",
    examples="""\
  tracer-hooks show latest align-A1
  tracer-hooks show latest align-A1 --attempt 1 --format json
""",
    configure=_configure,
    execute=_execute,
)
