"""The end of a run: ingest, and ten lines on what it used, in a process of their own."""

from __future__ import annotations

import time

from snakemake_executor_plugin_tracer.complaints import complain, explain
from tracer_hooks.finish import report_command
from tracer_hooks.finish_apart import FinishApart

# Loading takes about half a second. Only a run that is over by then would wait for it noticeably.
_NEAR_S = 2.0


class Summary:
    """The summary of one run. No method raises."""

    def __init__(self, run_id: str, store: str) -> None:
        self._run_id, self._store = run_id, store
        self._apart = FinishApart(run_id, store)
        self._begin: float | None = None

    def expect(self, done: int, left: int) -> None:
        """So many jobs have been run, so many are left: if the end is near, begin to load."""
        now = time.monotonic()
        if self._begin is None:
            self._begin = now
        elif done and (now - self._begin) / done * left < _NEAR_S:
            try:
                self._apart.prepare()
            except OSError as error:
                complain("prepare", f"the summary cannot be prepared ({explain(error)})")

    def show(self) -> None:
        """Ingest the run and print its summary in Snakemake's log."""
        try:
            lines = self._apart.lines()
            from snakemake.logging import logger

            logger.info("\n".join(lines))
        except KeyboardInterrupt:  # all jobs have ended: not worth failing the workflow for
            later = f"see it later with: {report_command(self._run_id, self._store)}"
            complain("summary", f"the summary was interrupted; {later}")
        except Exception as error:
            complain("summary", f"no summary ({explain(error)})")
