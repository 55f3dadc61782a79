"""A node full of storms: 16 tasks of 10,000 short processes each at once, each supervised.

Whether every task's counts are right, and what all supervisors used of the CPU that the tasks did.

    storm_node.py --user nobody --source perf
    storm_node.py --source taskstats                            as root
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from pairs import main, show, spread, supervised
from storms import conditions
from storms.judged import judged
from storms.workload import Storm


def measure(arguments: argparse.Namespace, store: Path) -> dict[str, Any]:
    runs = [_one_round(arguments, store / str(number)) for number in range(arguments.pairs)]
    figures: dict[str, Any] = {}
    for name, value in runs[0][0].items():
        if not isinstance(value, str):
            figures[name] = spread([note[name] for notes in runs for note in notes])
    shares = [
        sum(note["observer_cpu_s"] for note in notes) / sum(note["cpu_s"] for note in notes)
        for notes in runs
    ]
    figures["observers_cpu_share"] = spread(shares)
    captures = "+".join(sorted({note["capture"] for notes in runs for note in notes}))
    title = f"{arguments.tasks} tasks of {arguments.count} processes, {arguments.source}"
    show(f"{title} (was {captures}), {arguments.pairs} times", figures)
    figures["capture"] = captures
    return figures


def _one_round(arguments: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """All tasks at once; what each was recorded as. RuntimeError if one fails."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    tasks = []
    for number in range(arguments.tasks):
        home = folder / str(number)
        home.mkdir(parents=True)
        storm = Storm(home, arguments.count)
        argv = supervised(home, storm.command, "--capture", arguments.source)
        tasks.append((home, storm, argv))
    begin = time.perf_counter()
    pids = [os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions) for *_, argv in tasks]
    for pid in pids:
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError("a supervised storm failed")
    print(f"{arguments.tasks} tasks in {time.perf_counter() - begin:.1f} s", flush=True)
    os.close(null)
    notes = []
    for home, storm, _ in tasks:
        (spool,) = (home / "spool" / "bench").glob("bench.*.jsonl")
        notes.append(judged(spool, storm, storm.truth()))
    return notes


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tasks", type=int, default=16)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--source", default="auto", choices=("poll", "perf", "taskstats", "auto"))
    conditions.options(parser)


if __name__ == "__main__":
    main("a node full of storms", measure, 1, options, conditions.under_conditions)
