"""Run as a script beside a run: `closing.py SYS_PATH_AS_JSON STORE RUN_ID`.

Loads what the summary needs while jobs run, waits for the word `go` on stdin, ingests the run's
spools and prints the summary, one line for the log each. Exits with 1 and one line on stderr where
that cannot be done; quietly when nobody has said `go` for a while, or ever will.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import sys
from typing import Any

# Loading takes a second or two. A run that is over by then need not wait for it; one that takes
# longer than this is not noticeably longer for loading at its end, and gets its memory back.
PATIENCE_S = 60
NICE = 5  # while jobs run they come first


def main(search_path: str, store_path: str, run_id: str) -> int:
    """Load, wait, ingest and print; 0 if all could be done, or nothing was wanted."""
    # The script runs isolated (-I), so that its own folder shadows no module; what the Snakemake
    # process could import, it can import too.
    sys.path[:] = json.loads(search_path)
    with contextlib.suppress(OSError):
        os.nice(NICE)
    try:
        _warm_up()
        if not _told_to_go():
            return 0
        lines = [*_summary(store_path, run_id), _full_report(store_path, run_id)]
    except Exception as error:
        print(" ".join(f"{type(error).__name__}: {error}".split()), file=sys.stderr)  # noqa: T201
        return 1
    print("\n".join(lines))  # noqa: T201 - what the process is for
    return 0


def _warm_up() -> None:
    """Summarise nothing: that loads the libraries and makes them ready. Its result is no matter."""
    from tracer_hooks.analysis.summary import summarise
    from tracer_hooks.report.terminal import summary_lines
    from tracer_hooks.store import Store  # noqa: F401 - for later
    from tracer_hooks.store.schema import TABLES

    with contextlib.suppress(Exception):
        summary_lines(summarise({name: _empty(name) for name in TABLES}, ""))


def _empty(name: str) -> Any:
    import pyarrow as pa

    from tracer_hooks.store.schema import TABLES

    return pa.schema([pa.field("run_id", pa.string()), *TABLES[name]]).empty_table()


def _told_to_go() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], PATIENCE_S)
    return bool(ready) and sys.stdin.readline().strip() == "go"


def _summary(store_path: str, run_id: str) -> list[str]:
    from tracer_hooks.analysis.summary import summarise
    from tracer_hooks.report.terminal import summary_lines
    from tracer_hooks.store import Store
    from tracer_hooks.store.schema import TABLES

    store = Store(store_path)
    store.ingest(run_id)
    tables = {name: store.table(name, run_id) for name in TABLES}
    return summary_lines(summarise(tables, run_id))


def _full_report(store_path: str, run_id: str) -> str:
    return f"Full report: {shlex.join(['tracer-hooks', 'report', run_id, '--store', store_path])}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
