"""20,000 short attempts in one store: files after ingest, and the time of ingest and of a report.

The attempts are copies of one that was really recorded, each with a name of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pairs import main, show, spread, supervised, time_command

ATTEMPTS = 20_000
STEPS = 12


def fill(store: Path) -> None:
    """Spools of 20,000 attempts of one run, as if they had just ended."""
    time_command(supervised(store, ["sh", "-c", "true; true"]))
    folder = store / "spool" / "bench"
    (template,) = folder.glob("bench.*")
    lines = template.read_text().splitlines()
    card = json.loads(lines[0])
    for number in range(ATTEMPTS):
        card["card"].update(task_id=f"t{number}", step=f"step{number % STEPS}", attempt=1)
        text = "\n".join([json.dumps(card), *lines[1:]]) + "\n"
        (folder / f"t{number}.1.host-1-{number:x}.jsonl").write_text(text)
    template.unlink()


def seconds(*arguments: str) -> float:
    """Wall time of one `tracer-hooks` command."""
    command = [sys.executable, "-m", "tracer_hooks", *arguments]
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def measure(arguments: argparse.Namespace, store: Path) -> dict[str, Any]:
    fill(store)
    ingest_s = seconds("compact", "--store", str(store))  # compact ingests first
    reports = [
        seconds("report", "bench", "--store", str(store)) for _ in range(max(1, arguments.pairs))
    ]
    files = [path for path in store.rglob("*.parquet") if path.is_file()]
    spools = list((store / "spool" / "bench").glob("t*.jsonl"))
    result = {
        "ingest_s": spread([ingest_s]),
        "report_s": spread(reports),
        "parquet_files": spread([len(files)]),
        "spools_left": spread([len(spools)]),
        "mib_on_disk": spread([sum(path.stat().st_size for path in files) / 2**20]),
    }
    show(f"{ATTEMPTS} short attempts in one store", result)
    return result


if __name__ == "__main__":
    sys.exit(main("20,000 attempts", measure, 3))
