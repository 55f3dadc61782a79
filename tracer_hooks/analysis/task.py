"""One attempt of one task: what it asked and used, its processes, and its course over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from tracer_hooks.analysis.attempts import WAITS, attempts, whole_attempts
from tracer_hooks.analysis.failures import BAD, failed_attempts
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.tables import Relations, Tables, records, relations
from tracer_hooks.errors import TracerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]

BUCKETS = 48  # what fits beside a label and a figure in 80 columns
MAX_EVENTS = 1000
# The tables that hold rows of an attempt, and how these are ordered.
RECORDED = {
    "tasks": ["started_at"],
    "processes": ["process_id"],
    "tools": ["tool"],
    "readings": ["elapsed_s", "process_id"],
    "events": ["at", "kind"],
}
_LISTED = 8
_RATES = {
    "cores": "cpu_s",
    "disk_read_bytes_per_s": "disk_read_bytes",
    "disk_write_bytes_per_s": "disk_write_bytes",
    "network_rx_bytes_per_s": "network_rx_bytes",
    "network_tx_bytes_per_s": "network_tx_bytes",
    **{f"{part}_share": f"wall_{part}_s" for part in WAITS},
}


@dataclass(frozen=True)
class TaskReport:
    """One attempt, analysed.

    `attempt`: its row of `tasks`, with `cores_mean` and `last_attempt`; `attempts`: all attempts of
    the task, first to last; `processes`: see `process_groups`; `tools`: its rows of `tools`, most
    CPU first; `timeline`: see `timeline`; `events`: its rows of `events`, in order of time;
    `failure`: its row of `failures.failed_attempts`, None if it went well;
    `verdict`: what `with_verdict` added.
    """

    attempt: Mapping[str, Any]
    attempts: pd.DataFrame
    processes: pd.DataFrame
    tools: pd.DataFrame
    timeline: pd.DataFrame
    events: pd.DataFrame
    failure: Mapping[str, Any] | None = None
    verdict: Mapping[str, Any] | None = None


def summarise_task(
    tables: Tables, run_id: str, task_id: str, attempt: int | None = None, buckets: int = BUCKETS
) -> TaskReport:
    """Analyse the attempt with that number (default: the last) of a task, by its exact id.

    Raises TracerError if the run has no such task or attempt.
    """
    t = relations(tables, run_id)
    all_of_it = t.of(task_id=task_id).frame(_attempts)
    row = _chosen(records(all_of_it), run_id, task_id, attempt)
    own = _of_attempt(t, row)
    return TaskReport(
        attempt={name: value for name, value in row.items() if name != "spool"},
        attempts=all_of_it.drop(columns="spool"),
        processes=process_groups(own),
        tools=own.frame(_tools),
        timeline=timeline(own, row, buckets),
        events=own.frame(_events),
        failure=_failure(t, row),
    )


def recorded(
    tables: Tables, run_id: str, task_id: str, attempt: int | None = None
) -> dict[str, list[dict[str, Any]]]:
    """All rows on record of the same attempt, by the names of the tables in RECORDED.

    Raises TracerError as `summarise_task` does.
    """
    t = relations(tables, run_id)
    row = _chosen(records(t.of(task_id=task_id).frame(_attempts)), run_id, task_id, attempt)
    own = _of_attempt(t, row)
    return {name: records(own.frame(_rows_of, name)) for name in RECORDED}


def _rows_of(t: Relations, name: str) -> ir.Table:
    # What is said of the whole task, as a reading, comes before what is said of its processes.
    order = [ibis.asc(column, nulls_first=True) for column in RECORDED[name]]
    return t[name].drop("spool").order_by(order)


def _chosen(
    rows: list[dict[str, Any]], run_id: str, task_id: str, attempt: int | None
) -> dict[str, Any]:
    """Of a task's attempts, first to last, the one with that number; the last."""
    chosen = [row for row in rows if attempt in (None, row["attempt"])]
    if not rows:
        raise TracerError(f"no task {task_id!r} in run {run_id!r}")
    if not chosen:
        there = ", ".join(str(row["attempt"]) for row in rows)
        raise TracerError(f"task {task_id!r} has no attempt {attempt}; it has {there}")
    return next((row for row in chosen if row["last_attempt"]), chosen[-1])


