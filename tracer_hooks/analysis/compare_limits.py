"""What must not get worse: `wall>20%,cost>10%`, and what of it did.

    LIMITS  = LIMIT ("," LIMIT)*
    LIMIT   = [SCOPE "."] MEASURE ">" NUMBER "%"   |   "status"   |   "verdict"
    SCOPE   = "run" | "step" | "task"              (without one: the run and each step)
    MEASURE = "wall" | "cpu" | "memory" | "cost"   (memory has no `run`)

A change is over the limit if it is larger than that and not within noise. Where the noise is not
known the change alone decides; a measure that nothing is known of is over any limit, since a check
that can't be made is not passed. `status`: a task that succeeded doesn't any more; `verdict`: a
step's label is another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer_hooks.analysis.compare_inputs import MEASURES
from tracer_hooks.analysis.tables import records
from tracer_hooks.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from tracer_hooks.analysis.compare import Comparison

SCOPES = ("run", "step", "task")
WORDS = ("status", "verdict")
_LIMIT = re.compile(r"(?:(\w+)\.)?(\w+)\s*>\s*(\d+(?:\.\d+)?)\s*%")


@dataclass(frozen=True)
class Limit:
    """`share`: by how much a measure may grow, 0.2 for 20 %; `measure` may be a word alone."""

    measure: str
    scopes: tuple[str, ...] = ()
    share: float = 0.0
    text: str = ""


@dataclass(frozen=True)
class Excess:
    """A limit and what is over it: a step, a task, or None for the run; `ratio` None: unknown."""

    limit: Limit
    scope: str
    subject: str | None
    ratio: float | None


def parse_limits(text: str) -> list[Limit]:
    """The limits in `text`. Raises UsageError."""
    return [_parse(part.strip()) for part in text.split(",") if part.strip()] or _refuse(text)


def _parse(text: str) -> Limit:
    if text in WORDS:
        return Limit(text, text=text)
    found = _LIMIT.fullmatch(text)
    if not found or found[2] not in MEASURES or found[1] not in (None, *SCOPES):
        return _refuse(text)[0]
    if (found[1], found[2]) == ("run", "memory"):
        raise UsageError("--fail-on: a run as a whole has no memory to compare: say memory>N%")
    scopes = (found[1],) if found[1] else ("run", "step")
    return Limit(found[2], scopes, float(found[3]) / 100, text)


def _refuse(text: str) -> list[Limit]:
    raise UsageError(
        f"--fail-on: {text!r} is no limit: write wall>20%, step.cpu>10%, task.memory>50%,"
        " run.cost>5%, status or verdict, separated by commas"
    )


def exceeded(comparison: Comparison, limits: list[Limit]) -> list[Excess]:
    """What is over its limit."""
    return [excess for limit in limits for excess in _of(limit, comparison)]


def _of(limit: Limit, comparison: Comparison) -> list[Excess]:
    if limit.measure == "status":
        rows = comparison.statuses
        broken = rows[(rows["a"] == "succeeded") & (rows["b"] != "succeeded")]
        return [Excess(limit, "task", name, None) for name in broken["name"]]
    if limit.measure == "verdict":
        return [Excess(limit, "step", step, None) for step in comparison.verdicts["step"]]
    found, known = [], False
    frames = {"run": comparison.whole, "step": comparison.steps, "task": comparison.tasks}
    for scope in limit.scopes:
        rows = frames[scope][frames[scope]["measure"] == limit.measure]
        known = known or not rows.empty
        found += _over(rows, scope, limit)
    return found if known else [Excess(limit, limit.scopes[-1], None, None)]


def _over(rows: pd.DataFrame, scope: str, limit: Limit) -> list[Excess]:
    # 1.2 - 1 is a little less than 0.2.
    over = rows[
        (rows["ratio"] > 1 + limit.share + 1e-12) & rows["change"].isin(["changed", "unknown"])
    ]
    subject = {"run": None, "step": "step", "task": "name"}[scope]
    return [
        Excess(limit, scope, row[subject] if subject else None, row["ratio"])
        for row in records(over)
    ]
