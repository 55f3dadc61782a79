"""What watching a large tree costs in steady state, as a share of one core.

A tree of sleepers is watched, and the supervisor's own CPU is read from `/proc/PID/stat` twice in
the same run, when everything has started and `SPAN_S` later. What was spent between the two, over
the time between them, is the steady state: start-up, meeting the processes and sealing are in
neither. The kernel counts in hundredths of a second, so a reading is good to 0.05 % of a core.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from pairs import main, show, spread, supervised

PROCESSES = 500
SETTLED_S, SPAN_S, LIVES_S = 5, 20, 27


def cpu_s(process: psutil.Process) -> float:
    """The process's own CPU seconds so far, without its children's."""
    times = process.cpu_times()
    return float(times.user + times.system)


def observe(store: Path, interval: str) -> tuple[float, dict[str, Any]]:
    """The steady share of a core, and the sealed line of a tree of sleepers."""
    script = f"for i in $(seq {PROCESSES}); do sleep {LIVES_S} & done; wait"
    command = supervised(store, ["bash", "-c", script], "--interval", interval)
    running = subprocess.Popen(command)
    observer = psutil.Process(running.pid)
    time.sleep(SETTLED_S)
    begin, before_s = time.monotonic(), cpu_s(observer)
    time.sleep(SPAN_S)
    share = (cpu_s(observer) - before_s) / (time.monotonic() - begin)
    if running.wait():
        sys.exit(f"{command[0]} ended with {running.returncode}")
    newest = max((store / "spool" / "bench").glob("bench.*"), key=lambda file: file.stat().st_mtime)
    sealed: dict[str, Any] = json.loads(newest.read_text().splitlines()[-1])
    return share, sealed


def measure(arguments: argparse.Namespace, store: Path) -> dict[str, Any]:
    shares, memory, counts = [], [], []
    for _ in range(arguments.pairs):
        share, sealed = observe(store, "0.1")
        shares.append(share)
        memory.append(sealed["observer_memory_bytes"] / 2**20)
        counts.append(sealed["process_count"])
    result = {
        "share_of_a_core": spread(shares),
        "observer_mib": spread(memory),
        "processes_seen": spread(counts),
    }
    show(f"a tree of {PROCESSES} sleeping processes, {arguments.pairs} runs", result)
    return result


if __name__ == "__main__":
    sys.exit(main("500-process tree", measure, 3))
