"""What it costs to hand a run of 2,000 tasks to PostgreSQL and to Prometheus.

    python benchmarks/exports.py [--tasks 2000] [--json FILE]

A synthetic run (40 steps, three tools a task, a reading every half second) is loaded into a real
PostgreSQL, loaded again, and written as OpenMetrics, of which promtool makes blocks.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tests.analysis.synthetic import many_tasks, table  # noqa: E402 - after the path
from tests.grafana.database import counts, run_to_send, sent  # noqa: E402 - after the path
from tests.servers.daemon import server_folder  # noqa: E402 - after the path
from tests.servers.postgres import Postgres  # noqa: E402 - after the path
from tests.servers.prometheus import promtool  # noqa: E402 - after the path
from tracer_hooks.export.openmetrics import export_runs  # noqa: E402 - after the path
from tracer_hooks.export.sender import RunToSend  # noqa: E402 - after the path


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--json")
    options = parser.parse_args()
    run = synthetic(options.tasks)
    found = {"tasks": options.tasks, **postgres(run), **openmetrics(run)}
    print(json.dumps(found, indent=2))
    if options.json:
        Path(options.json).write_text(json.dumps(found))


def synthetic(tasks: int) -> RunToSend:
    """The run."""
    tables = many_tasks(tasks)
    tables["readings"] = table("readings", [
        {"task_id": row["task_id"], "attempt": 1, "spool": row["spool"],
         "at": row["started_at"] + dt.timedelta(seconds=part / 2), "elapsed_s": part / 2,
         "cpu_s": part / 4, "memory_bytes": 10**8}
        for row in tables["tasks"].to_pylist(maps_as_pydicts="lossy")
        for part in range(int(row["wall_s"] * 2) + 2)
    ])  # fmt: skip
    return run_to_send(tables)


def postgres(run: RunToSend) -> dict[str, Any]:
    """Seconds and bytes of the database."""
    with server_folder("bench") as folder:
        server = Postgres(folder)
        url = server.url("bench")
        sent(url)
        before = size(url)
        first = seconds(lambda: sent(url, run))
        again = seconds(lambda: sent(url, run))
        found = {
            "postgres_rows": sum(counts(url).values()),
            "postgres_load_s": first,
            "postgres_again_s": again,
            "postgres_mib": round((size(url) - before) / 2**20, 2),
        }
        server.stop()
    return found


def size(url: str) -> int:
    """The database's size in bytes."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0


def openmetrics(run: RunToSend) -> dict[str, Any]:
    """Seconds, series, samples and bytes of the text and of Prometheus' blocks."""
    file = io.BytesIO()
    took = seconds(lambda: export_runs([run], file))
    lines = [line for line in file.getvalue().decode().split("\n") if line[:1] not in ("#", "")]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "run").write_bytes(file.getvalue())
        done = promtool(
            "tsdb", "create-blocks-from", "openmetrics", folder / "run", folder / "blocks"
        )
        assert done.returncode == 0, done.stderr
        blocks = sum(p.stat().st_size for p in (folder / "blocks").rglob("*") if p.is_file())
    return {
        "openmetrics_s": took,
        "openmetrics_series": len({re.split(r"} ", line)[0] for line in lines}),
        "openmetrics_samples": len(lines),
        "openmetrics_mib": round(len(file.getvalue()) / 2**20, 2),
        "prometheus_blocks_mib": round(blocks / 2**20, 2),
    }


def seconds(work: Any) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    work()
    return round(time.perf_counter() - begun, 2)


if __name__ == "__main__":
    main()
