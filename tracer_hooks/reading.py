"""From a store to a run's report: what the command line and the Python API share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tracer_hooks.errors import TracerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tracer_hooks.prices.rates import Pricing
    from tracer_hooks.report.notebook import Report
    from tracer_hooks.report.task_notebook import TaskPage
    from tracer_hooks.store import Store

    Progress = Callable[[int, int], None]
    Path = str | os.PathLike[str]


def open_run(
    run: str | None,
    store: Path | None = None,
    *,
    progress: Progress | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> tuple[Store, str]:
    """The store, and the id of the run (`latest`, or a unique prefix).

    What waits in the run's spools is ingested on the way, so that the next reader is quicker.
    A store that may only be read is read as it is. Raises TracerError if there is no such run.
    """
    from tracer_hooks.store import Store

    opened = Store(store, on_warning=on_warning)
    run_id = opened.resolve(run or "latest")
    keep_instance(opened, run_id)
    ingest(opened, run_id, progress)
    return opened, run_id


def keep_instance(store: Store, run_id: str) -> None:
    """Keep what cloud machine this is with a run that ran here, if it can be found out."""
    from tracer_hooks.prices.recorded import record_instance

    try:
        record_instance(store, run_id)
    except OSError:
        return  # the store may only be read: the report does without


def ingest(store: Store, run_id: str | None, progress: Progress | None) -> None:
    """Ingest what waits, of one run or of all, if the store may be written."""
    if os.access(store.path, os.W_OK):
        store.ingest(run_id, progress=progress)


def tables(store: Store, run_id: str | None, engine: str | None = None) -> dict[str, Any]:
    """The tables of one run, or of all, for the analyses: each is read when and as far as it is
    needed, by DuckDB or by another engine (see `tracer_hooks.backends`)."""
    from tracer_hooks import backends

    return backends.tables(store, run_id, engine or backends.DEFAULT)


def report(
    run: str | None = None,
    store: Path | None = None,
    *,
    pricing: Pricing | None = None,
) -> Report:
    """What a run's tasks did: frames of tasks, steps and tools, totals, findings, coverage.

    `run` is an id, a unique prefix of one, or "latest" (the default). Raises TracerError if there
    is no such run. `pricing` says what things cost (`tracer_hooks.prices.choose.pricing`); without
    it the list prices of known machines do. In a notebook the result displays itself.
    """
    from tracer_hooks.analysis.summary import summarise
    from tracer_hooks.prices.choose import pricing as default
    from tracer_hooks.report.notebook import Report

    opened, run_id = open_run(run, store)
    known = tables(opened, run_id)
    return Report.of(summarise(known, run_id, pricing or default(), store=store))


def show(run: str, task: str, attempt: int | None = None, store: Path | None = None) -> TaskPage:
    """One task in depth: its processes, its course over time, and why it failed if it did.

    `task` is an id or a name, or a part of one that no other task has; `attempt` the last, if not
    told. Raises TracerError if there is no such run, task or attempt. In a notebook the result
    displays itself.
    """
    from tracer_hooks.analysis.task import find_task, summarise_task, with_verdict
    from tracer_hooks.report.task_notebook import TaskPage

    opened, run_id = open_run(run, store)
    known = tables(opened, run_id)
    found = summarise_task(known, run_id, find_task(known, run_id, task), attempt)
    return TaskPage.of(with_verdict(found, known))


def task_report(run_id: str, task_id: str, attempt: int, store: Path) -> Report:
    """A report like a run's, of one attempt alone. Raises TracerError if it has no record."""
    import pyarrow.compute as pc

    from tracer_hooks.report.notebook import Report
    from tracer_hooks.store.schema import TABLES
    from tracer_hooks.store.text import clean

    task_id = clean(task_id)
    opened, run_id = open_run(run_id, store)
    own = {name: opened.table(name, run_id) for name in TABLES}
    for name, table in own.items():
        if "attempt" in table.column_names:
            mine = pc.and_(pc.equal(table["task_id"], task_id), pc.equal(table["attempt"], attempt))
            own[name] = table.filter(mine)
    if not own["tasks"].num_rows:
        raise TracerError(f"there is no record of task {task_id!r} in run {run_id!r}")
    # What the engine said of the whole run would be wrong for one task.
    return Report.of_run({**own, "runs": own["runs"].slice(0, 0)}, run_id, store)


def run_records(store: Store, run_ids: Collection[str] = ()) -> list[dict[str, Any]]:
    """Rows of `Store.runs()` as plain values, oldest first: of these runs, or of all."""
    from tracer_hooks.analysis.tables import records

    rows = records(store.runs())
    return [row for row in rows if not run_ids or row["run_id"] in run_ids]
