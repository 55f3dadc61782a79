"""A database that is away for a minute while a run goes on: nothing lost, nothing doubled.

    python benchmarks/database_away.py [--seconds 60] [--tasks 400] [--json FILE]

Tasks run one after the other; `export postgres --follow` keeps a real PostgreSQL up to date. The
server is killed (SIGQUIT, as in a crash) while rows are on their way, and started again so many
seconds later. Then every table must have just the rows of the store. Tasks take as long while it is
away as before: their median durations are compared, which none of them can notice.
"""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from tests.servers.daemon import server_folder  # noqa: E402 - after the path
from tests.servers.postgres import Postgres  # noqa: E402 - after the path
from tracer_hooks.store import Store  # noqa: E402 - after the path

PATIENCE_S = 120.0
TABLES = ("tasks", "processes", "tools", "readings", "hosts", "events")
PROGRAM = str(Path(sys.executable).with_name("tracer-hooks"))


def main() -> None:
    """Do it, and say what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--tasks", type=int, default=400)
    parser.add_argument("--json")
    options = parser.parse_args()
    with server_folder("away") as folder, tempfile.TemporaryDirectory() as made:
        found = measured(Postgres(folder), Path(made), options.seconds, options.tasks)
    print(json.dumps(found, indent=2))
    if options.json:
        Path(options.json).write_text(json.dumps(found))


def measured(server: Postgres, folder: Path, away_s: float, tasks: int) -> dict[str, Any]:
    """The figures of one such run."""
    url, store = server.url("runs"), folder / "store"
    task(store, 0)
    said = (folder / "said").open("w+")
    follower = subprocess.Popen(
        [PROGRAM, "export", "postgres", url, "--all", "--follow", "1", "--store", str(store),
         "--prices", "generic"],
        stdout=subprocess.DEVNULL, stderr=said,
    )  # fmt: skip
    numbers = itertools.count(1)
    during = []
    try:
        before = [task(store, next(numbers)) for _ in range(tasks // 4)]
        gone = time.monotonic()
        server.stop(signal.SIGQUIT)
        while time.monotonic() - gone < away_s:
            during.append(task(store, next(numbers)))
        server.start()
        was_away = time.monotonic() - gone
        after = [task(store, next(numbers)) for _ in range(tasks // 4)]
        until = time.monotonic() + PATIENCE_S
        while (found := rows(url)) != stored(store) and time.monotonic() < until:
            time.sleep(1)
    finally:
        follower.terminate()
        follower.wait()
        server.stop()
    expected = stored(store)
    said.seek(0)
    warnings = [line for line in said.read().splitlines() if "warning" in line]
    return {
        "away_s": round(was_away, 1),
        "tasks_before_during_after": [len(before), len(during), len(after)],
        "median_task_s_before_during_after": [
            round(statistics.median(part), 3) for part in (before, during, after)
        ],
        "rows": found,
        "rows_lost": sum(max(0, n - found[name]) for name, n in expected.items()),
        "rows_doubled": sum(max(0, found[name] - n) for name, n in expected.items()),
        "warnings": len(warnings),
    }


def task(store: Path, number: int) -> float:
    """Run a task with a few helpers; how long it took."""
    begun = time.monotonic()
    subprocess.run(
        [PROGRAM, "run", "--store", str(store), "--run", "run", "--step", f"step{number % 5}",
         "--task", f"task{number}", "--", "sh", "-c", "sleep 0.05; true; echo | cat > /dev/null"],
        check=True,
    )  # fmt: skip
    return time.monotonic() - begun


def rows(url: str) -> dict[str, int]:
    """How many rows each table of the database has."""
    with psycopg.connect(url) as connection:
        counts = {}
        for name in TABLES:
            row = connection.execute(f"SELECT count(*) FROM tracer_hooks.{name}").fetchone()  # noqa: S608 - our own tables
            counts[name] = int(row[0]) if row else 0
    return counts


def stored(store: Path) -> dict[str, int]:
    """How many the store has."""
    opened = Store(store)
    return {name: opened.table(name).num_rows for name in TABLES}


if __name__ == "__main__":
    main()