def _of_attempt(t: Relations, row: Mapping[str, Any]) -> Relations:
    keys = ("task_id", "attempt", "spool")
    return t.of(**{key: row[key] for key in keys if row[key] is not None})


def with_verdict(report: TaskReport, tables: Tables) -> TaskReport:
    """The same report with `verdict`: `{label, confidence, evidence, advice}`."""
    from tracer_hooks.analysis.verdicts import verdicts

    a = report.attempt
    own = relations(tables, a["run_id"]).of(task_id=a["task_id"], attempt=a["attempt"])
    found = verdicts(own)
    rows = records(found.tasks)
    return replace(report, verdict=found.verdict(rows[-1]) if rows else None)


def _failure(t: Relations, attempt: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if attempt["status"] not in BAD:
        return None
    # All of the task's attempts: whether a later one made it good is part of it.
    found = records(failed_attempts(t.of(task_id=attempt["task_id"])))
    mine = ("attempt", "started_at")
    return next((row for row in found if all(row[k] == attempt[k] for k in mine)), None)


def _attempts(t: Relations) -> ir.Table:
    return whole_attempts(t).drop("wall_known_s").order_by("attempt", "started_at", "spool")


def _tools(t: Relations) -> ir.Table:
    return t["tools"].drop("spool").order_by(ibis.desc("cpu_s"), "tool")


def _events(t: Relations) -> ir.Table:
    return t["events"].drop("spool").order_by("at", "kind", "detail").limit(MAX_EVENTS)


def find_task(tables: Tables, run_id: str, wanted: str) -> str:
    """The id of the one task that `wanted` names: an id, a name, the start or a part of one.

    Raises TracerError with the candidates if that is none, or several.
    """
    t = relations(tables, run_id)
    a = attempts(t)
    name = ibis.coalesce(a.task_name, "")
    tests = (
        a.task_id == wanted,
        name == wanted,
        a.task_id.startswith(wanted) | name.startswith(wanted),
        a.task_id.contains(wanted) | name.contains(wanted),
    )
    rank = ibis.cases(*((test, place) for place, test in enumerate(tests)), else_=len(tests))
    ranked = (
        a.select("task_id", name=name, rank=rank)
        .group_by("task_id")
        .agg(rank=lambda s: s.rank.min(), name=lambda s: s.name.max())
    )
    best = t.run(ranked.order_by("rank", "task_id").limit(1000))
    if best.empty:
        raise TracerError(f"run {run_id!r} has no tasks on record yet")
    closest = int(best["rank"].iloc[0])
    found = best[best["rank"] == closest]
    names = {str(task_id): str(one) for task_id, one in zip(found.task_id, found.name, strict=True)}
    if closest == len(tests):
        none = f"no task {wanted!r} in run {run_id!r}"
        near = _near(wanted, names)
        if near:
            raise TracerError(f"{none}: did you mean {_listed(near, ' or ')}?")
        raise TracerError(f"{none}; there are {_listed(names)}")
    if len(names) > 1:
        raise TracerError(
            f"{wanted!r} names {len(names)} tasks: {_listed(names)}; name one of them by its id"
        )
    return next(iter(names))


def process_groups(tables: Tables) -> pd.DataFrame:
    """The processes of an attempt, those alike folded: siblings of one tool that started nothing.

    One row per group: `process_id` (the first's), `parent_id`, `tool`, `forked`, `count`, `pid`
    (of a group of one), `started_at` (first), `ended_at` (last; null if one lives on),
    `cpu_s` and bytes (sums), `memory_peak_bytes` (largest), `exit_code`, `signal` (of one that
    ended badly, if any); in order of start.
    """
    return relations(tables).frame(_process_groups)


def _process_groups(t: Relations) -> ir.Table:
    p = t["processes"]
    parents = p.filter(p.parent_id.notnull()).select(child_of="parent_id").distinct()
    known = p.left_join(parents, p.process_id == parents.child_of)
    alone = known.child_of.notnull()
    group = known.mutate(
        name=ibis.coalesce(known.tool, known.comm),
        fork=known.forked.fill_null(False),
        single=ibis.ifelse(alone, known.process_id, ibis.null("int32")),
        lives=known.ended_at.isnull(),
    )
    folded = group.group_by("parent_id", "name", "fork", "single").agg(
        process_id=group.process_id.min(),
        count=group.count(),
        pid=group.pid.min(),
        started_at=group.started_at.min(),
        ended_at=group.ended_at.max(),
        alive_count=group.lives.sum(),
        cpu_s=group.cpu_s.sum(),
        memory_peak_bytes=group.memory_peak_bytes.max(),
        disk_read_bytes=group.disk_read_bytes.sum(),
        disk_write_bytes=group.disk_write_bytes.sum(),
        network_rx_bytes=group.network_rx_bytes.sum(),
        network_tx_bytes=group.network_tx_bytes.sum(),
        exit_code=group.exit_code.max(),
        signal=group.signal.max(),
    )
    named = folded.rename(tool="name", forked="fork").drop("single")
    return named.order_by("started_at", "process_id")


def timeline(tables: Tables, attempt: Mapping[str, Any], buckets: int) -> pd.DataFrame:
    """The attempt's course in `buckets` equal spans; empty with fewer than two readings.

    `start_s`, `end_s` since the start; `cores`, `<part>_share` of the span's wall time and bytes
    per second: means, exact where a reading falls on the border and in proportion between;
    `memory_bytes`, `processes`: the most that a reading in the span saw, else the reading before.
    A column of which no reading says anything is null.
    """
    rows = relations(tables).frame(_readings)
    names = ["start_s", "end_s", *_RATES, "memory_bytes", "processes"]
    course: pd.DataFrame = pd.DataFrame(columns=names)
    if len(rows) < 2 or buckets < 1:
        return course
    at = rows["elapsed_s"].to_numpy(float)
    end = max(attempt["wall_s"] or 0.0, float(at[-1]))
    edges = np.linspace(0.0, end, buckets + 1)
    result: dict[str, Numbers] = {"start_s": edges[:-1], "end_s": edges[1:]}
    for name, column in _RATES.items():
        values = rows[column].to_numpy(float, na_value=np.nan)
        result[name] = _rates(at, values, edges, attempt.get("wall_s"), attempt.get(column))
    for column in ("memory_bytes", "processes"):
        values = rows[column].to_numpy(float, na_value=np.nan)
        result[column] = _most(at, values, edges)
    return cast("pd.DataFrame", pd.DataFrame(result))


def _readings(t: Relations) -> ir.Table:
    readings = t["readings"]
    whole = readings.filter(readings.process_id.isnull() & readings.elapsed_s.notnull())
    columns = [*dict.fromkeys(_RATES.values()), "memory_bytes", "processes"]
    return whole.select("elapsed_s", *columns).order_by("elapsed_s")


def _rates(
    at: Numbers, values: Numbers, edges: Numbers, wall_s: float | None, total: float | None
) -> Numbers:
    """How fast a counter grew in each span; it was 0 at the start and `total` at the end."""
    known = ~np.isnan(values)
    if not known.any():
        return np.full(len(edges) - 1, np.nan)
    at, values = np.append(0.0, at[known]), np.append(0.0, values[known])
    if wall_s is not None and total is not None and wall_s > at[-1]:
        at, values = np.append(at, wall_s), np.append(values, total)
    # A counter that seems to fall was read at an unlucky moment.
    grown = np.interp(edges, at, np.maximum.accumulate(values))
    rates: Numbers = np.diff(grown) / np.diff(edges)
    # Nothing is known of what came after the last reading.
    rates[edges[:-1] >= at[-1]] = np.nan
    return rates


def _most(at: Numbers, values: Numbers, edges: Numbers) -> Numbers:
    """The largest reading in each span; where there is none, the one before it."""
    known = ~np.isnan(values)
    spans = len(edges) - 1
    inside = np.clip(np.searchsorted(edges, at[known], side="right") - 1, 0, spans - 1)
    largest = pd.Series(values[known]).groupby(inside).max()
    filled: Numbers = largest.reindex(range(spans)).ffill().to_numpy(float)
    return filled


def _near(wanted: str, names: Mapping[str, str]) -> dict[str, str]:
    """Those of the tasks whose id or name looks most like `wanted`."""
    from difflib import get_close_matches

    alike = set(get_close_matches(wanted, [*names, *names.values()], _LISTED))
    return {i: name for i, name in names.items() if i in alike or name in alike}


def _listed(names: Mapping[str, str], between: str = ", ") -> str:
    """The first of the tasks: their ids, and their names where these are others."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    said = (f"{i!r} ({name!r})" if name not in ("", i) else repr(i) for i, name in names.items())
    return between.join(islice(said, _LISTED)) + more
