"""The course of a whole run: what its hosts did, and how many attempts did what meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from tracer_hooks.analysis.attempts import WAITS
from tracer_hooks.analysis.tables import Relations, Tables, relations

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]

SPANS = 120  # what can be told apart on the width of a page
_HOST_STATES = ("user", "system", "idle", "iowait", "steal")


def spans_of(tasks: pd.DataFrame) -> tuple[pd.Timestamp, Numbers] | None:
    """The moment of the first start, and the edges of `SPANS` equal spans in seconds from there to
    the last end; None where no attempt has both. `tasks` is `usage.by_attempt`."""
    begun = tasks["started_at"].notna() & tasks["wall_s"].notna()
    if not begun.any():
        return None
    origin = cast("pd.Timestamp", tasks.loc[begun, "started_at"].min())
    _, ends = _lifetimes(tasks[begun], origin)
    return origin, np.linspace(0.0, max(float(ends.max()), 1e-3), SPANS + 1)


def attempts_course(
    tasks: pd.DataFrame, origin: pd.Timestamp, edges: Numbers, by_step: bool = False
) -> pd.DataFrame:
    """In each span, how many attempts there were on average, by what they did.

    Columns: `step` (if `by_step`), `start_s`, `end_s`, `running` and one for each part of wall
    time. An attempt's parts are spread evenly over its lifetime: each attempt's own course is not
    looked at. `running` counts those too of which the parts are not known.
    """
    begun = tasks[tasks["started_at"].notna() & tasks["wall_s"].notna()]
    if by_step:
        groups = [(step, group) for step, group in begun.groupby("step", dropna=False, sort=False)]
    else:
        groups = [(None, begun)]
    frames = []
    for step, group in groups:
        starts, ends = _lifetimes(group, origin)
        columns = {"start_s": edges[:-1], "end_s": edges[1:]}
        columns["running"] = _mean(starts, ends, np.ones(len(group)), edges)
        wall = np.maximum(ends - starts, 1e-9)
        for part in WAITS:
            seconds = group[f"wall_{part}_s"].to_numpy(float, na_value=np.nan)
            columns[part] = _mean(starts, ends, np.nan_to_num(seconds / wall), edges)
        frame = pd.DataFrame(columns)
        if by_step:
            frame.insert(0, "step", step if isinstance(step, str) else None)
        frames.append(frame)
    course: pd.DataFrame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return course


def hosts_course(tables: Tables, origin: pd.Timestamp, edges: Numbers) -> pd.DataFrame:
    """What a dashboard would have shown in each span: `start_s`, `end_s`, `busy_share`,
    `iowait_share` of the CPU time of all hosts; null before a host's first reading and after its
    last. Empty without two readings of a host."""
    readings = relations(tables).frame(_host_readings)
    grown = dict.fromkeys(_HOST_STATES, np.zeros(len(edges) - 1))
    known = np.zeros(len(edges) - 1, dtype=bool)
    for _, one in readings.groupby("host", sort=False):
        at = (one["at"] - origin).dt.total_seconds().to_numpy(float)
        if len(one) < 2:
            continue
        known |= (edges[1:] > at[0]) & (edges[:-1] < at[-1])
        for state in _HOST_STATES:
            counter = one[f"cpu_{state}_s"].to_numpy(float, na_value=np.nan)
            # A counter that falls is a host that was restarted; the span before it says nothing.
            counter = np.maximum.accumulate(np.nan_to_num(counter))
            grown[state] = grown[state] + np.diff(np.interp(edges, at, counter))
    if not known.any():
        nothing: pd.DataFrame = pd.DataFrame(
            columns=["start_s", "end_s", "busy_share", "iowait_share"]
        )
        return nothing
    whole = sum(grown.values())
    whole = np.where(known & (np.asarray(whole) > 0), whole, np.nan)
    course: pd.DataFrame = pd.DataFrame(
        {
            "start_s": edges[:-1],
            "end_s": edges[1:],
            "busy_share": (grown["user"] + grown["system"]) / whole,
            "iowait_share": grown["iowait"] / whole,
        }
    )
    return course


def most_at_once(tasks: pd.DataFrame, origin: pd.Timestamp) -> int:
    """The most attempts that ran at one moment."""
    begun = tasks[tasks["started_at"].notna() & tasks["wall_s"].notna()]
    starts, ends = _lifetimes(begun, origin)
    starts = np.sort(starts)
    running = np.arange(1, len(starts) + 1) - np.searchsorted(np.sort(ends), starts, side="right")
    return int(running.max(initial=0))


def _lifetimes(tasks: pd.DataFrame, origin: pd.Timestamp) -> tuple[Numbers, Numbers]:
    """Seconds from `origin` to each start and end; the end by `wall_s`, which is never null here
    and whose clock does not jump."""
    starts = (tasks["started_at"] - origin).dt.total_seconds().to_numpy(float)
    return starts, starts + tasks["wall_s"].to_numpy(float)


def _mean(starts: Numbers, ends: Numbers, rates: Numbers, edges: Numbers) -> Numbers:
    """The mean over each span of the sum of `rates` of what lives at a moment."""
    area = _area(starts, rates, edges) - _area(ends, rates, edges)
    mean: Numbers = np.maximum(np.diff(area) / np.diff(edges), 0.0)
    return mean


def _area(begins: Numbers, rates: Numbers, at: Numbers) -> Numbers:
    """The integral up to each of `at`, had everything that began gone on for ever."""
    order = np.argsort(begins, kind="stable")
    sorted_begins, sorted_rates = begins[order], rates[order]
    rate = np.append(0.0, np.cumsum(sorted_rates))
    moment = np.append(0.0, np.cumsum(sorted_rates * sorted_begins))
    place = np.searchsorted(sorted_begins, at, side="right")
    area: Numbers = at * rate[place] - moment[place]
    return area


def _host_readings(t: Relations) -> ir.Table:
    counters = [f"cpu_{state}_s" for state in _HOST_STATES]
    readings = t["hosts"]
    told = readings.filter(readings.at.notnull() & readings.cpu_idle_s.notnull())
    return told.select("host", "at", *counters).order_by("host", "at")
