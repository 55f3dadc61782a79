"""What changed between two runs, or two groups of runs: by run, step and task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tracer_hooks.analysis.compare_inputs import IDENTITY, MEASURES, observations
from tracer_hooks.analysis.compare_noise import changes, ratios
from tracer_hooks.errors import TracerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.analysis.summary import RunReport


@dataclass(frozen=True)
class Comparison:
    """B against A. Frames have one row per measure (wall, cpu: seconds; memory: bytes; cost).

    `whole`: the runs; `a`, `b` are wall (from start to end), and what all tasks took of CPU and
    money (means of a side's runs). `steps`: `a`, `b` are sums over a run's tasks (memory: the
    largest), `ratio` that of a task (see `compare_noise`), with `pairs` of tasks that both have.
    `tasks`: those that both have, by identity. All have `ratio`, `low`, `high`, `change`.
    `added`, `removed`: steps that one side alone has, with `count` tasks; `unmatched`: how many
    tasks of common steps each side alone has; `statuses`, `verdicts` (of steps): what differs
    between the newest runs, with `a` and `b`.
    """

    runs_a: tuple[str, ...]
    runs_b: tuple[str, ...]
    whole: pd.DataFrame
    steps: pd.DataFrame
    tasks: pd.DataFrame
    added: pd.DataFrame
    removed: pd.DataFrame
    unmatched: dict[str, int]
    statuses: pd.DataFrame
    verdicts: pd.DataFrame
    currency: str | None


def compare(a: Sequence[RunReport], b: Sequence[RunReport]) -> Comparison:
    """Compare the runs of `b` with those of `a`, each with its newest run first.

    Raises TracerError where one of them has no tasks.
    """
    for report in (*a, *b):
        if report.by_task.empty:
            raise TracerError(f"run {report.run['run_id']} has no tasks to compare")
    seen = observations({"a": a, "b": b})
    steps, tasks = ratios(seen)
    sums = _sums(seen)
    steps = steps.drop(columns=["shift", "squares"]).merge(sums, on=["step", "measure"], how="left")
    common = set(seen[seen["side"] == "a"]["step"]) & set(seen[seen["side"] == "b"]["step"])
    costs = [getattr(report, "cost", None) for report in (*a, *b)]
    return Comparison(
        runs_a=tuple(str(report.run["run_id"]) for report in a),
        runs_b=tuple(str(report.run["run_id"]) for report in b),
        whole=_whole(a, b, seen, steps),
        steps=_ordered(steps),
        tasks=tasks.drop(columns=["shift", "within", "repeats"]),
        added=_alone(seen, "b", common),
        removed=_alone(seen, "a", common),
        unmatched=_unmatched(seen[seen["step"].isin(common)]),
        statuses=_differing(seen, IDENTITY, "status"),
        verdicts=_step_labels(a[0], b[0]),
        currency=next((cost.run["currency"] for cost in costs if cost is not None), None),
    )


def _sums(seen: pd.DataFrame) -> pd.DataFrame:
    """`a` and `b` by step and measure: a run's sum (memory: its largest), the mean of the runs."""
    # Half a sum is no sum: one task without a price leaves its step without a cost.
    runs = seen.groupby(["side", "run", "step"])[list(MEASURES)].agg(
        {name: "max" if name == "memory" else _whole_sum for name in MEASURES}
    )
    long = runs.groupby(["side", "step"]).mean().stack().rename("value").reset_index()
    wide: pd.DataFrame = long.pivot_table(index=["step", "level_2"], columns="side", values="value")
    wide = wide.reindex(columns=["a", "b"]).reset_index()
    wide.columns = pd.Index(["step", "measure", "a", "b"])
    return wide


def _whole_sum(values: pd.Series[float]) -> float:
    return float(values.sum(skipna=False))


def _ordered(steps: pd.DataFrame) -> pd.DataFrame:
    """By the steps' wall time in A, then as MEASURES are."""
    walls = steps[steps["measure"] == "wall"].set_index("step")["a"]
    order = {name: place for place, name in enumerate(MEASURES)}
    keyed = steps.assign(_wall=-steps["step"].map(walls), _place=steps["measure"].map(order))
    ordered = keyed.sort_values(["_wall", "step", "_place"])
    plain: pd.DataFrame = ordered.drop(columns=["_wall", "_place"]).reset_index(drop=True)
    return plain


def _whole(
    a: Sequence[RunReport], b: Sequence[RunReport], seen: pd.DataFrame, steps: pd.DataFrame
) -> pd.DataFrame:
    """The runs as wholes. Steps vary on their own, so the variance of a sum's logarithm is that
    of its steps, each weighted with the square of its share (the delta method)."""
    sums: Any = (
        seen.groupby(["side", "run"])[["cpu", "cost"]].agg(_whole_sum).groupby("side").mean()
    )
    walls = {
        side: float(np.mean([_number(report.run["wall_s"]) for report in reports]))
        for side, reports in (("a", a), ("b", b))
    }
    rows = []
    for measure in ("wall", "cpu", "cost"):
        one, other = (
            walls[side] if measure == "wall" else float(sums.at[side, measure]) for side in "ab"
        )
        ratio = other / one if one > 0 and other > 0 else float("nan")
        error = 0.0 if ratio == 1 else _error(steps[steps["measure"] == measure])
        low, high = ratio * np.exp(-error), ratio * np.exp(error)
        rows.append(
            {"measure": measure, "a": one, "b": other, "ratio": ratio, "low": low, "high": high}
        )
    whole: pd.DataFrame = pd.DataFrame(rows)
    whole["change"] = changes(whole)
    known: pd.DataFrame = whole[whole["ratio"].notna()].reset_index(drop=True)
    return known


def _error(steps: pd.DataFrame) -> float:
    """Half the width of the interval of a sum's logarithm; nan if no step's noise is known."""
    known = steps[steps["low"].notna()]
    if known.empty:
        return float("nan")
    half = np.log(known["high"] / known["low"]) / 2
    sizes = known["a"].fillna(0) + known["b"].fillna(0)
    return float(np.sqrt(((sizes / sizes.sum() * half) ** 2).sum()))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _alone(seen: pd.DataFrame, side: str, common: set[str]) -> pd.DataFrame:
    own = seen[(seen["side"] == side) & (seen["place"] == 0) & ~seen["step"].isin(common)]
    alone: pd.DataFrame = own.groupby("step").agg(count=("name", "size"), wall=("wall", "sum"))
    counted: pd.DataFrame = alone.reset_index()
    return counted


def _unmatched(seen: pd.DataFrame) -> dict[str, int]:
    sides = {
        side: set(map(tuple, seen[seen["side"] == side][IDENTITY].to_numpy())) for side in "ab"
    }
    return {"a": len(sides["a"] - sides["b"]), "b": len(sides["b"] - sides["a"])}


def _differing(seen: pd.DataFrame, keys: list[str], column: str) -> pd.DataFrame:
    """Where the newest run of each side says something else."""
    newest = seen[(seen["place"] == 0) & seen[column].notna()]
    sides = {
        side: newest[newest["side"] == side].groupby(keys)[column].agg(_together).rename(side)
        for side in "ab"
    }
    both: pd.DataFrame = pd.concat(sides.values(), axis=1, join="inner").reset_index()
    return _where_different(both)


def _together(values: pd.Series[str]) -> str:
    return ", ".join(sorted(set(values)))


def _step_labels(a: RunReport, b: RunReport) -> pd.DataFrame:
    frames = []
    for side, report in (("a", a), ("b", b)):
        verdicts = getattr(report, "verdicts", None)
        if verdicts is None:
            none: pd.DataFrame = pd.DataFrame({"step": [], "a": [], "b": []})
            return none
        labels = verdicts.steps.set_index(verdicts.steps["step"].fillna("(none)"))["label"]
        frames.append(labels.astype("object").rename(side))
    both: pd.DataFrame = pd.concat(frames, axis=1, join="inner")
    return _where_different(both.rename_axis("step").reset_index())


def _where_different(both: pd.DataFrame) -> pd.DataFrame:
    different: pd.DataFrame = both[both["a"] != both["b"]].reset_index(drop=True)
    return different
