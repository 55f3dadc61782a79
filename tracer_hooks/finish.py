"""The end of a run, for a long-lived adapter: bring its spools into the store and sum it up.

Adapters import this when the run is over, never at a task's start: it loads pyarrow and DuckDB.
"""

from __future__ import annotations

import os
import shlex

from tracer_hooks.adapter import DEFAULT_STORE, STORE_VARIABLE, store_path


def finish_run(run_id: str, store: str | os.PathLike[str] | None = None) -> list[str]:
    """Ingest `run_id` and return about ten lines for people: a summary, and how to read the rest.

    Never raises: the workflow is over and did what it did. What goes wrong here is a line of its
    own, and the spools stay where they are for whoever reads the run next.
    """
    command = report_command(run_id, store)
    try:
        # Not at the top: together these take half a second to import.
        from tracer_hooks.reading import report
        from tracer_hooks.report.terminal import summary_lines

        summary = summary_lines(report(run_id, store_path(store)))
    except Exception as error:  # the last thing between us and the engine
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        return [f"tracer-hooks: no summary of this run: {reason}", f"To try again: {command}"]
    return [*summary, f"Full report: {command}"]


def report_command(run_id: str, store: str | os.PathLike[str] | None = None) -> str:
    """The shell command that shows the full report of `run_id` from the present directory."""
    words = ["tracer-hooks", "report", run_id]
    wanted = store_path(store)
    if not os.environ.get(STORE_VARIABLE) and wanted != store_path(DEFAULT_STORE):
        words += ["--store", str(wanted)]
    return shlex.join(words)
