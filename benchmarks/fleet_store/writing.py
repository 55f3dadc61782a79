"""The fleet's tables as parts, as ingest writes them: 5,000 attempts each, then compacted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleet_store.attempts import attempts
from fleet_store.course_rows import event_rows, host_rows, reading_rows
from fleet_store.detail_rows import process_rows, tool_rows
from fleet_store.plan import Run, Size, plan
from fleet_store.task_rows import run_rows, task_rows
from tracer_hooks.store.compaction import compact_table
from tracer_hooks.store.ingest import BATCH_SPOOLS
from tracer_hooks.store.layout import Layout
from tracer_hooks.store.parts import write_part


def write_fleet(store: Path, size: Size, workers: int | None = None) -> list[Run]:
    """Write a fleet's store into a new folder, and return its runs."""
    runs = plan(size)
    # The largest first, or its writer would be the last to end.
    order = sorted(runs, key=lambda run: -run.tasks)
    pa.set_cpu_count(1)
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        for _ in pool.map(write_run, [store] * len(runs), order, [size.seed] * len(runs)):
            pass
    return runs


def tables(run: Run, seed: int) -> dict[str, pa.Table]:
    """The rows of one run, by table."""
    rng = np.random.default_rng([seed, 2, run.number])
    a = attempts(run, rng)
    tools = tool_rows(a, rng)
    return {
        "runs": run_rows(run, a),
        "tools": tools,
        "processes": process_rows(a, tools, rng),
        "readings": reading_rows(a, rng),
        "hosts": host_rows(a, rng),
        "events": event_rows(a, rng),
        "tasks": task_rows(a, tools, rng),
    }


def write_run(store: Path, run: Run, seed: int) -> None:
    """Write one run's parts."""
    layout = Layout(store)
    made = tables(run, seed)
    spools = made["tasks"]["spool"].to_pylist()
    for name, rows in made.items():
        folder = layout.partition(name, run.run_id)
        if name in ("runs", "hosts"):
            write_part(folder, name, [rows], pc.unique(rows["spool"]).to_pylist())
            continue
        for batch, part in _batches(rows, spools):
            if part.num_rows:
                write_part(folder, name, [part], batch)
        compact_table(folder, name, _refuse, only_if_worth_it=True)


def _batches(rows: pa.Table, spools: list[str]) -> Iterator[tuple[list[str], pa.Table]]:
    """The rows of 5,000 attempts at a time; rows are in the order of their attempts."""
    of_attempt = pc.index_in(rows["spool"], pa.array(spools)).to_numpy()
    borders = np.searchsorted(of_attempt, np.arange(0, len(spools) + BATCH_SPOOLS, BATCH_SPOOLS))
    for place in range(0, len(spools), BATCH_SPOOLS):
        begin, end = borders[place // BATCH_SPOOLS : place // BATCH_SPOOLS + 2]
        yield spools[place : place + BATCH_SPOOLS], rows.slice(begin, end - begin)


def _refuse(warning: str) -> None:
    raise RuntimeError(warning)
