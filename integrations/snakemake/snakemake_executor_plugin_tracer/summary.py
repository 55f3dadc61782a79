"""The end of a run: ingest, and ten lines on what it used.

Both happen in a process of their own: whatever pyarrow or DuckDB do there, Snakemake's process has
neither imported nor to survive it, and an adapter keeps out of the store.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from snakemake_executor_plugin_tracer.complaints import complain, explain

_CLOSING = Path(__file__).parent / "closing.py"
_TIMEOUT_S = 900


class Summary:
    """The summary of one run. No method raises."""

    def __init__(self, run_id: str, store: str) -> None:
        self._run_id, self._store = run_id, store
        self._process: subprocess.Popen[str] | None = None

    def prepare(self) -> None:
        """The run begins: a process loads, at low priority, what a short run would wait for."""
        try:
            self._process = self._start()
        except Exception as error:
            complain("prepare", f"the summary cannot be prepared ({explain(error)})")

    def show(self) -> None:
        """Ingest the run and print its summary in Snakemake's log."""
        later = f"see it later with: tracer-hooks report {self._run_id} --store {self._store}"
        try:
            lines = self._lines()
            from snakemake.logging import logger

            logger.info(lines)
        except KeyboardInterrupt:  # all jobs have ended: not worth failing the workflow for
            complain("summary", f"the summary was interrupted; {later}")
        except Exception as error:
            complain("summary", f"no summary ({explain(error)}); {later}")
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End the process, if it still runs."""
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()

    def _lines(self) -> str:
        process = self._process
        if process is None or process.poll() is not None:  # a long run: it has given up waiting
            process = self._process = self._start()
        out, err = process.communicate("go\n", timeout=_TIMEOUT_S)
        if process.returncode != 0 or not out.strip():
            said = err.strip().splitlines()
            raise RuntimeError(said[-1] if said else f"exit status {process.returncode}")
        return out.rstrip("\n")

    def _start(self) -> subprocess.Popen[str]:
        # A session of its own: Ctrl-C is for the jobs, and for us only through Snakemake.
        arguments = [json.dumps(sys.path), self._store, self._run_id]
        return subprocess.Popen(
            [sys.executable, "-I", str(_CLOSING), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
