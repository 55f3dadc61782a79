"""How much a step's tasks changed, and how much of that could be noise.

The model is the usual one for ratios: the logarithm of a figure is what the task is, plus what the
side is, plus noise (a two-way analysis of variance without interaction, by step and measure). The
change is the geometric mean of the tasks' ratios; tasks that were repeated on a side, and the
differences between the ratios of different tasks, both say how large the noise is. The interval
is Student's t at 95 %. With fewer than OWN degrees of freedom a step's own noise is hardly known:
then that of all steps together is taken. Where nothing was repeated and no step has two tasks,
there is no interval at all. Swapping the sides turns every ratio and interval upside down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tracer_hooks.analysis.compare_inputs import IDENTITY, MEASURES
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.student import t_quantile

if TYPE_CHECKING:
    import ibis.expr.types as ir

CONFIDENCE = 0.95
OWN = 5  # below it, the t interval is half as wide again as the noise deserves
_KEYS = [*IDENTITY, "measure"]


def ratios(observed: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Steps and tasks that both sides have, one row per measure.

    Both have `measure`, `ratio` (b to a), `low`, `high` (nan: no interval), `noise` (own, pooled,
    none) and `change` (same, noise, changed, unknown); steps have `pairs`, tasks their identity and
    `a`, `b`: the geometric means of repeats.
    """
    cells = _pairs(ibis.memtable(observed[["side", *IDENTITY, *MEASURES]]))
    pairs = cells.to_pandas()
    steps = _steps(ibis.memtable(pairs)).to_pandas() if len(pairs) else _no_steps()
    steps = _with_noise(steps)
    steps["ratio"] = np.exp(steps["shift"])
    _interval(steps, steps["shift"], steps["sigma"] / np.sqrt(steps["weight"]))
    tasks = pairs.merge(steps[["step", "measure", "sigma", "factor", "noise"]], how="left")
    tasks["ratio"] = np.exp(tasks["shift"])
    _interval(tasks, tasks["shift"], tasks["sigma"] / np.sqrt(tasks["weight"]))
    return steps, tasks


def _pairs(observed: ir.Table) -> ir.Table:
    """One row per task and measure that both sides have."""
    long = observed.pivot_longer(list(MEASURES), names_to="measure", values_to="value")
    # What is 0 has no ratio; what is not known has none either.
    known = long.filter(long.value.notnull() & ~long.value.isnan() & (long.value > 0))
    logs = known.mutate(log=known.value.ln())
    cells = logs.group_by(["side", *_KEYS]).agg(
        count=logs.count(), mean=logs.log.mean(), spread=logs.log.var(how="pop")
    )
    a = cells.filter(cells.side == "a").drop("side")
    b = cells.filter(cells.side == "b").drop("side")
    both = a.join(b, _KEYS, rname="{name}_b")
    return both.select(
        *_KEYS,
        a=both["mean"].exp(),
        b=both["mean_b"].exp(),
        shift=both["mean_b"] - both["mean"],
        weight=1.0 / (1.0 / both["count"] + 1.0 / both["count_b"]),
        within=both["count"] * both["spread"] + both["count_b"] * both["spread_b"],
        repeats=both["count"] + both["count_b"] - 2,
    ).order_by(_KEYS)


def _steps(pairs: ir.Table) -> ir.Table:
    keys = ["step", "measure"]
    weighed = pairs.mutate(weighted=pairs.weight * pairs["shift"])
    of_step = ibis.window(group_by=keys)
    mean = weighed.weighted.sum().over(of_step) / weighed.weight.sum().over(of_step)
    away = weighed["shift"] - mean
    weighed = weighed.mutate(mean=mean, between=weighed.weight * away * away)
    return weighed.group_by(keys).agg(
        pairs=weighed.count(),
        shift=weighed["mean"].max(),
        weight=weighed.weight.sum(),
        squares=(weighed.within + weighed.between).sum(),
        degrees=(weighed.repeats.sum() + weighed.count() - 1).cast("float64"),
    ).order_by(keys)  # fmt: skip


def _no_steps() -> pd.DataFrame:
    numbers = {
        n: pd.Series(dtype="float64") for n in ("pairs", "shift", "weight", "squares", "degrees")
    }
    empty: pd.DataFrame = pd.DataFrame(
        {n: pd.Series(dtype="object") for n in ("step", "measure")} | numbers
    )
    return empty


def _with_noise(steps: pd.DataFrame) -> pd.DataFrame:
    """`sigma`: the standard deviation of the logarithms, `factor`: the t quantile that goes with
    it, `noise`: where it is from."""
    whole = steps.groupby("measure")[["squares", "degrees"]].transform("sum")
    own = steps["degrees"] >= np.minimum(OWN, whole["degrees"].clip(lower=1))
    squares = steps["squares"].where(own, whole["squares"])
    degrees = steps["degrees"].where(own, whole["degrees"])
    known = degrees > 0
    named: pd.DataFrame = steps.assign(
        sigma=np.sqrt((squares / degrees.where(known)).astype("float64")),
        factor=t_quantile((1 + CONFIDENCE) / 2, degrees.to_numpy(dtype="float64")),
        noise=np.where(known, np.where(own, "own", "pooled"), "none"),
    )
    return named


def _interval(rows: pd.DataFrame, shift: pd.Series[float], error: pd.Series[float]) -> None:
    """Sets `low`, `high` and `change`."""
    rows["low"] = np.exp(shift - rows["factor"] * error)
    rows["high"] = np.exp(shift + rows["factor"] * error)
    rows["change"] = changes(rows)


def changes(rows: pd.DataFrame) -> list[str]:
    """`same`: no change at all; `unknown`: there is no interval; `noise`: the interval holds 1."""
    inside = (rows["low"] <= 1) & (rows["high"] >= 1)
    named = np.select(
        [rows["ratio"] == 1, rows["low"].isna(), inside], ["same", "unknown", "noise"], "changed"
    )
    return [str(name) for name in named]
