"""The observed critical path of a run: which attempts its end had to wait for.

Engines do not tell which task needs which, so this is not the dependency graph's longest path. It
is read backwards from what was seen: the attempt that ended last, before it the attempt that was
the latest to end when it started, and so on to the first start. What lies between two of them
(`wait_before_s`) the run spent in none of them: the engine, a queue, other tasks. In a run with
many tasks side by side another chain may have ended at nearly the same moments; a chain of these
lengths did hold the run's end up, so what shortens none of it is not known to shorten the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt
    import pandas as pd

COLUMNS = (
    "step", "task_id", "attempt", "spool", "started_at", "ended_at", "wall_s", "wait_before_s",
    "label", "confidence",
)  # fmt: skip


def critical_path(ended: pd.DataFrame) -> pd.DataFrame:
    """One row per attempt on the path, in order of time, with COLUMNS. `ended`: see `by_end`.

    `wait_before_s`: from the end of the one before to its start; of the first, from the first start
    of any attempt. Attempts without a start or an end (lost, running) are not on it.
    """
    path = ended.iloc[_chain(ended["started_at"], ended["ended_at"])].reset_index(drop=True)
    before = path["ended_at"].shift(1).fillna(ended["started_at"].min())
    path["wait_before_s"] = (path["started_at"] - before).dt.total_seconds()
    return cast("pd.DataFrame", path[list(COLUMNS)])


def by_end(rows: ir.Table) -> ir.Table:
    """Of the attempts in `rows` (of `verdicts.of_attempts`) those that could be on the path."""
    known = rows.filter(
        rows.started_at.notnull() & rows.ended_at.notnull() & (rows.ended_at >= rows.started_at)
    )
    columns = [name for name in COLUMNS if name != "wait_before_s"]
    order = ["ended_at", "started_at", "task_id", "attempt", "spool"]
    return known.select(*columns).order_by(*order)


def _chain(starts: pd.Series[pd.Timestamp], ends: pd.Series[pd.Timestamp]) -> list[int]:
    """Places on the path, in order of time; rows are ordered by end."""
    if not len(ends):
        return []
    began, ended = _microseconds(starts), _microseconds(ends)
    # The last to end at or before a start; one that took no time is not before itself.
    before = np.searchsorted(ended, began, side="right") - 1
    before = np.minimum(before, np.arange(len(before)) - 1)
    place, chain = len(ended) - 1, []
    while place >= 0:
        chain.append(place)
        place = int(before[place])
    return chain[::-1]


def _microseconds(times: pd.Series[pd.Timestamp]) -> npt.NDArray[np.int64]:
    moments = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
    return cast("npt.NDArray[np.int64]", moments.astype(np.int64))
