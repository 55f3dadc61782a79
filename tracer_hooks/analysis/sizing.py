"""Right-sizing: per step, the requests that would have been enough for what was observed.

Memory: the largest peak × (1 + margin), or, where the peak follows the size of the input, a line
in it (`sizing_fit`). Time: the longest wall time × (1 + its margin). CPUs: the cores that the
busiest task kept busy. An attempt that failed says what it took until then, and one that was
killed for its memory or time that its request was not enough: nothing below either is recommended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracer_hooks.analysis.attempts import attempts
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.sizing_cost import saving
from tracer_hooks.analysis.sizing_fit import above, line, usable
from tracer_hooks.analysis.sizing_inputs import observed
from tracer_hooks.analysis.sizing_rules import rule
from tracer_hooks.analysis.tables import Relations, Tables, relations

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from tracer_hooks.prices.rates import Pricing


@dataclass(frozen=True)
class Margins:
    """How careful the requests are.

    `memory` and `time`: shares added to the largest that was seen; `cover`: the share of the tasks
    that succeeded that the largest is taken of (1: all of them); `observations`: a step with fewer
    tasks that succeeded is left alone.
    """

    memory: float = rule("memory_margin")
    time: float = rule("time_margin")
    cover: float = 1.0
    observations: int = int(rule("observations"))


@dataclass(frozen=True)
class Sizing:
    """What to request, by step.

    `steps` has a row per step, most wall time first: `step`; `attempt_count` (ended),
    `observation_count` (tasks that succeeded), `oom_count`, `timeout_count`; for each of `cpus`,
    `memory_bytes` and `time_s` what is recommended (null: left as it is), and as `cpus_requested`,
    `memory_requested_bytes`, `time_requested_s` the largest request; what was seen: `cores_max`,
    `memory_peak_bytes`, `wall_max_s`; the columns of `sizing_fit.line`, `fitted`
    (whether its line is used) and the line with its margin: `fit_base_bytes` + `fit_per_byte`
    × input, and no less than `fit_least_bytes`; `exceeded_count`: attempts
    that would have exceeded the memory or the time, `next_share`: the chance that the next task's
    peak exceeds the largest that the request was made from, before the margin (k + 1 of n + 1,
    whatever the distribution, if tasks are alike); `saved_core_h`, `saved_gib_h`: requested less
    recommended over wall time, of the attempts whose request is known (null: of none);
    `saved_cost` in `currency` (null: unpriced). `left_alone`: why nothing is recommended, or null.
    """

    steps: pd.DataFrame
    margins: Margins
    runs: tuple[str, ...]
    currency: str | None = None
    price_source: str | None = None


def size_steps(
    tables: Tables, margins: Margins | None = None, pricing: Pricing | None = None
) -> Sizing:
    """The requests that would have been enough for all attempts in `tables` (one run or many).

    With `pricing`, what the attempts would have cost less with them; the `tables` must then be
    tables by name. Raises PriceError where prices don't fit together.
    """
    t, margins = relations(tables), margins or Margins()
    sizing = Sizing(t.frame(_sized, margins), margins, tuple(t.frame(_runs)["run_id"]))
    if pricing is None:
        return sizing
    saved = saving(tables, t.arrow(_as_requested), t.arrow(_as_recommended, margins), pricing)
    steps = sizing.steps.assign(saved_cost=sizing.steps["step"].map(saved.by_step))
    return replace(sizing, steps=steps, currency=saved.currency, price_source=saved.source)


def _runs(t: Relations) -> ir.Table:
    return attempts(t).select("run_id").distinct().order_by("run_id")


def _sized(t: Relations, margins: Margins) -> ir.Table:
    return _steps(_each(t, margins), margins)


def _each(t: Relations, margins: Margins) -> ir.Table:
    """Every attempt with what it would get: `needed_bytes`, `cpus_needed`, `time_needed_s`."""
    rows = t.derived("sizing_observed", observed)
    rows = _joined(rows, _needs(rows, margins))
    rows = rows.mutate(above=above(rows))
    raised = _covered(rows, "above", margins)
    rows = _joined(rows, raised.group_by("step").agg(fit_raise=raised.above_covered.max()))
    rows = rows.mutate(**_recommended(rows, margins))
    of_step = ibis.window(group_by="step")
    gain = 1.0 - rule("fit_gain")
    fitted = rows.by_line_bytes.mean().over(of_step) < gain * rows.constant_bytes.mean().over(
        of_step
    )
    rows = rows.mutate(fitted=fitted.fill_null(False))
    needed = ibis.ifelse(
        rows.fitted, rows.by_line_bytes.coalesce(rows.constant_bytes), rows.constant_bytes
    )
    return rows.mutate(needed_bytes=needed)


def _as_requested(t: Relations) -> ir.Table:
    """The table `tasks`, with only the attempts of which something is said."""
    return observed(t).select(*t["tasks"].columns)


def _as_recommended(t: Relations, margins: Margins) -> ir.Table:
    """The same attempts as if they had asked for what is recommended; what was not asked for is
    not asked for now."""
    rows = _each(t, margins)
    memory = ibis.ifelse(
        rows.memory_requested_bytes.isnull() | rows.needed_bytes.isnull(),
        rows.memory_requested_bytes, rows.needed_bytes.ceil().cast("int64"),
    )  # fmt: skip
    cpus = ibis.ifelse(
        rows.cpus_requested.isnull() | rows.cpus_needed.isnull(),
        rows.cpus_requested, rows.cpus_needed,
    )  # fmt: skip
    rows = rows.mutate(memory_requested_bytes=memory, cpus_requested=cpus)
    return rows.select(*t["tasks"].columns)


def _joined(rows: ir.Table, steps: ir.Table) -> ir.Table:
    return rows.join(steps, "step")


def _covered(rows: ir.Table, column: str, margins: Margins) -> ir.Table:
    """`<column>_covered`: the column, null where it may be exceeded: the highest few of the tasks
    that succeeded, and of no others."""
    known = rows[column].notnull()
    mine = [rows.step, rows.done, known]
    ranked = rows.mutate(
        place=ibis.row_number().over(group_by=mine, order_by=rows[column].desc()),
        spared=(
            known.sum().over(ibis.window(group_by=mine)) * (1.0 - margins.cover) + 1e-9
        ).floor(),
    )
    counts = ~ranked.done | (ranked.place >= ranked.spared)
    covered = ibis.ifelse(counts, ranked[column], ibis.null("float64"))
    return ranked.mutate(**{f"{column}_covered": covered}).drop("place", "spared")


def _needs(rows: ir.Table, margins: Margins) -> ir.Table:
    """By step: the largest that is to be covered of everything, and the line of its memory."""
    rows = _covered(rows, "memory_floor_bytes", margins)
    rows = _covered(rows, "time_floor_s", margins)
    return rows.group_by("step").agg(
        memory_base_bytes=rows.memory_floor_bytes_covered.max(),
        time_base_s=rows.time_floor_s_covered.max(),
        cores_max=rows.cores.max(),
        observation_count=rows.done.sum().fill_null(0),
        **line(rows),
    )


def _recommended(rows: ir.Table, margins: Margins) -> dict[str, ir.Value]:
    """Per attempt: what it would get, from a constant or from the line."""
    least = rule("memory_least_bytes")
    more = 1.0 + margins.memory
    nothing = ibis.null("float64")
    enough = rows.observation_count >= margins.observations
    constant = _at_least(rows.memory_base_bytes * more, least)
    fit_base = (rows.fit_start + rows.fit_raise) * more
    fit_least = _at_least(rows.peak_min_bytes * more, least)
    by_line = _at_least_column(
        fit_base + rows.fit_slope * more * rows.input_bytes.cast("float64"), fit_least
    )
    return {
        "enough": enough,
        "constant_bytes": ibis.ifelse(enough, constant, nothing),
        "by_line_bytes": ibis.ifelse(enough & usable(rows), by_line, nothing),
        "fit_base_bytes": fit_base,
        "fit_per_byte": rows.fit_slope * more,
        "fit_least_bytes": fit_least,
        "time_needed_s": ibis.ifelse(
            enough,
            _at_least(rows.time_base_s * (1.0 + margins.time), rule("time_least_s")),
            nothing,
        ),
        "cpus_needed": ibis.ifelse(
            enough, _at_least((rows.cores_max - rule("core_slack")).ceil(), 1.0), nothing
        ),
    }


def _at_least(value: ir.NumericValue, least: float) -> ir.NumericValue:
    return ibis.ifelse(value < least, ibis.literal(least), value)


def _at_least_column(value: ir.NumericValue, least: ir.NumericValue) -> ir.NumericValue:
    return ibis.ifelse(value < least, least, value)


def _steps(rows: ir.Table, margins: Margins) -> ir.Table:
    wall_h = rows.wall_s / 3600.0
    asked = rows.memory_requested_bytes.cast("float64")
    # Whoever takes more than it asked for pays for what it takes (DESIGN 9).
    saved_bytes = _more(asked, rows.memory_used_bytes) - _more(
        rows.needed_bytes, rows.memory_used_bytes
    )
    saved_cores = _more(rows.cpus_requested, rows.cores_mean) - _more(
        rows.cpus_needed, rows.cores_mean
    )
    exceeded = (rows.memory_floor_bytes > rows.needed_bytes).fill_null(False) | (
        rows.time_floor_s > rows.time_needed_s
    ).fill_null(False)
    same = (
        "observation_count", "cores_max", "fit_n", "fit_r2", "fit_base_bytes", "fit_per_byte",
        "fit_least_bytes", "input_min_bytes", "input_max_bytes", "fitted",
    )  # fmt: skip
    spared = (rows.observation_count * (1.0 - margins.cover) + 1e-9).floor().max()
    grouped = rows.group_by("step").agg(
        attempt_count=rows.count(),
        oom_count=rows.oom.sum().fill_null(0),
        timeout_count=rows.timeout.sum().fill_null(0),
        cpus=rows.cpus_needed.max().cast("int64"),
        memory_bytes=rows.constant_bytes.max().ceil().cast("int64"),
        time_s=rows.time_needed_s.max(),
        cpus_requested=rows.cpus_requested.max(),
        memory_requested_bytes=rows.memory_requested_bytes.max(),
        time_requested_s=rows.time_requested_s.max(),
        memory_peak_bytes=rows.memory_peak_bytes.max(),
        wall_s=rows.wall_s.sum(),
        wall_max_s=rows.wall_s.max(),
        exceeded_count=ibis.ifelse(rows.enough.any(), exceeded.sum(), ibis.null("int64")),
        next_share=ibis.ifelse(
            rows.enough.any(), (spared + 1.0) / (rows.observation_count.max() + 1.0),
            ibis.null("float64"),
        ),
        saved_core_h=(saved_cores * wall_h).sum(),
        saved_gib_h=(saved_bytes / 2.0**30 * wall_h).sum(),
        **{name: rows[name].max() for name in same},
    )  # fmt: skip
    few = ibis.ifelse(
        grouped.observation_count < margins.observations, ibis.literal("too few"),
        ibis.null("string"),
    )  # fmt: skip
    return grouped.mutate(left_alone=few, saved_cost=ibis.null("float64")).order_by(
        ibis.desc("wall_s"), "step"
    )


def _more(one: ir.NumericValue, other: ir.NumericValue) -> ir.NumericValue:
    """The greater of the two; null if the first is, and the first if the second is."""
    return ibis.ifelse(other > one, other, one)
