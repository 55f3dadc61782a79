"""What watching a large tree costs in steady state, as a share of one core.

The same tree of sleepers is watched for a short and for a long time. The difference between the
two observers' own CPU, over the difference in time, is the steady state: start-up, meeting the
processes and sealing are in both.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pairs import main, show, spread, supervised, time_command

PROCESSES = 500
SHORT_S, LONG_S = 6, 16


def observe(store: Path, seconds: int, interval: str) -> dict[str, Any]:
    """The sealed line of a tree of sleepers that lives `seconds`."""
    script = f"for i in $(seq {PROCESSES}); do sleep {seconds} & done; wait"
    folder = store / str(seconds)
    time_command(supervised(folder, ["bash", "-c", script], "--interval", interval))
    newest = max(
        (folder / "spool" / "bench").glob("bench.*"), key=lambda file: file.stat().st_mtime
    )
    sealed: dict[str, Any] = json.loads(newest.read_text().splitlines()[-1])
    return sealed


def measure(arguments: argparse.Namespace, store: Path) -> dict[str, Any]:
    shares, memory, counts = [], [], []
    for _ in range(arguments.pairs):
        short = observe(store, SHORT_S, "0.1")
        long = observe(store, LONG_S, "0.1")
        extra_s = long["wall_s"] - short["wall_s"]
        shares.append((long["observer_cpu_s"] - short["observer_cpu_s"]) / extra_s)
        memory.append(long["observer_memory_bytes"] / 2**20)
        counts.append(long["process_count"])
    result = {
        "share_of_a_core": spread(shares),
        "observer_mib": spread(memory),
        "processes_seen": spread(counts),
    }
    show(f"a tree of {PROCESSES} sleeping processes, {arguments.pairs} pairs", result)
    return result


if __name__ == "__main__":
    sys.exit(main("500-process tree", measure, 3))
