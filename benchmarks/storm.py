"""A storm of short processes, bare and supervised by each capture source, in alternating pairs.

For each source: the wall and CPU ratios against the bare storm, how many processes were recorded
by name, the error of each program's count and CPU against `wait4`, and the supervisor's own cost.
What is permitted differs by user and machine: a refused source shows what it stepped down to.

    storm.py --user nobody --sources perf --counts 10000        without privileges
    storm.py --sources taskstats --counts 10000                 as root
    storm.py --user nobody --sources perf --halves              on two processors at once
    storm.py --user nobody --sources auto --paranoid 3          where the kernel refuses
    storm.py --user nobody --sources auto --seccomp             where a filter does
    storm.py --sources perf --counts 100000 --pairs 0           a fork bomb, once and not compared
"""

from __future__ import annotations

import argparse
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pairs import Timing, alternate, compare, main, show, spread, supervised, time_command
from storms import conditions
from storms.judged import judged
from storms.workload import Storm

SOURCES = ("poll", "perf", "taskstats", "auto")


def measure(arguments: argparse.Namespace, store: Path) -> dict[str, Any]:
    return {str(count): _one_size(arguments, store, count) for count in arguments.counts}


def _one_size(arguments: argparse.Namespace, store: Path, count: int) -> dict[str, Any]:
    storm = Storm(store, count, arguments.halves)
    notes: dict[str, list[dict[str, Any]]] = {source: [] for source in arguments.sources}

    def bare() -> Timing:
        timing = time_command(storm.command)
        storm.truth()
        return timing

    def run(source: str) -> Timing:
        home = store / source
        timing = time_command(supervised(home, storm.command, "--capture", source))
        (spool,) = (home / "spool" / "bench").glob("bench.*.jsonl")
        notes[source].append(judged(spool, storm, storm.truth()))
        shutil.rmtree(home)
        return timing

    variants: dict[str, Callable[[], Timing]] = {"bare": bare} if arguments.pairs else {}
    for source in arguments.sources:
        variants[source] = lambda source=source: run(source)  # type: ignore[misc]
    timings = alternate(variants, arguments.pairs)
    figures: dict[str, Any] = {}
    if arguments.pairs:
        figures["bare_wall_s"] = statistics.median(t.wall_s for t in timings["bare"])
    for source in arguments.sources:
        pairs = compare(timings["bare"], timings[source]) if arguments.pairs else {}
        figures[source] = pairs
        told = notes[source]  # those of the first round count: it warms up clocks only
        captures = "+".join(sorted({f"{n['capture']}/{n['process_count_source']}" for n in told}))
        for name, value in told[0].items():
            if not isinstance(value, str):
                figures[source][name] = spread([note[name] for note in told])
        halves = " in two halves" if arguments.halves else ""
        show(f"{count} processes{halves}, --capture {source} (was {captures})", figures[source])
        figures[source]["capture"] = captures
    return figures


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--counts", type=int, nargs="+", default=[2_000, 10_000, 50_000])
    parser.add_argument("--sources", nargs="+", default=list(SOURCES), choices=SOURCES)
    parser.add_argument("--halves", action="store_true", help="two loops at once")
    conditions.options(parser)


if __name__ == "__main__":
    main("a storm of short processes", measure, 3, options, conditions.under_conditions)
