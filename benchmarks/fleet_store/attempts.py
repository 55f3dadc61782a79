"""The attempts of one run, as columns of numbers: what the rows of every table follow from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fleet_store.plan import Numbers, Run, Whole, zipf

# How a first attempt goes wrong, and how often: status, failure_cause, exit code, signal.
ENDS = (
    ("succeeded", None, 0, None, 0.0),
    ("failed", "exit_code", 1, None, 0.50),
    ("failed", "oom", None, 9, 0.25),
    ("failed", "timeout", None, 15, 0.10),
    ("cancelled", "cancelled", None, 15, 0.08),
    ("lost", None, None, None, 0.07),
)


@dataclass(frozen=True)
class Attempts:
    """One run's attempts, in the order in which they started; all arrays have one value for each.

    `step`, `sample`, `host`, `end` are places in lists; times are microseconds since 1970.
    """

    run: Run
    step: Whole
    sample: Whole
    number: Whole  # of the task
    attempt: Whole
    end: Whole
    host: Whole
    start_us: Whole
    wall_s: Numbers
    waits_s: Numbers  # a row for each attempt: cpu, runnable, disk, network, idle
    cpu_s: Numbers
    unattributed_s: Numbers
    memory_bytes: Whole
    input_bytes: Whole
    task_id: pa.Array
    spool: pa.Array

    def __len__(self) -> int:
        return len(self.step)


def attempts(run: Run, rng: np.random.Generator) -> Attempts:
    """Draw the attempts of a run."""
    step, sample = _tasks(run, rng)
    number = np.arange(run.tasks)
    failing = np.array([one.failing for one in run.steps])[step]
    again = _retried(run, rng, failing)
    number = np.concatenate([number, again])
    attempt = np.ones(len(number), np.int64)
    attempt[run.tasks :] = _occurrence(again) + 2
    step, sample = step[number], sample[number]
    end = _ends(rng, failing[number], attempt < np.bincount(number)[number])
    wall, input_bytes, memory = _sizes(run, rng, step, end)
    waits = _waits(run, rng, step, wall)
    start, host = _schedule(run, rng, wall)
    cores = np.array([one.cores for one in run.steps])[step]
    cpu = waits[:, 0] * cores * rng.uniform(0.85, 1.0, len(step))
    order = np.argsort(start, kind="stable")
    ids = _task_ids(run, step, sample, number)
    spools = _spools(ids, attempt, host, rng)
    return Attempts(
        run, step[order], sample[order], number[order], attempt[order], end[order], host[order],
        start[order], wall[order], waits[order], cpu[order],
        (cpu * rng.exponential(0.02, len(step)).clip(0, 0.5))[order],
        memory[order], input_bytes[order], ids.take(order), spools.take(order),
    )  # fmt: skip


def choices(names: list[str | None], places: Whole) -> pa.Array:
    """An array of text: the name at each place."""
    return pa.DictionaryArray.from_arrays(
        pa.array(places, pa.int32()), pa.array(names, pa.string())
    ).cast(pa.string())


def _tasks(run: Run, rng: np.random.Generator) -> tuple[Whole, Whole]:
    """Step and sample of each task, in the pipeline's order: what is cut up comes after."""
    step = np.sort(rng.choice(len(run.steps), run.tasks, p=zipf(len(run.steps), 0.7)))
    samples = max(1, run.tasks // 12)
    return step, rng.choice(samples, run.tasks, p=zipf(samples, 0.6))


def _retried(run: Run, rng: np.random.Generator, failing: Numbers) -> Whole:
    """The tasks that the run's further attempts are at: those of steps that fail."""
    weights = failing + 1e-3
    return np.sort(rng.choice(run.tasks, run.retries, p=weights / weights.sum()))


def _occurrence(ordered: Whole) -> Whole:
    """How often each value of a sorted array came before."""
    first = np.searchsorted(ordered, ordered)
    return np.asarray(np.arange(len(ordered)) - first, dtype=np.int64)


def _ends(rng: np.random.Generator, failing: Numbers, retried: npt.NDArray[np.bool_]) -> Whole:
    """What is tried again had failed; a last attempt fails seldom."""
    bad = rng.choice(len(ENDS), len(failing), p=[end[4] for end in ENDS])
    return np.where(retried | (rng.random(len(failing)) < failing / 4), bad, 0).astype(np.int64)


def _sizes(
    run: Run, rng: np.random.Generator, step: Whole, end: Whole
) -> tuple[Numbers, Whole, Whole]:
    """Wall time, bytes of input and peak of memory, which follow from one another."""

    def of_step(name: str) -> Numbers:
        return np.array([getattr(one, name) for one in run.steps], float)[step]

    size = rng.lognormal(0.0, 0.8, len(step))
    wall = of_step("wall_s") * size**0.5 * rng.lognormal(0.0, 1.0, len(step)) ** of_step("spread")
    wall = np.where(end > 0, wall * rng.uniform(0.05, 0.9, len(step)), wall)
    input_bytes = of_step("input_bytes") * size
    memory = of_step("memory_bytes") * rng.lognormal(0.0, 0.15, len(step))
    memory += of_step("memory_per_input") * input_bytes
    wall = np.maximum(np.round(wall, 6), 0.02)
    return wall, input_bytes.astype(np.int64), memory.astype(np.int64)


def _waits(run: Run, rng: np.random.Generator, step: Whole, wall: Numbers) -> Numbers:
    """The wall time's parts, Dirichlet around the step's; they sum to it."""
    shape = np.array([one.waits for one in run.steps])[step] * 12 + 1e-3
    drawn = rng.standard_gamma(shape)
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True) * wall[:, None], dtype=np.float64)


def _schedule(run: Run, rng: np.random.Generator, wall: Numbers) -> tuple[Whole, Whole]:
    """Start and host: each place of each host takes the next task when it has ended one."""
    places = run.hosts * run.slots
    rounds = -(-len(wall) // places)
    lasting = np.zeros(rounds * places)
    lasting[: len(wall)] = wall + rng.exponential(0.3, len(wall))
    grid = lasting.reshape(rounds, places)
    start = (np.cumsum(grid, axis=0) - grid).reshape(-1)[: len(wall)]
    host = np.tile(np.arange(places) % run.hosts, rounds)[: len(wall)]
    return run.start + np.round(start * 1e6).astype(np.int64), host


def _task_ids(run: Run, step: Whole, sample: Whole, number: Whole) -> pa.Array:
    steps = choices([one.name for one in run.steps], step)
    samples = pa.array(sample).cast(pa.string())
    numbers = pa.array(number).cast(pa.string())
    return pc.binary_join_element_wise(
        steps, ":sample=S", samples, ",part=", numbers, pa.scalar("")
    )


def _spools(ids: pa.Array, attempt: Whole, host: Whole, rng: np.random.Generator) -> pa.Array:
    """Names as supervisors give them: task, attempt, host, pid and a time."""
    escaped = pc.replace_substring(pc.replace_substring(ids, ":", "%3A"), "=", "%3D")
    number = pa.array(attempt).cast(pa.string())
    hosts = pa.array(host).cast(pa.string())
    pids = pa.array(rng.integers(1000, 4_000_000, len(ids))).cast(pa.string())
    unique = pa.array(rng.integers(1 << 60, 1 << 61, len(ids))).cast(pa.string())
    tail = pc.binary_join_element_wise("node", hosts, "-", pids, "-", unique, pa.scalar(""))
    return pc.binary_join_element_wise(escaped, number, tail, pa.scalar("."))
