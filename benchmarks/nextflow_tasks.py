"""What observing costs a Nextflow run: many tasks that do nothing, bare against observed, in pairs.

    python benchmarks/nextflow_tasks.py [--pairs 3] [--tasks 200] [--version 25.04.4]

Wall and CPU are of the whole engine with all that it starts, from its first process to its last.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pairs import compare, main, show, time_command

from tests.nextflow import fetch_engine

TARGET = 1.10
PIPELINE = """\
process NOTHING {
    input: val i
    script: 'true'
}
workflow { NOTHING(Channel.of(1..params.tasks)) }
"""


def more_options(parser: argparse.ArgumentParser) -> None:
    """How many tasks, and of which Nextflow."""
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--version", default=fetch_engine.NEWEST, choices=fetch_engine.VERSIONS)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Alternating pairs; the first pair warms up."""
    engine = fetch_engine.fetch(options.version)
    os.environ["TRACER_HOOKS_NEXTFLOW"] = str(engine)
    (folder / "main.nf").write_text(PIPELINE)
    words = ["-q", "run", str(folder / "main.nf"), "--tasks", str(options.tasks)]
    launch = [sys.executable, "-m", "tracer_hooks", "nextflow", "--", *words]
    commands = {"bare": [str(engine), *words], "observed": launch}
    timings: dict[str, list[Any]] = {name: [] for name in commands}
    for number in range(options.pairs + 1):
        for name in sorted(commands, reverse=number % 2 == 1):
            # A folder of its own: no cache, no store of the run before.
            with tempfile.TemporaryDirectory(dir=folder) as here:
                os.chdir(here)
                timing = time_command(commands[name])
                os.chdir(folder)
            if number:
                timings[name].append(timing)
                took = f"{timing.wall_s:6.2f} s wall, {timing.cpu_s:6.2f} s CPU"
                print(f"{name:<9} {took}", flush=True)
    figures = compare(timings["bare"], timings["observed"])
    show(f"{options.tasks} × true, Nextflow {options.version}, observed against bare", figures)
    print(f"target: median wall_ratio <= {TARGET}")
    return {"tasks": options.tasks, "version": options.version, "target": TARGET, **figures}


if __name__ == "__main__":
    main(__doc__.splitlines()[0], measure, pairs=3, more_options=more_options)
