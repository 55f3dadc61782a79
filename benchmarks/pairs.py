"""Alternating pairs: bare, supervised, bare, supervised … so that a noisy machine hits both alike.

Each command is timed with wait4, so CPU is that of the whole reaped tree. Results are ratios and
differences with min, median and max; `--json FILE` writes them for machines.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SUPERVISOR = ROOT / "tracer_hooks" / "supervisor" / "__main__.py"
PYTHON = os.path.realpath(sys.executable)


@dataclass(frozen=True)
class Timing:
    """One execution: seconds of wall and of CPU (user + system, reaped descendants included)."""

    wall_s: float
    cpu_s: float


def time_command(argv: Sequence[str]) -> Timing:
    """Run `argv` with its output thrown away; RuntimeError if it fails."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    begin = time.perf_counter()
    pid = os.posix_spawnp(argv[0], list(argv), os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall_s = time.perf_counter() - begin
    os.close(null)
    if status:
        raise RuntimeError(f"{' '.join(argv)[:200]} ended with wait status {status}")
    return Timing(wall_s, usage.ru_utime + usage.ru_stime)


def supervised(store: Path, command: Sequence[str], *options: str) -> list[str]:
    """The supervised form of a command, as an adapter starts it."""
    card = '{"run_id":"bench","task_id":"bench"}'
    head = [PYTHON, "-I", "-S", str(SUPERVISOR), "run", "--store", str(store)]
    return [*head, "--run", "bench", "--task", "bench", "--card", card, *options, "--", *command]


def alternate(variants: dict[str, Callable[[], Timing]], pairs: int) -> dict[str, list[Timing]]:
    """Run every variant `pairs` times, one after the other; the first round warms up."""
    timings: dict[str, list[Timing]] = {name: [] for name in variants}
    for number in range(pairs + 1):
        for name, run in variants.items():
            timing = run()
            if number:
                timings[name].append(timing)
    return timings


def spread(values: Sequence[float]) -> dict[str, float]:
    """min, median and max."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def compare(bare: Sequence[Timing], other: Sequence[Timing]) -> dict[str, dict[str, float]]:
    """Pairwise ratios and differences of `other` against `bare`."""
    pairs = list(zip(bare, other, strict=True))
    return {
        "wall_ratio": spread([o.wall_s / b.wall_s for b, o in pairs]),
        "cpu_ratio": spread([o.cpu_s / max(b.cpu_s, 1e-9) for b, o in pairs]),
        "extra_wall_ms": spread([(o.wall_s - b.wall_s) * 1e3 for b, o in pairs]),
        "extra_cpu_ms": spread([(o.cpu_s - b.cpu_s) * 1e3 for b, o in pairs]),
    }


def show(title: str, figures: dict[str, dict[str, float]]) -> None:
    """Print one comparison."""
    print(title)
    for name, value in figures.items():
        row = "  ".join(f"{key} {number:8.3f}" for key, number in value.items())
        print(f"  {name:<16} {row}")


def main(
    title: str,
    measure: Callable[[argparse.Namespace, Path], dict[str, Any]],
    pairs: int,
    more_options: Callable[[argparse.ArgumentParser], None] | None = None,
    elsewhere: Callable[[argparse.Namespace], bool] | None = None,
) -> None:
    """The command line that every benchmark shares, and `more_options` of its own.

    `elsewhere` may run all of it under other conditions, and says whether it did.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--pairs", type=int, default=pairs, help="alternating pairs to run")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    if more_options is not None:
        more_options(parser)
    arguments = parser.parse_args()
    if elsewhere is not None and elsewhere(arguments):
        return
    store = Path(tempfile.mkdtemp(prefix="tracer-bench-"))
    try:
        result = measure(arguments, store)
    finally:
        shutil.rmtree(store, ignore_errors=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": title, **result}, indent=2) + "\n")
