"""The end of a run, for a long-lived adapter: bring its spools into the store and sum it up.

Adapters import this when the run is over, never at a task's start: it loads pyarrow and DuckDB.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tracer_hooks.adapter import store_path

if TYPE_CHECKING:
    import os


def close_run(run_id: str, store: str | os.PathLike[str] | None = None) -> list[str]:
    """Ingest `run_id` and return about ten lines for people: a summary, and how to read the rest.

    Raises TracerError where a store or a run is not what it should be, OSError where files can't
    be read or written; the spools then stay where they are for whoever reads the run next.
    """
    # Not at the top: together these take half a second to import.
    from tracer_hooks.reading import report
    from tracer_hooks.report.terminal import summary_lines

    summary = summary_lines(report(run_id, store_path(store)))
    return [*summary, f"Full report: {report_command(run_id, store)}"]


def finish_run(run_id: str, store: str | os.PathLike[str] | None = None) -> list[str]:
    """`close_run`, but never raises: the workflow is over and did what it did.

    What goes wrong here becomes two lines, the reason and the command that tries again.
    """
    try:
        return close_run(run_id, store)
    except Exception as error:  # the last thing between us and the engine
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        again = report_command(run_id, store)
        return [f"tracer-hooks: no summary of this run: {reason}", f"To try again: {again}"]


def report_command(run_id: str, store: str | os.PathLike[str] | None = None) -> str:
    """The shell command that shows the full report of `run_id`, from whatever directory."""
    return shlex.join(["tracer-hooks", "report", run_id, "--store", str(store_path(store))])
