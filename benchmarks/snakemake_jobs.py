"""60 small Snakemake shell jobs: the traced executor against the stock local one.

Alternating pairs, so that a machine that gets slower or faster in between bends both alike. Prints
the ratios of the wall times (whole command, ingest and summary included) and, with --json FILE,
writes every figure.

    python benchmarks/snakemake_jobs.py --pairs 5 --json snakemake_jobs.json
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGET = 1.2
SNAKEFILE = """
rule all:
    input:
        expand("out/{{i}}.txt", i=range({jobs})),


rule small:
    output:
        "out/{{i}}.txt",
    shell:
        "echo {{wildcards.i}} | sed s/1/2/ > {{output}}"
"""


def measure(
    executor: str, jobs: int, cores: int, python: str, extra: Sequence[str]
) -> dict[str, float]:
    """Wall and CPU seconds of one run in a fresh folder."""
    with tempfile.TemporaryDirectory(prefix="tracer-bench-") as folder:
        (Path(folder) / "Snakefile").write_text(SNAKEFILE.format(jobs=jobs))
        command = [python, "-m", "snakemake", "--executor", executor, "--cores", str(cores)]
        command += extra if executor == "tracer" else ()
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TRACER_HOOKS")}
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, env=environment, check=False
        )
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0 or (executor == "tracer" and "no summary" in done.stderr):
            sys.exit(f"the run with --executor {executor} went wrong:\n{done.stderr[-3000:]}")
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return {"wall_s": wall, "cpu_s": cpu}


def main() -> None:
    """Measure pairs, print a line each and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--python", default=sys.executable, help="the Python that has Snakemake")
    parser.add_argument(
        "--no-summary", action="store_true", help="leave the ingest and the summary at the end out"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()

    extra = ["--tracer-no-summary"] if options.no_summary else []
    pairs = []
    for number in range(options.pairs + 1):
        order = ("local", "tracer") if number % 2 else ("tracer", "local")
        pair = {
            executor: measure(executor, options.jobs, options.cores, options.python, extra)
            for executor in order
        }
        if number == 0:
            continue  # the first pair warms the page cache and Python's bytecode
        pairs.append(pair)
        stock, traced = pair["local"], pair["tracer"]
        print(
            f"pair {number}: stock {stock['wall_s']:.2f} s, traced {traced['wall_s']:.2f} s, "
            f"ratio {traced['wall_s'] / stock['wall_s']:.3f}; "
            f"CPU {stock['cpu_s']:.2f} s, {traced['cpu_s']:.2f} s"
        )
    result = {
        name: _spread([pair["tracer"][figure] / pair["local"][figure] for pair in pairs])
        for name, figure in (("wall_ratio", "wall_s"), ("cpu_ratio", "cpu_s"))
    }
    for name, spread in result.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in spread.items()))
    print(f"target: median wall_ratio <= {TARGET}")
    if options.json:
        settings = {"jobs": options.jobs, "cores": options.cores, "target": TARGET}
        options.json.write_text(json.dumps({**settings, **result, "pairs": pairs}, indent=2))


def _spread(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


if __name__ == "__main__":
    main()
