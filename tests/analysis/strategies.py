"""Random runs for property tests: any figure may be missing, any name may be anything."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from analysis.synthetic import table, task

WAITS = ("cpu", "runnable", "disk", "network", "idle")
# Parquet holds UTF-8: any text without lone surrogates.
names = st.one_of(
    st.sampled_from(
        ["align", "[bold]x[/bold]", "a|b`c`<i>", "\x1b[31mred\n", "\u202egnp", "", "e"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
)
seconds = st.none() | st.floats(0, 1e6, allow_nan=False)
sizes = st.none() | st.integers(0, 1 << 50)
counts = st.none() | st.integers(0, 1_000_000)


@st.composite
def task_rows(draw: st.DrawFn) -> dict[str, Any]:
    """A row of `tasks`; the five parts of the wall time sum to it, or some are missing."""
    wall = draw(seconds)
    parts: list[float | None] = [None] * len(WAITS)
    if wall is not None and draw(st.integers(0, 3)):
        weights = draw(st.lists(st.floats(0, 1), min_size=5, max_size=5))
        total = sum(weights)
        parts = [wall * weight / total if total else 0.0 for weight in weights]
        if draw(st.booleans()) and draw(st.booleans()):
            parts[draw(st.integers(0, 4))] = None
    return task(
        draw(st.sampled_from(["t1", "t2", "t3", "t4"])),
        waits=None,
        task_name=draw(st.none() | names),
        step=draw(st.none() | names),
        attempt=draw(st.integers(1, 3)),
        status=draw(st.sampled_from(["succeeded", "failed", "lost", "cancelled", "running", None])),
        failure_cause=draw(st.sampled_from([None, "oom", "timeout", "exit_code"])),
        wall_s=wall,
        cpu_s=draw(seconds),
        cpu_unattributed_s=draw(seconds),
        cpus_requested=draw(st.none() | st.floats(0, 64)),
        memory_requested_bytes=draw(sizes),
        memory_peak_bytes=draw(sizes),
        disk_read_bytes=draw(sizes),
        disk_write_bytes=draw(sizes),
        process_count=draw(counts),
        short_process_count=draw(counts),
        reading_count=draw(counts),
        observer_cpu_s=draw(seconds),
        capture=draw(st.sampled_from([None, "poll", "perf"])),
        spool=f"spool{draw(st.integers(0, 1 << 40))}",
        **{f"wall_{name}_s": part for name, part in zip(WAITS, parts, strict=True)},
    )


@st.composite
def runs(draw: st.DrawFn) -> dict[str, pa.Table]:
    """The tables of a run: up to eight attempts with up to three tools each."""
    tasks = draw(st.lists(task_rows(), max_size=8, unique_by=lambda row: row["spool"]))
    tools = [
        {
            "task_id": row["task_id"], "attempt": row["attempt"], "spool": row["spool"],
            "tool": tool, "count": draw(counts), "short_count": draw(counts),
            "folded_count": draw(counts), "cpu_s": draw(seconds), "wall_s": draw(seconds),
            "memory_peak_bytes": draw(sizes),
        }
        for row in tasks
        for tool in draw(st.lists(names, max_size=3, unique=True))
    ]  # fmt: skip
    return {"tasks": table("tasks", tasks), "tools": table("tools", tools)}
