"""What `tune` writes for Snakemake, Snakemake takes: the requests of the next run are those."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SNAKEFILE = """
SAMPLES = range(1, 8)

rule all:
    input:
        expand("out/{n}.txt", n=SAMPLES),

rule eat:
    input:
        "in/{n}.bin",
    output:
        "out/{n}.txt",
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "echo {threads} {resources.mem_mb} {resources.runtime} > {output}; "
        "{EXE} -c 'import sys; len(open(sys.argv[1], \\"rb\\").read() * {config[times]})' {input}"
"""
MIB = 2**20


def tracer_hooks(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tracer_hooks", *words, "--store", str(folder / ".tracer")],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def run(workdir: Any, *words: str) -> dict[int, list[int]]:
    """Threads, mem_mb and runtime by task."""
    done = workdir.run("--cores", "2", "--executor", "tracer", "--forceall", *words)
    assert done.returncode == 0, done.stdout
    return {
        n: [int(word) for word in (workdir.folder / f"out/{n}.txt").read_text().split()]
        for n in range(1, 8)
    }


def test_a_profile_that_snakemake_takes_and_a_comparison(snakemake: Any) -> None:
    workdir = snakemake("cluster")
    folder = workdir.folder
    (folder / "Snakefile").write_text(SNAKEFILE.replace("{EXE}", sys.executable))
    (folder / "in").mkdir()
    for n in range(1, 8):
        with (folder / f"in/{n}.bin").open("wb") as file:
            file.truncate(n * 16 * MIB)
    first = run(workdir, "--config", "times=2")
    assert first[7] == [2, 4000, 60]

    page = tracer_hooks(folder, "tune", "--for", "snakemake")
    assert page.returncode == 0, page.stderr
    (folder / "tuned").mkdir()
    (folder / "tuned/config.yaml").write_text(page.stdout)
    (step,) = json.loads(tracer_hooks(folder, "tune", "--format", "json").stdout)["steps"]
    assert step["fitted"], step

    second = run(workdir, "--config", "times=4", "--workflow-profile", "tuned")
    for n, (threads, memory, minutes) in second.items():
        assert threads == step["cpus"]
        assert minutes == 5
        line = step["fit_base_bytes"] + step["fit_per_byte"] * n * 16 * MIB
        needed = max(line, step["fit_least_bytes"])
        assert needed <= memory * 1e6 <= needed + 4e6  # whole megabytes, rounded up

    compared = tracer_hooks(folder, "compare", "--fail-on", "memory>20%", "--format", "json")
    assert compared.returncode == 1, compared.stderr
    (over,) = json.loads(compared.stdout)["exceeded"]
    assert (over["scope"], over["subject"]) == ("step", "eat")
    quiet = tracer_hooks(folder, "compare", "latest", "latest", "--fail-on", "memory>0%,wall>0%")
    assert (quiet.returncode, quiet.stderr) == (0, "")
