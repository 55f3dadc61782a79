"""Rows of `tools` and `processes`: what ran inside the attempts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleet_store.attempts import Attempts, choices
from fleet_store.columns import table, where
from fleet_store.plan import MIB, TOOLS, Numbers, Whole
from fleet_store.task_rows import polled

_KEPT = 5  # processes of one tool in one attempt that have a row; the rest is folded


def tool_rows(a: Attempts, rng: np.random.Generator) -> pa.Table:
    """One row for each attempt and tool; their CPU and what is unattributed add up to the total."""
    owner, tool, mean = _used(a)
    count = 1 + rng.poisson(mean - 1)
    short = rng.binomial(count, np.where(mean > 30, 0.95, 0.1))
    weight = rng.exponential(1.0, len(owner)) + 1e-6
    whole = np.bincount(owner, weight, len(a))
    cpu = (a.cpu_s - a.unattributed_s)[owner] * weight / whole[owner]
    written = rng.exponential(20 * MIB, len(owner))
    return table(
        "tools", len(owner), task_id=a.task_id.take(owner), attempt=a.attempt[owner],
        tool=choices(list(TOOLS), tool), count=count, short_count=short,
        folded_count=np.maximum(count - _KEPT, 0), cpu_s=cpu,
        wall_s=np.maximum(cpu, a.wall_s[owner] * rng.uniform(0.1, 1.0, len(owner))),
        memory_peak_bytes=a.memory_bytes[owner] * rng.uniform(0.1, 1.0, len(owner)),
        disk_read_bytes=written, disk_write_bytes=written,
        source=choices(["perf", "poll"], polled(a)[owner]), spool=a.spool.take(owner),
    )  # fmt: skip


def process_rows(a: Attempts, tools: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Up to `_KEPT` rows for each row of `tools`, which are children of the attempt's shell."""
    owner, _, _ = _used(a)
    count = np.minimum(tools["count"].to_numpy(), _KEPT)
    row = np.repeat(np.arange(len(owner)), count)
    owner = owner[row]
    lived = a.wall_s[owner] * rng.uniform(0.01, 1.0, len(row))
    start = a.start_us[owner] + (a.wall_s[owner] - lived) * rng.uniform(0, 1e6, len(row))
    cpu = tools["cpu_s"].to_numpy()[row] / count[row]
    first = np.searchsorted(owner, owner)
    place = np.arange(len(row)) - first + 1
    name = tools["tool"].combine_chunks().take(row)
    seen = polled(a)[owner]
    named = rng.random(len(row)) < 0.95
    return table(
        "processes", len(row), task_id=a.task_id.take(owner), attempt=a.attempt[owner],
        process_id=place, parent_id=where(place > 1, np.ones(len(row))),
        pid=1000 + (a.start_us[owner] // 7919 + place) % 4_000_000, tool=name,
        comm=pc.utf8_slice_codeunits(name, 0, 15),
        exe=pc.binary_join_element_wise("/usr/bin/", pc.utf8_slice_codeunits(name, 0, 4), ""),
        argv=_argv(name, named), argv_source=choices(["argv", "comm"], (~named).astype(np.int64)),
        forked=pa.array(place > 1), started_at=start, ended_at=start + lived * 1e6,
        exit_code=0, cpu_user_s=cpu * 0.9, cpu_system_s=cpu * 0.1, cpu_s=cpu,
        cpu_source=choices(["switches", "schedstat"], seen),
        memory_peak_bytes=tools["memory_peak_bytes"].to_numpy()[row],
        disk_read_bytes=tools["disk_read_bytes"].to_numpy()[row] / count[row],
        disk_write_bytes=tools["disk_write_bytes"].to_numpy()[row] / count[row],
        threads_peak=1 + rng.poisson(1, len(row)), source=choices(["perf", "poll"], seen),
        spool=a.spool.take(owner),
    )  # fmt: skip


def _used(a: Attempts) -> tuple[Whole, Whole, Numbers]:
    """For each attempt each tool of its step: place of the attempt, of the tool, mean count."""
    lengths = np.array([len(step.tools) for step in a.run.steps])
    flat = np.array([TOOLS.index(name) for step in a.run.steps for name, _ in step.tools])
    means = np.array([mean for step in a.run.steps for _, mean in step.tools])
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    per = lengths[a.step]
    owner = np.repeat(np.arange(len(a)), per)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(per) - per, per)
    at = begins[a.step][owner] + within
    return owner, flat[at], means[at]


def _argv(name: pa.Array, known: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> pa.Array:
    """The tool's words and two files, where the command line is known."""
    words = pc.binary_join_element_wise(name, "input.fastq.gz", "output.bam", pa.scalar(" "))
    return pc.if_else(pa.array(known), pc.split_pattern(words, " "), None)
