"""A million attempts in 200 runs: what a report of 50,000 tasks and a roll-up of all runs take.

The store is made from a seed (`fleet_store`), or kept with --store for the next time. Each command
is a process of its own, on two cores; its memory is the most that it held (`ru_maxrss`). Beside a
figure that has a target stands its ratio to it: below 1 is within.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fleet_store.plan import Run, Size, plan
from fleet_store.writing import write_fleet
from pairs import main, spread

GIB = 1 << 30
CORES = 2


@dataclass(frozen=True)
class Command:
    """A command to measure; targets in seconds and bytes, None where there is none."""

    name: str
    arguments: tuple[str, ...]
    most_s: float | None = None
    most_bytes: int | None = None


def commands(store: Path, runs: list[Run]) -> list[Command]:
    """What is measured, on the largest run and on all."""
    largest = max(runs, key=lambda run: run.tasks)
    alike = [run for run in runs if run.pipeline == largest.pipeline and run is not largest]
    other = max(alike or runs, key=lambda run: run.tasks)
    at = ("--store", str(store))
    return [
        Command("report", ("report", largest.run_id, *at), 5.0, GIB),
        Command("cost --all", ("cost", "--all", *at), 15.0, 2 * GIB),
        Command("report json", ("report", largest.run_id, "--format", "json", *at)),
        Command("report html", ("report", largest.run_id, "--format", "html", *at)),
        Command("runs", ("runs", *at)),
        Command("compare", ("compare", other.run_id, largest.run_id, *at)),
        Command("tune", ("tune", largest.run_id, *at)),
    ]


def take(command: Command) -> tuple[float, float, int] | None:
    """Wall and CPU seconds and peak bytes of one execution; None if it fails."""
    argv = [sys.executable, "-m", "tracer_hooks", *command.arguments]
    null = os.open(os.devnull, os.O_RDWR)
    begin = time.perf_counter()
    pid = os.posix_spawn(
        argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1)]
    )
    _, status, usage = os.wait4(pid, 0)
    wall_s = time.perf_counter() - begin
    os.close(null)
    return None if status else (wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def fleet(store: Path, size: Size) -> list[Run]:
    """The runs of the fleet in `store`, which is made unless it is there."""
    note = store / "fleet.json"
    if note.exists() and json.loads(note.read_text()) == asdict(size):
        return plan(size)
    if store.exists():
        raise SystemExit(f"{store} exists and holds no such fleet: delete it or name another")
    runs = write_fleet(store, size)
    note.write_text(json.dumps(asdict(size)))
    return runs


def measure(arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    size = Size(arguments.attempts, arguments.runs, arguments.largest, arguments.seed)
    store = arguments.store or scratch / "store"
    begin = time.perf_counter()
    runs = fleet(store, size)
    made_s = time.perf_counter() - begin
    files = list(store.rglob("*.parquet"))
    result: dict[str, Any] = {
        "attempts": size.attempts, "runs": size.runs, "seed": size.seed, "made_s": made_s,
        "parquet_files": len(files), "mib_on_disk": sum(f.stat().st_size for f in files) / 2**20,
        "cores": CORES, "commands": {},
    }  # fmt: skip
    print(f"{size.attempts:,} attempts, {size.runs} runs: made in {made_s:.1f} s, {len(files):,} "
          f"files, {result['mib_on_disk']:,.0f} MiB")  # fmt: skip
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling modules is no part of a report
    for command in commands(store, runs):
        if arguments.only and command.name not in arguments.only:
            continue
        taken = [take(command) for _ in range(max(1, arguments.pairs))]
        known = [one for one in taken if one is not None]
        if len(known) < len(taken):
            print(f"  {command.name:<12} failed")
            result["commands"][command.name] = None
            continue
        result["commands"][command.name] = row(command, known)
    return result


def row(command: Command, taken: list[tuple[float, float, int]]) -> dict[str, Any]:
    """Print and return one command's figures; the ratios are of the medians."""
    wall, cpu, peak = (spread(values) for values in zip(*taken, strict=True))
    figures: dict[str, Any] = {"wall_s": wall, "cpu_s": cpu, "peak_bytes": peak}
    line = f"  {command.name:<12} {wall['median']:7.2f} s  {peak['median'] / 2**20:7.0f} MiB"
    if command.most_s and command.most_bytes:
        figures |= {
            "target_s": command.most_s, "target_bytes": command.most_bytes,
            "wall_ratio": wall["median"] / command.most_s,
            "peak_ratio": peak["median"] / command.most_bytes,
        }  # fmt: skip
        line += (
            f"   of {command.most_s:g} s: {figures['wall_ratio']:.2f}"
            f"   of {command.most_bytes >> 20} MiB: {figures['peak_ratio']:.2f}"
        )
    print(line, flush=True)
    return figures


def options(parser: argparse.ArgumentParser) -> None:
    default = Size()
    parser.add_argument("--attempts", type=int, default=default.attempts)
    parser.add_argument("--runs", type=int, default=default.runs)
    parser.add_argument("--largest", type=int, default=default.largest, help="tasks of one run")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--store", type=Path, help="make the store here, and keep it")
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this one alone")


if __name__ == "__main__":
    sys.exit(main("a fleet of a million attempts", measure, 3, options))
