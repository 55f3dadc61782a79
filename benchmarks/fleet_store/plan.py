"""What the fleet runs: pipelines, their steps, and how many attempts each run has.

All skews are those that operators of clusters describe: run sizes and wall times are lognormal,
samples, steps and tools follow Zipf's law (a few make up most), some steps fail and are retried.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

PIPELINES = ("rnaseq", "variants", "methylation", "amplicon", "imaging", "proteomics", "training")
TOOLS = (
    "bash", "gzip", "samtools sort", "bwa mem", "python merge.py", "awk", "grep", "samtools view",
    "cutadapt", "fastqc", "STAR", "bcftools call", "pigz", "Rscript plot.R", "sed", "cp", "salmon",
    "featureCounts", "java -jar picard.jar MarkDuplicates", "gatk HaplotypeCaller", "bedtools",
    "minimap2", "curl", "rsync", "python train.py", "kraken2", "blastn", "tar", "sort", "md5sum",
    "bismark", "convert", "cellpose", "msfragger", "multiqc", "tabix", "bgzip", "seqtk", "cat",
    "mv",
)  # fmt: skip
_STEP_NAMES = (
    "trim", "align", "sort", "index", "count", "call", "annotate", "merge", "qc", "split", "fetch",
    "dedup", "filter", "normalise", "quantify", "plot", "report", "archive", "train", "predict",
)  # fmt: skip
MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True)
class Step:
    """One step of a pipeline; its tasks vary around this."""

    name: str
    wall_s: float  # median
    spread: float  # sigma of the logarithm of the wall time
    waits: tuple[float, ...]  # shares of the wall: cpu, runnable, disk, network, idle
    cores: float  # busy while it computes
    cpus_requested: float | None
    memory_bytes: float  # median peak
    memory_per_input: float  # bytes of memory for each byte of input
    memory_requested_bytes: int | None
    input_bytes: float  # median
    failing: float  # share of first attempts
    tools: tuple[tuple[str, float], ...]  # name, mean number of processes in an attempt


@dataclass(frozen=True)
class Run:
    """One run: `tasks` tasks, and `retries` further attempts at some of them."""

    number: int
    run_id: str
    pipeline: str
    steps: tuple[Step, ...]
    tasks: int
    retries: int
    start: int  # microseconds since 1970
    hosts: int
    slots: int  # tasks that a host runs at once


@dataclass(frozen=True)
class Size:
    """How large a fleet is."""

    attempts: int = 1_000_000
    runs: int = 200
    largest: int = 50_000  # tasks of the largest run
    seed: int = 1


_RETRIED = 0.04  # of the tasks; what fails more often than that is not tried again
_FIRST_START = 1_735_689_600_000_000  # 2025-01-01
_DAY = 86_400_000_000


def plan(size: Size) -> list[Run]:
    """The runs of a fleet, oldest first; their attempts add up to `size.attempts`."""
    rng = np.random.default_rng([size.seed, 0])
    pipelines = {name: _steps(np.random.default_rng([size.seed, 1, i]))
                 for i, name in enumerate(PIPELINES)}  # fmt: skip
    counts = _attempt_counts(rng, size)
    largest = int(counts.argmax())
    chosen = rng.choice(len(PIPELINES), len(counts), p=zipf(len(PIPELINES)))
    runs = []
    for number, attempts in enumerate(counts.tolist()):
        tasks = size.largest if number == largest else max(1, round(attempts / (1 + _RETRIED)))
        pipeline = PIPELINES[int(chosen[number])]
        start = _FIRST_START + number * 365 * _DAY // size.runs
        hosts = int(np.clip(attempts // 800, 1, 40))
        runs.append(
            Run(
                number, f"20250101T{number:06d}-{number * 2654435761 % 2**24:06x}", pipeline,
                pipelines[pipeline], tasks, attempts - tasks, start, hosts, 16,
            )
        )  # fmt: skip
    return runs


def zipf(count: int, exponent: float = 1.1) -> Numbers:
    """Probabilities of `count` things after Zipf's law."""
    weights = np.arange(1, count + 1, dtype=float) ** -exponent
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _attempt_counts(rng: np.random.Generator, size: Size) -> Whole:
    """Attempts per run: one run of `largest` tasks, the others lognormal."""
    first = round(size.largest * (1 + _RETRIED))
    rest, runs = size.attempts - first, size.runs - 1
    if rest < runs or runs < 1:
        raise ValueError("more attempts than the largest run has, and at least two runs")
    share = rng.lognormal(0.0, 0.9, runs)
    # Half of the largest at most: it must stay the largest.
    counts = np.maximum(1, np.floor(share / share.sum() * rest)).astype(np.int64)
    limit = max(first // 2, -(-rest // runs))
    for _ in range(100):
        counts = np.minimum(counts, limit)
        missing = rest - int(counts.sum())
        if not missing:
            break
        room = np.flatnonzero(counts < limit) if missing > 0 else np.flatnonzero(counts > 1)
        each = max(1, abs(missing) // len(room))
        counts[room[: abs(missing)]] += each if missing > 0 else -each
        counts = np.maximum(counts, 1)
    return np.insert(counts, runs // 2, first)


def _steps(rng: np.random.Generator) -> tuple[Step, ...]:
    """A pipeline's steps; each kind of bottleneck occurs."""
    kinds = np.array([
        (0.86, 0.03, 0.05, 0.00, 0.06), (0.25, 0.02, 0.65, 0.00, 0.08),
        (0.05, 0.00, 0.05, 0.75, 0.15), (0.02, 0.00, 0.03, 0.00, 0.95),
        (0.45, 0.40, 0.05, 0.00, 0.10), (0.55, 0.05, 0.20, 0.05, 0.15),
    ])  # fmt: skip
    steps = []
    for name in _STEP_NAMES[: int(rng.integers(8, len(_STEP_NAMES)))]:
        waits = kinds[rng.choice(len(kinds), p=[0.45, 0.15, 0.08, 0.07, 0.1, 0.15])]
        cores = float(rng.choice([1.0, 1.0, 1.9, 3.6, 7.0]))
        memory = float(rng.lognormal(np.log(600 * MIB), 1.0))
        steps.append(
            Step(
                name=name,
                wall_s=float(rng.lognormal(np.log(12.0), 1.0)),
                spread=float(rng.uniform(0.3, 1.0)),
                waits=tuple(waits.tolist()),
                cores=cores,
                cpus_requested=float(rng.choice([1, 2, 4, 8])) if rng.random() < 0.9 else None,
                memory_bytes=memory,
                memory_per_input=float(rng.choice([0.0, 0.0, 0.3, 1.5])),
                memory_requested_bytes=(
                    int(2 ** np.ceil(np.log2(memory * 2.5))) if rng.random() < 0.8 else None
                ),
                input_bytes=float(rng.lognormal(np.log(200 * MIB), 1.0)),
                failing=float(rng.choice([0.0, 0.005, 0.02, 0.1], p=[0.3, 0.4, 0.2, 0.1])),
                tools=_tools(rng),
            )
        )
    return tuple(steps)


def _tools(rng: np.random.Generator) -> tuple[tuple[str, float], ...]:
    """One to five programs after Zipf; now and then hundreds of processes of a helper."""
    count = int(rng.integers(1, 6))
    names = rng.choice(len(TOOLS), count, replace=False, p=zipf(len(TOOLS), 0.8))
    means = np.where(rng.random(count) < 0.08, rng.uniform(40, 400, count), 1.2)
    return tuple((TOOLS[int(n)], float(m)) for n, m in zip(names, means, strict=True))
