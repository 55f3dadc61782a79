"""`tracer-hooks nextflow compare`: a run beside Nextflow's own trace of it, task by task."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tracer_hooks.cli.output import Progress, console, warn, write_whole

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tracer_hooks_nextflow.trace_comparison import Pair

_COLUMNS = ("task_id", "task_name", "attempt", "tags", "status", "exit_code", "wall_s", "cpu_s",
            "memory_peak_bytes")  # fmt: skip


def compare(options: argparse.Namespace) -> int:
    """Print the comparison. Raises TracerError where a run or a trace is missing."""
    from pathlib import Path

    from tracer_hooks_nextflow.recorder import EVENT
    from tracer_hooks_nextflow.trace_comparison import compare as pair_up
    from tracer_hooks_nextflow.trace_file import read_trace

    from tracer_hooks.errors import UsageError
    from tracer_hooks.reading import open_run

    run, trace = _named(options.words[1:])
    if trace is None:
        raise UsageError("name the trace file: tracer-hooks nextflow compare RUN trace.txt")
    rows = read_trace(Path(trace))
    with Progress("reading records") as progress:
        store, run_id = open_run(run, options.store, progress=progress, on_warning=warn)
    tasks = store.table("tasks", run_id).select(_COLUMNS).to_pylist(maps_as_pydicts="lossy")
    events = store.table("events", run_id).select(["kind", "detail"]).to_pylist()
    told = [json.loads(row["detail"]) for row in events if row["kind"] == EVENT]
    pairs = pair_up(tasks, rows, told)
    if options.format == "json":
        text = json.dumps({"run": run_id, "tasks": [_as_json(pair) for pair in pairs]}, indent=2)
        if options.output and options.output != "-":
            write_whole(options.output, text + "\n")
        else:
            sys.stdout.write(text + "\n")
    else:
        _print(run_id, pairs)
    return 0


def _named(words: Sequence[str]) -> tuple[str | None, str | None]:
    """The run and the trace file: `[RUN] TRACE`."""
    from tracer_hooks.errors import UsageError

    if len(words) > 2:
        raise UsageError(f"`compare` has no use for {words[2]!r}: say a run and a trace file")
    if len(words) == 1:
        return None, words[0]
    return (words[0], words[1]) if words else (None, None)


def _as_json(pair: Pair) -> dict[str, Any]:
    from tracer_hooks_nextflow.trace_comparison import REASONS

    ours = {name: (pair.ours or {}).get(name) for name in _COLUMNS if name != "tags"}
    return {
        "name": pair.name,
        "attempt": pair.attempt,
        "ours": ours if pair.ours else None,
        "nextflow": vars(pair.trace) if pair.trace else None,
        "reasons": {name: REASONS[name] for name in pair.reasons},
    }


def _print(run_id: str, pairs: Sequence[Pair]) -> None:
    from rich.table import Table
    from tracer_hooks_nextflow.trace_comparison import REASONS

    from tracer_hooks.report.text import clean
    from tracer_hooks.report.units import cpu_time, duration, size

    named = list(dict.fromkeys(reason for pair in pairs for reason in pair.reasons))
    letters = {reason: str(place + 1) for place, reason in enumerate(named)}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("TASK", "EXIT", "", "WALL", "", "CPU", "", "PEAK", "", "WHY"):
        table.add_column(title, justify="left" if title in ("TASK", "WHY") else "right")
    table.add_row("", *("ours", "Nextflow") * 4, "")
    for pair in pairs:
        ours, trace = pair.ours or {}, pair.trace
        name = clean(pair.name)[:60] + (f" #{pair.attempt}" if (pair.attempt or 1) > 1 else "")
        table.add_row(
            name,
            _code(ours.get("exit_code")), _code(trace.exit_code if trace else None),
            duration(ours.get("wall_s")), duration(trace.wall_s if trace else None),
            cpu_time(ours.get("cpu_s")), cpu_time(trace.cpu_s if trace else None),
            size(ours.get("memory_peak_bytes")), size(trace.memory_peak_bytes if trace else None),
            " ".join(letters[reason] for reason in pair.reasons),
        )  # fmt: skip
    out = console()
    out.print(f"{run_id}: {len(pairs)} attempts beside Nextflow's trace\n")
    out.print(table)
    if named:
        out.print()
    for reason, letter in letters.items():
        count = sum(reason in pair.reasons for pair in pairs)
        out.print(f"{letter}  {REASONS[reason]} ({count})", soft_wrap=True)


def _code(code: int | None) -> str:
    from tracer_hooks.report.units import UNKNOWN

    return UNKNOWN if code is None else str(code)
