"""From a store to a run's report: what the command line and the Python API share."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from tracer_hooks.errors import TracerError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pyarrow as pa

    from tracer_hooks.analysis.summary import RunReport
    from tracer_hooks.store import Store

    Progress = Callable[[int, int], None]

_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}
# The time series of a big run is big, and no report of a whole run needs it.
_NOT_FOR_REPORTS = frozenset({"readings"})


def open_run(
    run: str | None,
    store: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Store, str, str | None]:
    """The store, the id of the run (`latest`, or a unique prefix), and what hindered ingest.

    What waits in the run's spools is ingested on the way, so that the next reader is quicker.
    A store that may only be read is read as it is. Raises TracerError if there is no such run.
    """
    from tracer_hooks.store import Store

    opened = Store(store)
    run_id = opened.resolve(run or "latest")
    return opened, run_id, ingest(opened, run_id, progress)


def ingest(store: Store, run_id: str | None, progress: Progress | None) -> str | None:
    """Ingest what waits; one line that says why not, if that failed, and None if all is well."""
    try:
        store.ingest(run_id, progress=progress)
    except OSError as error:
        if error.errno in _READ_ONLY:
            return None
        return f"pending records could not be ingested ({error.strerror or error}); read in place"
    except TracerError as error:
        return f"pending records could not be ingested ({error}); read in place"
    return None


def tables(store: Store, run_id: str) -> dict[str, pa.Table]:
    """The tables of one run that a report needs."""
    from tracer_hooks.store.schema import TABLES

    return {name: store.table(name, run_id) for name in TABLES if name not in _NOT_FOR_REPORTS}


def report(run: str | None = None, store: str | os.PathLike[str] | None = None) -> RunReport:
    """What a run's tasks did: frames of tasks, steps and tools, totals, findings, coverage.

    `run` is an id, a unique prefix of one, or "latest" (the default). Raises TracerError if there
    is no such run. In a notebook the result displays itself.
    """
    from tracer_hooks.analysis.summary import summarise

    opened, run_id, _ = open_run(run, store)
    return summarise(tables(opened, run_id), run_id)


def task_report(
    run_id: str, task_id: str, attempt: int, store: str | os.PathLike[str]
) -> RunReport:
    """A report like a run's, of one attempt alone. Raises TracerError if it has no record."""
    import pyarrow.compute as pc

    from tracer_hooks.analysis.summary import summarise

    opened, run_id, _ = open_run(run_id, store)
    own = tables(opened, run_id)
    for name, table in own.items():
        if "attempt" in table.column_names:
            mine = pc.and_(pc.equal(table["task_id"], task_id), pc.equal(table["attempt"], attempt))
            own[name] = table.filter(mine)
    if not own["tasks"].num_rows:
        raise TracerError(f"there is no record of task {task_id!r} in run {run_id!r}")
    return summarise(own, run_id)
