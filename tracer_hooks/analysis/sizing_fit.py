"""Memory that follows the size of the input: a least-squares line through peaks, by step.

The line is fitted to the tasks that succeeded and then raised, parallel, until it covers what is
to be covered; the margin comes on top. It is used only where it explains most of the variance and
saves something: see `sizing_rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.sizing_rules import rule

if TYPE_CHECKING:
    import ibis.expr.types as ir


def line(rows: ir.Table) -> dict[str, ir.Scalar]:
    """Aggregates over the attempts of a step: `fit_n` tasks, `fit_r2`, `fit_slope` (bytes of
    memory per byte of input), `fit_start` (bytes), and the range of the inputs."""
    x, y = rows.input_bytes.cast("float64"), rows.peak
    usable = rows.done & x.notnull() & y.notnull()
    variance = x.var(where=usable, how="pop").nullif(0.0)
    slope = x.cov(y, where=usable, how="pop") / variance
    # No spread in the peaks, no correlation: DuckDB says nan, others null.
    flat = y.var(where=usable, how="pop").nullif(0.0)
    r2 = x.cov(y, where=usable, how="pop") * slope / flat
    return {
        "fit_n": usable.sum().fill_null(0),
        "fit_r2": ibis.ifelse(r2 > 1.0, ibis.literal(1.0), r2),
        "fit_slope": slope,
        "fit_start": y.mean(where=usable) - slope * x.mean(where=usable),
        "input_min_bytes": rows.input_bytes.min(where=usable),
        "input_max_bytes": rows.input_bytes.max(where=usable),
        "peak_min_bytes": y.min(where=usable),
        "peak_n": (rows.done & y.notnull()).sum().fill_null(0),
        # One whose input nobody knows can't be promised anything by a line.
        "floors_without_input": (~rows.done & x.isnull() & y.notnull()).sum().fill_null(0),
    }


def above(rows: ir.Table) -> ir.NumericValue:
    """By how many bytes an attempt (with its step's `line`) lies above the line; null: unknown."""
    return rows.memory_floor_bytes - (
        rows.fit_start + rows.fit_slope * rows.input_bytes.cast("float64")
    )


def usable(rows: ir.Table) -> ir.BooleanValue:
    """Whether a step's line can be used, whatever it saves."""
    spread = rows.input_max_bytes >= rule("fit_spread") * rows.input_min_bytes
    good = (
        (rows.fit_n >= int(rule("fit_observations")))
        & (rows.fit_n == rows.peak_n)
        & (rows.floors_without_input == 0)
        & (rows.fit_slope > 0)
        & (rows.fit_r2 >= rule("fit_r2"))
        & spread
    )
    return good.fill_null(False)
