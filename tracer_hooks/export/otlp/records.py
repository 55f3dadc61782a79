"""What a span is made from, as plain values that can wait in a queue as JSON."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Record = dict[str, Any]

# Spans of processes for one attempt: what is more is counted on the attempt's span.
MOST_PROCESSES = 500
_PROCESS = (
    "process_id", "parent_id", "pid", "parent_pid", "tool", "comm", "exe", "argv", "started_at",
    "ended_at", "exit_code", "signal", "cpu_s", "memory_peak_bytes", "disk_read_bytes",
    "disk_write_bytes", "network_rx_bytes", "network_tx_bytes",
)  # fmt: skip
_LEFT_OUT = frozenset(("spool", "tools", "totals", "t", "number"))


def attempt_record(
    row: Mapping[str, Any],
    processes: Iterable[Mapping[str, Any]],
    events: Iterable[Mapping[str, Any]],
    in_run: bool,
) -> Record:
    """`row` has the columns of `tasks`, and its run_id; `in_run`: the run will have a span too."""
    known = [p for p in processes if p.get("started_at") is not None]
    # The longest are the most telling.
    known.sort(key=lambda p: _lifetime(p), reverse=True)
    kept = sorted(known[:MOST_PROCESSES], key=lambda p: seconds(p["started_at"]) or 0.0)
    return {
        "kind": "attempt",
        "row": {k: plain(v) for k, v in row.items() if k not in _LEFT_OUT},
        "processes": [{k: plain(p[k]) for k in _PROCESS if p.get(k) is not None} for p in kept],
        "left_out": len(known) - len(kept),
        "events": [
            {"at": plain(e.get("at")), "kind": e.get("kind"), "detail": plain(e.get("detail"))}
            for e in events
        ],
        "in_run": in_run,
    }


def run_record(run_id: str, row: Mapping[str, Any]) -> Record:
    """`row` has the columns of `runs`."""
    return {
        "kind": "run",
        "run_id": run_id,
        "row": {k: plain(v) for k, v in row.items() if k not in _LEFT_OUT},
    }


def seconds(value: Any) -> float | None:
    """A time as UNIX seconds."""
    if isinstance(value, dt.datetime):
        return value.timestamp()
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def plain(value: Any) -> Any:
    """A value that JSON has; times as UNIX seconds, what is missing as None."""
    if isinstance(value, dt.datetime):  # pandas' NaT is one too, and equals nothing
        return value.timestamp() if value == value else None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _lifetime(process: Mapping[str, Any]) -> float:
    start, end = seconds(process.get("started_at")), seconds(process.get("ended_at"))
    return math.inf if start is None or end is None else end - start
