"""Rows of `runs` and `tasks`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleet_store.attempts import ENDS, Attempts, choices
from fleet_store.columns import table, where
from fleet_store.plan import MIB, Run, Whole

_CAPTURES = ("perf", "poll")


def run_rows(run: Run, a: Attempts) -> pa.Table:
    """The adapter's record of the run."""
    end = int((a.start_us + a.wall_s * 1e6).max())
    return table(
        "runs", 1, pipeline=run.pipeline, engine="snakemake", engine_version="9.27.1",
        started_at=run.start, ended_at=end, wall_s=(end - run.start) / 1e6, status="succeeded",
        host="login1", user=f"user{run.number % 17}", workdir=f"/data/{run.run_id}",
        command=f"snakemake --executor tracer --jobs {run.hosts * run.slots}",
        tags=pa.array([[("project", f"p{run.number % 9}")]], pa.map_(pa.string(), pa.string())),
        total_tasks=run.tasks, spool=f"@run.login1-{4000 + run.number}-{run.start:x}",
    )  # fmt: skip


def task_rows(a: Attempts, tools: pa.Table, rng: np.random.Generator) -> pa.Table:
    """One row for each attempt; the parts of the wall time sum to it, processes to `tools`."""
    run, rows = a.run, len(a)
    of_step = {name: [getattr(step, name) for step in run.steps] for name in
               ("name", "cpus_requested", "memory_requested_bytes")}  # fmt: skip
    lost = a.end == len(ENDS) - 1
    system = a.cpu_s * rng.uniform(0.02, 0.15, rows)
    read = a.input_bytes * rng.uniform(0.0, 1.0, rows)
    count, short = _processes(a, tools)
    networked = rng.random(rows) < 0.8
    return table(
        "tasks", rows, pipeline=run.pipeline, engine="snakemake",
        step=choices(of_step["name"], a.step), task_id=a.task_id, task_name=a.task_id,
        attempt=a.attempt, sample=samples(a), tags=_tags(a),
        host=hosts(a), user=f"user{run.number % 17}", workdir=f"/data/{run.run_id}",
        command=pc.binary_join_element_wise(
            "bash -c 'set -euo pipefail; process --in", samples(a), "--out results' ", " "
        ),
        cpus_requested=pa.array(of_step["cpus_requested"], pa.float64()).take(a.step),
        memory_requested_bytes=pa.array(
            of_step["memory_requested_bytes"], pa.int64()
        ).take(a.step),
        time_requested_s=3600.0, submitted_at=a.start_us - rng.integers(1, 30_000_000, rows),
        started_at=a.start_us, ended_at=where(~lost, a.start_us + np.round(a.wall_s * 1e6)),
        wall_s=a.wall_s, status=choices([end[0] for end in ENDS], a.end),
        exit_code=pa.array([end[2] for end in ENDS], pa.int32()).take(a.end),
        signal=pa.array([end[3] for end in ENDS], pa.int32()).take(a.end),
        failure_cause=choices([end[1] for end in ENDS], a.end),
        cpu_user_s=a.cpu_s - system, cpu_system_s=system, cpu_s=a.cpu_s,
        cpu_unattributed_s=a.unattributed_s,
        **{f"wall_{part}_s": a.waits_s[:, place]
           for place, part in enumerate(("cpu", "runnable", "disk", "network", "idle"))},
        memory_peak_bytes=a.memory_bytes, memory_mean_bytes=a.memory_bytes * 0.6,
        memory_source=choices(["pss", "hwm", "rss"], rng.choice(3, rows, p=[0.2, 0.7, 0.1])),
        disk_read_bytes=read, disk_write_bytes=read * 0.6,
        io_read_chars=a.input_bytes * 1.7, io_write_chars=read,
        network_rx_bytes=where(networked, a.waits_s[:, 3] * 40 * MIB),
        network_tx_bytes=where(networked, a.waits_s[:, 3] * MIB),
        network_source=choices(["sock_diag+destroy", None], (~networked).astype(np.int64)),
        process_count=count, process_count_source=choices(["perf", "estimated"], polled(a)),
        short_process_count=short, threads_peak=1 + rng.poisson(4, rows),
        major_faults=rng.poisson(2, rows), voluntary_switches=rng.poisson(a.wall_s * 40 + 5),
        involuntary_switches=rng.poisson(a.cpu_s * 20 + 1), input_bytes=a.input_bytes,
        output_bytes=read * 0.6, capture=choices(list(_CAPTURES), polled(a)),
        reading_count=readings_of(a), events_lost=0,
        observer_cpu_s=0.02 + a.wall_s * 0.004, observer_memory_bytes=11 * MIB, spool=a.spool,
    )  # fmt: skip


def samples(a: Attempts) -> pa.Array:
    """The samples' names."""
    return pc.binary_join_element_wise("S", pa.array(a.sample).cast(pa.string()), pa.scalar(""))


def hosts(a: Attempts) -> pa.Array:
    """The hosts' names."""
    return choices([f"node{number}" for number in range(a.run.hosts)], a.host)


def polled(a: Attempts) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """1 where the attempt's host permits no perf events: one host in eight."""
    return (a.host % 8 == 7).astype(np.int64)


def readings_of(a: Attempts) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Readings of an attempt: dense at first, then ever fewer."""
    return (2 + 3 * np.log1p(4 * a.wall_s)).astype(np.int64)


def _processes(a: Attempts, tools: pa.Table) -> tuple[Whole, Whole]:
    """How many processes each attempt had, and how many were short."""
    sums = tools.group_by("spool").aggregate([("count", "sum"), ("short_count", "sum")])
    at = pc.index_in(a.spool, sums["spool"].combine_chunks())
    return tuple(sums[f"{name}_sum"].to_numpy()[at.to_numpy()] for name in ("count", "short_count"))


def _tags(a: Attempts) -> pa.Array:
    """Two tags for each attempt."""
    rows = len(a)
    keys = choices(["kind", "batch"], np.tile([0, 1], rows))
    values = np.stack([np.zeros(rows, np.int64), 1 + a.sample % 5], axis=1).reshape(-1)
    items = choices(["shell", "b1", "b2", "b3", "b4", "b5"], values)
    return pa.MapArray.from_arrays(pa.array(np.arange(0, 2 * rows + 1, 2), pa.int32()), keys, items)
