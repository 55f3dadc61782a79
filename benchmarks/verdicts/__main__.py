"""Runs labelled tasks for real under `tracer-hooks run` and compares what each is called.

    python benchmarks/verdicts                       all of it: about three minutes
    python benchmarks/verdicts --shard 1/3           every third, for machines in demand
    python benchmarks/verdicts --only disk           those whose label or name holds a word
    python benchmarks/verdicts --pipelines           two pipelines beside what their host showed
    python benchmarks/verdicts --json FILE           figures for machines; `-` for stdout

Exits 1 if a task was called what it is not or left no record, a control was called I/O-bound, or
fewer than half of the tasks (--at-least N) could be judged. What should have cores to
itself and had not, because others kept the host busy, is run again, and at last left out. What
needs root or control groups is skipped where there are none, and said.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pipelines
from places import PYTHON, NotHereError
from scores import IO_BOUND, Outcome, show
from workloads import WORKLOADS, Workload

TRIES = 3  # while others disturb
MOST_S = 60
LEAST = 0.5  # of the tasks: what needs root or control groups is less than a third of them
STARTING_S = 0.4  # CPU of starting the supervisor, which is no part of its record


def execute(workload: Workload, folder: Path, store: Path) -> Outcome:
    """Run one task in a folder and a store of its own."""
    shutil.rmtree(store, ignore_errors=True)  # of an earlier run, where they are kept
    run = [PYTHON, "-m", "tracer_hooks", "run", "--store", str(store), "--run", workload.name,
           "--task", workload.name, "--step", workload.name, *workload.options, "--"]  # fmt: skip
    try:
        with workload.setting(folder) as (head, command):
            before, began = host_busy_s(), time.monotonic()
            done = subprocess.run(
                [*head, *run, *command], cwd=folder, capture_output=True, text=True, timeout=MOST_S,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}, check=False,
            )  # fmt: skip
            # The record has the task's own part of it.
            busy_s, took_s = host_busy_s() - before, time.monotonic() - began
    except NotHereError as reason:
        return Outcome(workload, None, str(reason))
    except subprocess.TimeoutExpired:
        return Outcome(workload, None, error=f"not over after {MOST_S} s: is this host very busy?")
    if done.returncode != workload.status:
        said = f"exited with {done.returncode}, not {workload.status}: {done.stderr[-500:]}"
        return Outcome(workload, None, error=said)
    outcome = judge(workload, store)
    if outcome.task is None:
        # It ran, so that no record is a defect of ours.
        return replace(outcome, skipped=None, error=outcome.error or outcome.skipped)
    own_s = (outcome.task["cpu_s"] or 0.0) + (outcome.task["observer_cpu_s"] or 0.0)
    return replace(outcome, others=max(0.0, busy_s - own_s - STARTING_S) / took_s)


def undisturbed(workload: Workload, scratch: Path, store: Path) -> Outcome:
    """Run a task, and again while others kept the host busy, whatever it was called."""
    for number in range(TRIES):
        folder = scratch / f"{workload.name}-{number}"
        folder.mkdir()
        outcome = execute(workload, folder, store)
        if not outcome.disturbed:
            break
    return outcome


def host_busy_s() -> float:
    """CPU seconds that the host has spent on anything since it started."""
    with Path("/proc/stat").open() as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def judge(workload: Workload, store: Path) -> Outcome:
    """Ask the report what it was; skipped where nothing was kept of it."""
    if not store.exists():
        return Outcome(workload, None, f"no record of it in {store.parent}")
    report = subprocess.run(
        [PYTHON, "-m", "tracer_hooks", "report", "--store", str(store), "--format", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if report.returncode:
        return Outcome(workload, None, error=report.stderr.strip())
    (task,) = json.loads(report.stdout)["tasks"]
    return Outcome(workload, task)


def chosen(arguments: argparse.Namespace) -> list[Workload]:
    words = arguments.only or [""]
    found = [w for w in WORKLOADS if any(word in f"{w.label}/{w.name}" for word in words)]
    number, shards = map(int, arguments.shard.split("/"))
    return found[number - 1 :: shards]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="WORD", help="labels or names to run")
    parser.add_argument("--shard", default="1/1", metavar="N/M", help="every M-th, from the N-th")
    parser.add_argument("--pipelines", action="store_true", help="two pipelines beside their host")
    parser.add_argument("--at-least", type=int, metavar="N", help="judged tasks (default: half)")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    parser.add_argument("--scratch", type=Path, help="a folder on the disk to test")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the records here")
    parser.add_argument("--again", type=Path, metavar="DIR", help="judge records that were kept")
    arguments = parser.parse_args()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(dir=arguments.scratch, prefix="verdicts-") as scratch:
        if arguments.pipelines:
            complaints = pipelines.check(Path(scratch))
            print(*complaints, sep="\n")
            return 1 if complaints else 0
        for workload in chosen(arguments):
            records = arguments.again or arguments.keep or Path(scratch, "records")
            if arguments.again:
                outcome = judge(workload, records / workload.name)
            else:
                outcome = undisturbed(workload, Path(scratch), records / workload.name)
            print(outcome.line(), file=sys.stderr, flush=True)
            outcomes.append(outcome)
    if arguments.json:
        figures: dict[str, Any] = {"benchmark": "verdicts", "tasks": [o.row() for o in outcomes]}
        text = json.dumps(figures, indent=2) + "\n"
        sys.stdout.write(text) if arguments.json == "-" else Path(arguments.json).write_text(text)
    if arguments.json != "-":
        show(outcomes)
    wrong = [o for o in outcomes if o.good is False]
    blamed = [o for o in outcomes if o.workload.control and o.called in IO_BOUND]
    judged = sum(outcome.good is not None for outcome in outcomes)
    least = math.ceil(len(outcomes) * LEAST) if arguments.at_least is None else arguments.at_least
    few = judged < least or not judged
    if few:
        print(f"only {judged} of {len(outcomes)} tasks could be judged", file=sys.stderr)
    return 1 if wrong or blamed or few else 0


if __name__ == "__main__":
    sys.exit(main())
