"""`tracer-hooks show`: one task, with its processes, its timeline and the evidence."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import Progress, console, print_page, warn
from tracer_hooks.cli.parsing import add_format, add_store, positive
from tracer_hooks.errors import TracerError

if TYPE_CHECKING:
    import argparse

    from tracer_hooks.store import Store

Row = dict[str, Any]

_LISTED = 8
_EVIDENCE = ("processes", "tools", "readings", "events")


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
    from tracer_hooks.analysis.task import summarise_task, with_verdict
    from tracer_hooks.reading import open_run
    from tracer_hooks.report import task as page
    from tracer_hooks.report.course import spans_for
    from tracer_hooks.store.schema import TABLES
    from tracer_hooks.store.text import clean

    with Progress("reading records") as progress:
        store, run_id = open_run(options.run, options.store, progress=progress, on_warning=warn)
    attempts = find(store.table("tasks", run_id).to_pylist(), clean(options.task))
    chosen = choose(attempts, options.attempt)
    if options.format == "json":
        _print_json(store, run_id, chosen)
    else:
        tables = {name: store.table(name, run_id) for name in TABLES}
        spans = spans_for(console().width)
        report = summarise_task(tables, run_id, chosen["task_id"], chosen["attempt"], spans)
        print_page(with_verdict(report, tables), page)
    return 0


def _print_json(store: Store, run_id: str, chosen: Row) -> None:
    """Everything that is recorded of the attempt, row by row."""
    from tracer_hooks.cli.values import plain

    evidence = {name: _of_attempt(store, name, run_id, chosen) for name in _EVIDENCE}
    for rows in ([chosen], *evidence.values()):
        for row in rows:
            row.pop("spool", None)
    json.dump(plain({"schema_version": 1, "task": chosen, **evidence}), sys.stdout, indent=1)
    sys.stdout.write("\n")


def find(tasks: list[Row], wanted: str) -> list[Row]:
    """Every attempt at the one task that `wanted` names, first to last.

    An exact id wins, then an exact name, then what begins so, then what contains it. Raises
    TracerError if that names no task, or several.
    """
    if not tasks:
        raise TracerError("this run has no tasks yet")

    def names(row: Row) -> list[str]:
        return [text for text in (row["task_id"], row["task_name"]) if text]

    tests = (
        lambda row: row["task_id"] == wanted,
        lambda row: row["task_name"] == wanted,
        lambda row: any(text.startswith(wanted) for text in names(row)),
        lambda row: any(wanted in text for text in names(row)),
    )
    for test in tests:
        found = [row for row in tasks if test(row)]
        ids = sorted({row["task_id"] for row in found})
        if len(ids) > 1:
            raise TracerError(f"{wanted!r} names {len(ids)} tasks: {_listed(ids)}")
        if found:
            return sorted(found, key=lambda row: (row["attempt"] or 0, str(row["started_at"])))
    from difflib import get_close_matches

    ids = sorted({row["task_id"] for row in tasks})
    near = get_close_matches(wanted, ids, 3)
    raise TracerError(f"no task {wanted!r} in this run; there are {_listed(near or ids)}")


def choose(attempts: list[Row], number: int | None) -> Row:
    """The last attempt, or the attempt with this number. Raises TracerError if there is none."""
    fitting = [row for row in attempts if number in (None, row["attempt"])]
    if not fitting:
        there = ", ".join(str(row["attempt"]) for row in attempts)
        raise TracerError(
            f"task {attempts[0]['task_id']!r} has no attempt {number}; it has {there}"
        )
    return fitting[-1]


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
    return ", ".join(repr(one) for one in ids[:_LISTED]) + more


def _of_attempt(store: Store, table: str, run_id: str, task: Row) -> list[Row]:
    """The rows of one table that belong to the attempt."""
    import pyarrow.compute as pc

    rows = store.table(table, run_id)
    key = "spool" if task.get("spool") and "spool" in rows.column_names else "task_id"
    mine = rows.filter(pc.equal(rows[key], task[key]))
    if key == "task_id":
        mine = mine.filter(pc.equal(mine["attempt"], task["attempt"]))
    found: list[Row] = mine.to_pylist()
    return found


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
