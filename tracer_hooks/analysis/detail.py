"""What a report needs that shows a run in depth: some tasks in full, its course, tools by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from tracer_hooks.analysis.attempts import attempts
from tracer_hooks.analysis.course import attempts_course, hosts_course, most_at_once, spans_of
from tracer_hooks.analysis.tables import (
    Relations,
    Tables,
    attempt_key,
    loaded,
    records,
    relations,
)
from tracer_hooks.analysis.task import TaskReport, summarise_task

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from tracer_hooks.analysis.summary import RunReport

_BAD = ("failed", "lost", "cancelled")
_OF_A_TASK = ("tasks", "processes", "tools", "readings", "events")


@dataclass(frozen=True)
class RunDetail:
    """`tasks`: the attempts that tell most, in full; `step_tools`: see `tools_of_steps`; `course`,
    `course_by_step` and `hosts_course`: see `analysis.course`, empty where nothing has a time;
    `most_at_once`: how many attempts ran side by side."""

    tasks: tuple[TaskReport, ...]
    step_tools: pd.DataFrame
    course: pd.DataFrame
    course_by_step: pd.DataFrame
    hosts_course: pd.DataFrame
    most_at_once: int


def with_detail(report: RunReport, tables: Tables, task_count: int) -> RunReport:
    """The same report with `detail`, which has at most `task_count` attempts in full.

    `tables` must hold `readings` and `processes` too, or these stay empty.
    """
    run_id = str(report.run["run_id"])
    spans = spans_of(report.tasks)
    nothing: pd.DataFrame = pd.DataFrame()
    detail = RunDetail(
        tasks=_in_full(tables, run_id, most_telling(report.tasks, task_count)),
        step_tools=tools_of_steps(relations(tables, run_id)),
        course=nothing if spans is None else attempts_course(report.tasks, *spans),
        course_by_step=nothing
        if spans is None
        else attempts_course(report.tasks, *spans, by_step=True),
        hosts_course=nothing if spans is None else hosts_course(relations(tables, run_id), *spans),
        most_at_once=0 if spans is None else most_at_once(report.tasks, spans[0]),
    )
    return replace(report, detail=detail)


def most_telling(tasks: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Rows of `usage.by_attempt` worth a page of their own, `limit` at most, in their order.

    Attempts that went wrong (a third of the places at most), the attempt of each step that held
    the most core time, then those that held the most. An attempt holds the cores it asked for,
    one if it asked for none, for its wall time.
    """
    if len(tasks) <= limit:
        return tasks
    asked = tasks["cpus_requested"].astype("float64").fillna(1.0).clip(lower=1.0)
    held = (asked * tasks["wall_s"].astype("float64")).fillna(0.0)
    order = held.sort_values(ascending=False, kind="stable").index
    bad = list(order[tasks["status"].loc[order].isin(_BAD)])[: limit // 3]
    of_steps = list(held.groupby(tasks["step"], dropna=False, sort=False).idxmax())
    of_steps.sort(key=lambda i: -held[i])
    chosen = list(dict.fromkeys([*bad, *of_steps, *order[:limit]]))[:limit]
    rows: pd.DataFrame = tasks[tasks.index.isin(chosen)]
    return rows


def tools_of_steps(tables: Tables) -> pd.DataFrame:
    """`step`, `tool`, `count`, `cpu_s`: what the tools of each step used, most CPU first, and with
    the tool null what no named process of the step accounts for."""
    t = relations(tables)
    named = t.frame(_tools_of_steps)
    seen = named.groupby("step", dropna=False, as_index=False)["cpu_s"].sum()
    rest = t.frame(_cpu_of_steps).merge(seen, on="step", how="left", suffixes=("", "_named"))
    # Processes' own clocks can run a little ahead of the kernel's totals: then nothing is left.
    rest["cpu_s"] = rest["cpu_s"] - rest["cpu_s_named"].fillna(0.0)
    rest = rest[rest["cpu_s"] > 0].reindex(columns=named.columns).astype(named.dtypes)
    both = pd.concat([named, rest], ignore_index=True)
    ordered: pd.DataFrame = both.sort_values(
        "cpu_s", ascending=False, kind="stable", ignore_index=True
    )
    return ordered


def _tools_of_steps(t: Relations) -> ir.Table:
    tools, a = t["tools"], attempts(t)
    keys = [key for key in attempt_key(tools) if key in attempt_key(a)]
    same = [tools[key].identical_to(a[key]) for key in keys]
    joined = tools.inner_join(a.select("step", *keys), same)
    joined = joined.select("step", *(tools[name] for name in ("tool", "count", "cpu_s")))
    return joined.group_by("step", "tool").agg(
        count=joined["count"].sum(), cpu_s=joined.cpu_s.sum()
    )


def _cpu_of_steps(t: Relations) -> ir.Table:
    a = attempts(t)
    return a.group_by("step").agg(cpu_s=a.cpu_s.sum())


def _in_full(tables: Tables, run_id: str, chosen: pd.DataFrame) -> tuple[TaskReport, ...]:
    wanted = records(chosen[["task_id", "attempt"]])
    few = _only_of(tables, [row["task_id"] for row in wanted])
    return tuple(
        summarise_task(few, run_id, row["task_id"], row["attempt"])
        for row in wanted
        if row["task_id"] is not None
    )


def _only_of(tables: Tables, task_ids: list[str]) -> Tables:
    """The tables in memory, with only rows of these tasks: each is then looked up among few."""
    if not isinstance(tables, Mapping):
        return tables
    ids = sorted(set(task_ids))
    return {
        name: loaded(table, "task_id", ids) if name in _OF_A_TASK else loaded(table)
        for name, table in tables.items()
        if table is not None
    }
