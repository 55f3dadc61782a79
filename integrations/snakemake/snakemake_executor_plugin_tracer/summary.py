"""The end of a run: ingest, and ten lines on what it used.

Both happen in a process of their own: whatever pyarrow or DuckDB do there, Snakemake's process has
neither imported nor survived it, and an adapter keeps out of the store.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from snakemake_executor_plugin_tracer.complaints import complain, explain

_CLOSING = Path(__file__).parent / "closing.py"
_TIMEOUT_S = 900


def show(run_id: str, store: str) -> None:
    """Ingest the run and print its summary in Snakemake's log. Never raises."""
    later = f"see it later with: tracer-hooks report {run_id} --store {store}"
    try:
        command = [sys.executable, "-I", str(_CLOSING), json.dumps(sys.path), store, run_id]
        closing = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except KeyboardInterrupt:  # all jobs have ended: not worth failing the workflow for
        complain("summary", f"the summary was interrupted; {later}")
        return
    except Exception as error:
        complain("summary", f"no summary ({explain(error)}); {later}")
        return
    if closing.returncode != 0:
        why = closing.stderr.strip().splitlines()
        complain("summary", f"no summary ({why[-1] if why else closing.returncode}); {later}")
        return
    try:
        from snakemake.logging import logger

        logger.info(closing.stdout.rstrip("\n"))
    except Exception as error:
        complain("summary", f"no summary ({explain(error)}); {later}")
