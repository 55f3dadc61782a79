"""One sentence for each verdict: what the author of the pipeline can do about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tracer_hooks.analysis.thresholds import threshold

Evidence: TypeAlias = Mapping[str, Any]

# A little over a whole number of cores is that number kept busy and something beside it.
_BESIDE = 0.2


def advice(label: str, evidence: Evidence) -> str:
    """A sentence in plain text; what was not measured is not in `evidence`, and not spoken of."""
    return _ADVICE[label](evidence)


def cores_enough(evidence: Evidence) -> int | None:
    """How many cores would have been enough."""
    used = evidence.get("cores_when_free")
    return None if used is None else max(1, math.ceil(used - _BESIDE))


def _cpu_bound(e: Evidence) -> str:
    cores = cores_enough(e) or 1
    if cores == 1:
        return "Give the tool more threads if it can use them, or profile the program."
    return f"It keeps {cores} cores busy: ask for more if the tool scales, or profile the program."


def _cpu_underused(e: Evidence) -> str:
    enough = cores_enough(e) or 1
    return f"Ask for {_cores(enough)}, or give the tool the threads that were asked for."


def _cpu_contended(e: Evidence) -> str:
    if (e.get("throttled_s") or 0.0) > 0:
        return "A CPU quota holds it back: raise the quota, or start as many threads as it allows."
    asked, wanted = e.get("cpus_requested"), cores_enough(e)
    if asked is not None and wanted is not None and wanted > asked:
        return (
            f"It has work for {_cores(wanted)} and asked for {asked:.4g}: ask for more, or start"
            " fewer threads."
        )
    return "Run fewer tasks at once on this host, or fewer threads in each."


def _disk_bound(e: Evidence) -> str:
    if (e.get("memory_limit_share") or 0.0) >= threshold("memory_tight") or e.get(
        "host_memory_short"
    ):
        return "Give it more memory, so that files stay cached, or read and write larger pieces."
    return "Use a faster or local disk, read and write larger pieces, and sync less often."


def _network_bound(_: Evidence) -> str:
    return "Fetch once and keep a copy near, fetch several at once, or use a faster link."


def _memory_bound(e: Evidence) -> str:
    if e.get("oom_count"):
        return "Memory ran out: ask for more, or make the input of one task smaller."
    return "Ask for more memory: at its limit it reads again from the disk what it just had."


def _process_churn(_: Evidence) -> str:
    return "Do the loop in one program, or hand each start of the helper many items (xargs -n 100)."


def _idle(e: Evidence) -> str:
    if (e.get("network_share") or 0.0) > (e.get("idle_share") or 0.0):
        return "It waits for a remote's answers: ask for many at once, or outside of a task."
    return "Find what it waits for (a lock, a timer, a service); until then it blocks its cores."


def _too_short(e: Evidence) -> str:
    if e.get("reason") == "elsewhere":
        return "Its work ran, or was to run, elsewhere, where nothing was observed: see its tags."
    return "Nothing to speed up within it; if there are many, put several into one task."


_UNCERTAIN = {
    "not_measured": "Too little was measured: `tracer-hooks doctor` says what would permit more.",
    "near_contention": "It computed, and waited for a core now and then: try a quieter host.",
    "network_bytes_unknown": "It waited for connections, but how much they moved is not known.",
    "network_unknown": "It slept, perhaps for the network: the kernel does not say where.",
    "elsewhere": "It waited for work that ran elsewhere, where nothing was observed: see its tags.",
    "mixed_attempts": "Its attempts differ: look at them one by one.",
}


def _uncertain(e: Evidence) -> str:
    mixed = "Speeding up any one part saves less than half."
    return _UNCERTAIN.get(e.get("reason") or "", mixed)


def _cores(number: int) -> str:
    return "1 core" if number == 1 else f"{number} cores"


_ADVICE: dict[str, Callable[[Evidence], str]] = {
    "cpu_bound": _cpu_bound,
    "cpu_underused": _cpu_underused,
    "cpu_contended": _cpu_contended,
    "disk_bound": _disk_bound,
    "network_bound": _network_bound,
    "memory_bound": _memory_bound,
    "process_churn": _process_churn,
    "idle": _idle,
    "too_short": _too_short,
    "uncertain": _uncertain,
}
