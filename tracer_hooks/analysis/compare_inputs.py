"""The tasks of two groups of runs, side by side, by what they are and not by when they ran.

A task is the same in two runs if its step, its sample and its name are: ids that are made anew for
each run match nothing. Where an engine gives no name the id has to do. Tasks that share all three
are repeats of one another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.analysis.summary import RunReport

MEASURES = ("wall", "cpu", "memory", "cost")
IDENTITY = ["step", "sample", "name"]
NO_STEP = "(none)"
_COLUMNS = {"wall_s": "wall", "cpu_s": "cpu", "memory_peak_bytes": "memory"}


def observations(sides: dict[str, Sequence[RunReport]]) -> pd.DataFrame:
    """One row per task and run: `side`, `run`, `place` (0: the side's newest run), IDENTITY,
    `status` (of the last attempt), `verdict` and MEASURES over all its attempts: wall and CPU in
    seconds, the peak in bytes, the cost in the report's currency."""
    frames = [
        _of_run(report).assign(side=side, run=str(report.run["run_id"]), place=place)
        for side, reports in sides.items()
        for place, report in enumerate(reports)
    ]
    together: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return together


def _of_run(report: RunReport) -> pd.DataFrame:
    tasks = report.by_task
    rows: pd.DataFrame = pd.DataFrame(
        {
            "task_id": tasks["task_id"].astype("object"),
            "step": tasks["step"].fillna(NO_STEP).astype("object"),
            "sample": tasks["sample"].fillna("").astype("object"),
            "name": tasks["task_name"].fillna(tasks["task_id"]).astype("object"),
            "status": tasks["status"].astype("object"),
        }
    )
    for column, name in _COLUMNS.items():
        rows[name] = tasks[column].astype("float64")
    rows["cost"] = _summed(report, rows["task_id"])
    rows["verdict"] = _labels(report, rows["task_id"])
    return rows


def _summed(report: RunReport, ids: pd.Series[str]) -> pd.Series[float]:
    """What each task cost; nan where any of its attempts has no price."""
    costs = getattr(report, "cost", None)
    if costs is None or costs.tasks.empty:
        unknown: pd.Series[float] = pd.Series(float("nan"), index=ids.index)
        return unknown
    allocated = costs.tasks.groupby("task_id")["allocated"]
    whole = allocated.sum(min_count=1).where(allocated.count() == allocated.size())
    known: pd.Series[float] = ids.map(whole).astype("float64")
    return known


def _labels(report: RunReport, ids: pd.Series[str]) -> pd.Series[str]:
    """The label of each task's last attempt."""
    verdicts = getattr(report, "verdicts", None)
    if verdicts is None or verdicts.tasks.empty:
        none: pd.Series[str] = pd.Series(None, index=ids.index, dtype="object")
        return none
    last = verdicts.tasks.sort_values("attempt").groupby("task_id")["label"].last()
    labels: pd.Series[str] = ids.map(last).astype("object")
    return labels
