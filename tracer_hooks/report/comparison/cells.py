"""What text and Markdown say alike of a comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.text import clean, fit
from tracer_hooks.report.units import UNKNOWN, count, cpu_time, duration, number, plural, size

if TYPE_CHECKING:
    from tracer_hooks.analysis.compare import Comparison
    from tracer_hooks.analysis.compare_limits import Excess

TITLES = ("", "A", "B", "change", "95 % interval", "")
MAX_TASKS = 10
_NAME = 60
_SAID = {"same": "", "noise": "within noise", "changed": "changed", "unknown": "noise unknown"}


@dataclass(frozen=True)
class Compared:
    """A comparison and the limits that it was held against (`checked`: whether there were any)."""

    comparison: Comparison
    excesses: tuple[Excess, ...] = ()
    checked: bool = False


def whole_rows(comparison: Comparison) -> list[list[str]]:
    """Rows under TITLES: the runs as wholes."""
    return [
        [row["measure"], *_figures(row, comparison.currency)] for row in records(comparison.whole)
    ]


def step_rows(comparison: Comparison) -> list[list[str]]:
    """Rows under TITLES with the step before them, named once."""
    rows, before = [], None
    for row in records(comparison.steps):
        name = "" if row["step"] == before else fit(row["step"], _NAME)
        before = row["step"]
        rows.append([name, row["measure"], *_figures(row, comparison.currency)])
    return rows


def task_rows(comparison: Comparison) -> tuple[list[list[str]], int]:
    """The tasks that changed most, likewise, and how many there are."""
    tasks = comparison.tasks[comparison.tasks["change"] == "changed"]
    order = tasks["ratio"].map(lambda ratio: -abs(math.log(ratio)))
    shown = tasks.assign(_order=order).sort_values(["_order", "name"]).head(MAX_TASKS)
    rows = [
        [fit(row["name"], _NAME), row["measure"], *_figures(row, comparison.currency)]
        for row in records(shown)
    ]
    return rows, len(tasks)


def differences(comparison: Comparison) -> list[str]:
    """Sentences: steps and tasks that one side alone has, statuses and verdicts that differ."""
    lines = []
    for word, frame in (("only in A", comparison.removed), ("only in B", comparison.added)):
        lines += [
            f"step {fit(row['step'], _NAME)} is {word}: {plural(row['count'], 'task')},"
            f" {duration(row['wall'])}"
            for row in records(frame)
        ]
    for side, other in (("a", "b"), ("b", "a")):
        if comparison.unmatched[side]:
            tasks = plural(comparison.unmatched[side], "task")
            lines.append(f"{tasks} of {side.upper()} had no match in {other.upper()}")
    lines += [
        f"task {fit(row['name'], _NAME)}: {row['a']} in A, {row['b']} in B"
        for row in records(comparison.statuses.head(MAX_TASKS))
    ]
    more = len(comparison.statuses) - MAX_TASKS
    if more > 0:
        lines.append(f"and {plural(more, 'task')} more with another status")
    lines += [
        f"step {fit(row['step'], _NAME)}: verdict {row['a']} in A, {row['b']} in B"
        for row in records(comparison.verdicts)
    ]
    return lines


def verdict(compared: Compared) -> list[str]:
    """What is over a limit, a line each; one line if nothing is; none without limits."""
    if not compared.checked:
        return []
    return [_over(excess) for excess in compared.excesses] or ["No limit is exceeded."]


def sides(comparison: Comparison) -> list[str]:
    """`A: run 1`"""
    return [
        f"{side}: {', '.join(fit(run, _NAME) for run in runs)}"
        for side, runs in (("A", comparison.runs_a), ("B", comparison.runs_b))
    ]


METHOD = (
    "Change: the geometric mean of B to A over the tasks that both have; A and B: sums (memory: the"
    " largest). The interval is Student's t of the logarithms; where it holds 0 % the change is"
    " within noise. Noise unknown: no task was repeated and no step has two."
)


def change(ratio: float | None) -> str:
    """`+12 %`, `−3.4 %`, `×3.20` from double on."""
    if ratio is None or not math.isfinite(ratio):
        return UNKNOWN
    if ratio >= 2:
        return f"×{number(ratio)}"
    share = (ratio - 1) * 100
    if round(abs(share), 1) == 0:
        return "0 %"
    sign = "+" if share > 0 else "−"
    return f"{sign}{abs(share):.1f} %" if abs(share) < 9.95 else f"{sign}{abs(share):.0f} %"


def _figures(row: dict[str, Any], currency: str | None) -> list[str]:
    known = row["low"] is not None
    interval = f"{change(row['low'])} to {change(row['high'])}" if known else UNKNOWN
    if row["change"] == "same":
        interval = ""
    return [
        _value(row["measure"], row["a"], currency), _value(row["measure"], row["b"], currency),
        change(row["ratio"]), interval, _SAID[row["change"]],
    ]  # fmt: skip


def _value(measure: str, value: float | None, currency: str | None) -> str:
    if measure == "wall":
        return duration(value)
    if measure == "cpu":
        return cpu_time(value)
    if measure == "memory":
        return size(value)
    return UNKNOWN if value is None else f"{number(value)} {clean(currency)}"


def _over(excess: Excess) -> str:
    subject = (
        "the run" if excess.subject is None else f"{excess.scope} {fit(excess.subject, _NAME)}"
    )
    limit = excess.limit
    if limit.measure == "status":
        return f"{subject} succeeded in A and doesn't in B (status)"
    if limit.measure == "verdict":
        return f"{subject} has another verdict (verdict)"
    if excess.ratio is None:
        return f"{limit.measure} is not known on both sides, so {limit.text} can't be checked"
    return f"{subject}: {limit.measure} {change(excess.ratio)}, over the limit {limit.text}"


def counted(rows: int, shown: int) -> str:
    """`the 10 largest of 34 changes`"""
    return f"the {count(shown)} largest of {plural(rows, 'change')}" if rows > shown else ""
