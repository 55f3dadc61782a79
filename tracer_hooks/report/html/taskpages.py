"""Single attempts in full, as the page's script reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.attempts import WAITS
from tracer_hooks.analysis.tables import records
from tracer_hooks.report.events import detail_of, ending, sentence
from tracer_hooks.report.html.payload import numbers, short
from tracer_hooks.report.process_tree import walk
from tracer_hooks.report.verdict_text import why

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from tracer_hooks.analysis.task import TaskReport

MAX_PROCESSES = 150
MAX_EVENTS = 40
# Moments that are drawn into the course; what else an attempt's events say is told as text.
_MARKED = {"oom": "out of memory", "throttled": "throttled", "signal": "signal", "alert": "alert",
           "mark": "mark"}  # fmt: skip
_NOT_SAID = ("failure", "network_unattributed", "delays", "limit")


def page_of(report: TaskReport, verdict: Mapping[str, Any] | None) -> dict[str, Any]:
    """One attempt: `course`, `processes`, `moments`, `said`; `verdict` as
    `Verdicts.verdict` makes it."""
    attempt = report.attempt
    events = records(report.events)
    happened = [(row["kind"] or "", detail_of(row)) for row in events]
    return {
        "because": None if verdict is None else why(verdict["label"], verdict["evidence"]),
        "advice": None if verdict is None else verdict["advice"],
        "command": None if attempt["command"] is None else short(attempt["command"]),
        "capture": attempt["capture"],
        "readings": attempt["reading_count"],
        "attempts": [
            [row["attempt"], row["status"], row["wall_s"]] for row in records(report.attempts)
        ],
        "ending": ending(attempt, happened),
        "course": _course(report.timeline),
        **_processes(report),
        "moments": _moments(report, events),
        "said": [
            f"{short(kind)}: {sentence(kind, detail)}"
            for kind, detail in happened[:MAX_EVENTS]
            if kind not in (*_NOT_SAID, *_MARKED)
        ],
    }


def _course(timeline: pd.DataFrame) -> dict[str, list[Any]] | None:
    if timeline.empty:
        return None
    found = {
        "end": numbers(timeline["end_s"], 4),
        "cores": numbers(timeline["cores"], 3),
        "memory": numbers(timeline["memory_bytes"], 0),
        "processes": numbers(timeline["processes"], 0),
    }
    for name in ("disk_read", "disk_write", "network_rx", "network_tx"):
        found[name] = numbers(timeline[f"{name}_bytes_per_s"], 0)
    for part in WAITS:
        found[part] = numbers(timeline[f"{part}_share"], 3)
    return found


def _processes(report: TaskReport) -> dict[str, Any]:
    """Rows of `[depth, tool, is a worker, count, began, lived, CPU, peak, exit, signal]`, parents
    before children; and how many groups have no row."""
    began = report.attempt["started_at"]
    rows: list[list[Any]] = []
    groups = records(report.processes)
    for depth, group in walk(groups):
        if len(rows) == MAX_PROCESSES:
            break
        start = group["started_at"]
        offset = None if start is None or began is None else (start - began).total_seconds()
        lived = None
        if start is not None and group["ended_at"] is not None and not group["alive_count"]:
            lived = (group["ended_at"] - start).total_seconds()
        rows.append([
            depth, short(group["tool"] or ""), bool(group["forked"]), group["count"],
            _rounded(offset), _rounded(lived), _rounded(group["cpu_s"]),
            group["memory_peak_bytes"], group["exit_code"], group["signal"],
        ])  # fmt: skip
    return {"processes": rows, "processesLeftOut": len(groups) - len(rows)}


def _moments(report: TaskReport, events: list[dict[str, Any]]) -> list[list[Any]]:
    """`[seconds since the start, what, sentence]` of what is marked in the course."""
    began, found = report.attempt["started_at"], []
    for row in events:
        if row["kind"] in _MARKED and row["at"] is not None and began is not None:
            at = (row["at"] - began).total_seconds()
            said = sentence(row["kind"], detail_of(row))
            found.append([_rounded(max(0.0, at)), _MARKED[row["kind"]], said])
    return found[:MAX_EVENTS]


def _rounded(value: float | None) -> float | None:
    return None if value is None or value != value else round(value, 4)
