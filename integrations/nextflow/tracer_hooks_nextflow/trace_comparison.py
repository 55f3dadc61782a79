"""Our figures beside those of Nextflow's trace, task by task, and why they differ.

Both watch the same task. Nextflow's trace runs inside it: it takes the CPU time of the processes
that its shell has waited for, and reads `ps` after 0, 1, 2, … 10 s, then every 5 s, then every
30 s. What follows from that are the reasons below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracer_hooks_nextflow.trace_file import TraceRow

# Below these differences nothing is explained: a tick is 10 ms and the trace rounds to whole per
# cents, its clock starts a few programs later than ours, and a shell is a few MiB.
CPU_SHARE, CPU_S = 0.1, 0.05
WALL_S = 0.1
MEMORY_SHARE, MEMORY_BYTES = 0.1, 4 << 20

REASONS = {
    "cached": "it was cached: nothing ran, and nothing is counted",
    "never started": "it was never started",
    "not recorded": "we have no record of it",
    "not in the trace": "the trace has no row of it",
    "no figures": "a task that fails, or is killed, leaves no figures in Nextflow's trace",
    "peak unseen": "the trace reads `ps` every second at first, later every 5 and 30 s:"
    " what peaks between two readings it does not see",
    "peaks summed": "the trace adds up the peaks of processes, also of different times, and counts"
    " pages that processes share once for each; ours is the most at one moment",
    "cpu unseen": "the trace knows the CPU time of processes only once they have been waited for,"
    " and not that of a container whose engine starts it elsewhere",
    "cpu of the trace": "the trace's own ps, awk and grep run inside what it measures, and it"
    " computes a share of all ticks of the host in whole per cents",
    "longer around": "ours begins and ends outside the trace's own start and end, and outside the"
    " container's",
    "exit": "exit statuses differ: the engine's is that of the wrapper, which can fail by itself",
}


@dataclass
class Pair:
    """One attempt on both sides; either may be missing."""

    name: str
    attempt: int | None
    ours: Mapping[str, Any] | None
    trace: TraceRow | None
    reasons: list[str] = field(default_factory=list)


def compare(
    tasks: Iterable[Mapping[str, Any]],
    trace: Iterable[TraceRow],
    engine: Iterable[Mapping[str, Any]] = (),
) -> list[Pair]:
    """Pairs in the order of the trace, then what it lacks.

    `tasks` are rows of the table tasks whose tags hold `hash`; `engine` are what the engine told at
    each attempt's end (`recorder.EVENT`).
    """
    by_hash = {str((row["tags"] or {}).get("hash", ""))[:8]: row for row in tasks}
    told = {str(event.get("hash", ""))[:8]: str(event.get("recorded")) for event in engine}
    pairs, seen = [], set()
    for row in trace:
        ours = by_hash.get(row.hash)
        seen.add(row.hash)
        pair = Pair(row.name, None if ours is None else ours["attempt"], ours, row)
        pair.reasons = _explain(ours, row, told.get(row.hash))
        pairs.append(pair)
    for key, ours in by_hash.items():
        if key not in seen:
            name = ours["task_name"] or ours["task_id"]
            pairs.append(Pair(name, ours["attempt"], ours, None, ["not in the trace"]))
    return pairs


def _explain(ours: Mapping[str, Any] | None, trace: TraceRow, became: str | None) -> list[str]:
    if trace.status == "CACHED" or became == "cached":
        return ["cached"]
    if ours is None:
        return ["never started" if became == "never started" else "not recorded"]
    found = []
    if ours["exit_code"] is not None and trace.exit_code not in (None, ours["exit_code"]):
        found.append("exit")
    if trace.memory_peak_bytes is None and trace.cpu_s is None:
        return [*found, "no figures"]
    wall = _difference(ours["wall_s"], trace.wall_s)
    if wall is not None and wall > WALL_S:
        found.append("longer around")
    memory = _difference(ours["memory_peak_bytes"], trace.memory_peak_bytes)
    allowed = max(MEMORY_BYTES, MEMORY_SHARE * (ours["memory_peak_bytes"] or 0))
    if memory is not None and abs(memory) > allowed:
        found.append("peak unseen" if memory > 0 else "peaks summed")
    cpu = _difference(ours["cpu_s"], trace.cpu_s)
    if cpu is not None and abs(cpu) > max(CPU_S, CPU_SHARE * ours["cpu_s"]):
        found.append("cpu unseen" if cpu > 0 else "cpu of the trace")
    return found


def _difference(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None or ours != ours else ours - theirs
