"""Run as a script at the end of a run: `closing.py SYS_PATH_AS_JSON STORE RUN_ID`.

Ingests the run's spools and prints the summary, one line for the log each. Exits with 1 and one
line on stderr where that cannot be done.
"""

from __future__ import annotations

import json
import sys


def main(search_path: str, store_path: str, run_id: str) -> int:
    """Ingest and print; 0 if both could be done."""
    # The script runs isolated (-I), so that its own folder shadows no module; what the Snakemake
    # process could import, it can import too.
    sys.path[:] = json.loads(search_path)
    try:
        from tracer_hooks.finish import close_run

        lines = close_run(run_id, store_path)
    except Exception as error:
        print(" ".join(f"{type(error).__name__}: {error}".split()), file=sys.stderr)  # noqa: T201
        return 1
    print("\n".join(lines))  # noqa: T201 - what the process is for
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
