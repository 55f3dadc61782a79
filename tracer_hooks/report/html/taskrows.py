"""The attempts as columns for the page's table and timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from tracer_hooks.analysis.attempts import WAITS
from tracer_hooks.analysis.detail import most_telling
from tracer_hooks.report.html.payload import numbers, texts, words
from tracer_hooks.report.verdict_text import titled

if TYPE_CHECKING:
    from tracer_hooks.analysis.summary import RunReport

# Up to so many attempts have a row each; of more, this many that tell most.
MAX_ROWS = 20_000
ROWS_OF_MANY = 5_000
_KEY = ["task_id", "attempt"]
_WORDS = ("step", "sample", "status", "failure_cause", "host", "verdict")
# Column of the frame: name in the page, decimals.
_NUMBERS = {
    "attempt": ("attempt", 0),
    "wall_s": ("wall", 4),
    "cpu_s": ("cpu", 4),
    "cores_mean": ("cores", 3),
    "cpus_requested": ("coresAsked", 3),
    "memory_peak_bytes": ("memory", 0),
    "memory_requested_bytes": ("memoryAsked", 0),
    "disk_read_bytes": ("read", 0),
    "disk_write_bytes": ("written", 0),
    "network_rx_bytes": ("received", 0),
    "network_tx_bytes": ("sent", 0),
    "process_count": ("processes", 0),
    "exit_code": ("exit", 0),
    "signal": ("signal", 0),
    "confidence": ("confidence", 2),
    "allocated": ("cost", 9),
    **{f"wall_{part}_s": (f"w_{part}", 4) for part in WAITS},
}


def shown_rows(report: RunReport) -> pd.DataFrame:
    """The attempts that get a row, with `verdict`, `confidence`, `critical` (on the critical
    path) and, where prices are known, `allocated` (cost); by start."""
    tasks = report.tasks.reset_index(drop=True)
    if len(tasks) > MAX_ROWS:
        tasks = most_telling(tasks, ROWS_OF_MANY).reset_index(drop=True)
    verdicts = report.verdicts.tasks
    cost = report.cost.tasks if report.cost else None
    tasks = _beside(tasks, verdicts, {"label": "verdict", "confidence": "confidence"})
    tasks["verdict"] = [titled(v) if isinstance(v, str) else None for v in tasks["verdict"]]
    tasks["critical"] = _on_critical_path(tasks, report)
    return _beside(tasks, cost, {"allocated": "allocated"})


def columns(rows: pd.DataFrame, origin: pd.Timestamp | None) -> dict[str, Any]:
    """Each column as a list; `start` in seconds since `origin`."""
    found: dict[str, Any] = {
        "count": len(rows),
        "id": texts(rows["task_id"]),
        "name": texts(rows["task_name"].fillna(rows["task_id"])),
        "start": [None] * len(rows)
        if origin is None
        else numbers((rows["started_at"] - origin).dt.total_seconds(), 4),
        "last": [bool(last) for last in rows["last_attempt"].fillna(value=True)],
        "critical": [bool(on) for on in rows["critical"]],
        "bound": [source == "estimated" for source in rows["process_count_source"]],
    }
    for column in _WORDS:
        found[column] = words(rows[column])
    for column, (name, digits) in _NUMBERS.items():
        found[name] = numbers(rows[column], digits)
    return found


def _on_critical_path(tasks: pd.DataFrame, report: RunReport) -> pd.Series[Any]:
    path = pd.MultiIndex.from_frame(report.verdicts.critical_path[_KEY])
    on_it = pd.MultiIndex.from_frame(tasks[_KEY]).isin(path)
    found: pd.Series[Any] = pd.Series(on_it, index=tasks.index)
    return found


def _beside(tasks: pd.DataFrame, more: pd.DataFrame | None, wanted: dict[str, str]) -> pd.DataFrame:
    """`tasks` with columns of another frame of attempts; null where that has none."""
    result: pd.DataFrame = tasks.drop(columns=list(wanted.values()), errors="ignore")
    if more is None:
        for name in wanted.values():
            result[name] = None
        return result
    found = more[[*_KEY, *wanted]].drop_duplicates(_KEY).rename(columns=wanted)
    both: pd.DataFrame = result.merge(found, on=_KEY, how="left")
    return both
