"""The end of a run, for a long-lived adapter: bring its spools into the store and sum it up.

Adapters call this when the run is over, never at a task's start. It loads pyarrow and nothing
heavier. `tracer_hooks.finish_apart` does the same in a process of its own.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tracer_hooks.adapter import store_path

if TYPE_CHECKING:
    import os

    from tracer_hooks.store.amend import Known

_MAX_WARNINGS = 2


def close_run(
    run_id: str, store: str | os.PathLike[str] | None = None, late: Known | None = None
) -> list[str]:
    """Ingest `run_id` and return about ten lines for people: a summary, and how to read the rest.

    `late` is what the adapter learned of its tasks only now (see `tracer_hooks.store.amend`).
    Raises TracerError where a store or a run is not what it should be, OSError where files can't
    be read or written; the spools then stay where they are for whoever reads the run next.
    """
    # Not at the top: these take 0.3 s to import.
    from tracer_hooks.analysis.glance import glance
    from tracer_hooks.reading import keep_instance
    from tracer_hooks.report.glance import glance_lines, warning_line
    from tracer_hooks.store import Store

    warnings: list[str] = []
    opened = Store(store_path(store), on_warning=warnings.append)
    if late:
        from tracer_hooks.store.amend import amend_cards

        amend_cards(store_path(store), run_id, late)
    opened.ingest(run_id)
    keep_instance(opened, run_id)
    lines = glance_lines(run_id, glance(opened.table("tasks", run_id)))
    lines += map(warning_line, warnings[:_MAX_WARNINGS])
    return [*lines, f"Full report: {report_command(run_id, store)}"]


def finish_run(
    run_id: str, store: str | os.PathLike[str] | None = None, late: Known | None = None
) -> list[str]:
    """`close_run`, but never raises: the workflow is over and did what it did.

    What goes wrong here becomes two lines, the reason and the command that tries again.
    """
    try:
        return close_run(run_id, store, late)
    except Exception as error:  # the last thing between us and the engine
        return no_summary(run_id, store, str(error) or type(error).__name__)


def no_summary(run_id: str, store: str | os.PathLike[str] | None, reason: str) -> list[str]:
    """Two lines: why there is no summary, and the command that tries again."""
    why = reason.strip().partition("\n")[0]
    again = report_command(run_id, store)
    return [f"tracer-hooks: no summary of this run: {why}", f"To try again: {again}"]


def report_command(run_id: str, store: str | os.PathLike[str] | None = None) -> str:
    """The shell command that shows the full report of `run_id`, from whatever directory."""
    return shlex.join(["tracer-hooks", "report", run_id, "--store", str(store_path(store))])


def load() -> None:
    """Load ahead what `close_run` needs, and sum up an empty run, so that it is ready."""
    from tracer_hooks.analysis.glance import glance
    from tracer_hooks.plugins import tool_rules
    from tracer_hooks.prices.recorded import record_instance  # noqa: F401 - for later
    from tracer_hooks.reading import keep_instance  # noqa: F401 - for later
    from tracer_hooks.report.glance import glance_lines
    from tracer_hooks.store import TABLES, Store  # noqa: F401 - for later

    tool_rules()
    glance_lines("", glance(TABLES["tasks"].empty_table()))
