"""Cost: what was useful, what was headroom, what was asked for in vain, what stood idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.export.grafana.source.panels import HALF, Place, bars, figures, page, rows_of
from tracer_hooks.export.grafana.source.queries import (
    POSTGRES,
    postgres_source,
    series_sql,
    sql_variable,
    table_sql,
)
from tracer_hooks.export.grafana.source.steps import RUN_LINK

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard

    from tracer_hooks.export.grafana.source.panels import Panel

_CHOSEN = """coalesce(pipeline, '') IN (${pipeline:sqlstring}) AND $__timeFilter(started_at)"""
_RUNS = "FROM tracer_hooks.runs JOIN tracer_hooks.run_costs AS c USING (run_id)"
_PARTS = """sum(useful) AS useful, sum(headroom) AS headroom,
                sum(over_requested) AS "asked too much", sum(unmeasured) AS unmeasured"""


def cost() -> Dashboard:
    """The page."""
    board = page(
        "tracer-cost", "Cost",
        "What runs cost, and what became of it (docs/cost.md). Amounts of different currencies"
        " are never added up; what has no price is counted as unpriced, not as free.",
    )  # fmt: skip
    board = board.time("now-30d", "now").with_variable(postgres_source())
    board = board.with_variable(
        sql_variable("pipeline", "Pipeline", """
            SELECT DISTINCT coalesce(pipeline, '') FROM tracer_hooks.runs ORDER BY 1
        """)
    )  # fmt: skip
    for panel in (_whole(), _over_time(), _by_pipeline(), _by_step(), _runs(), _tasks()):
        board = board.with_panel(panel)
    return board


def _whole() -> Panel:
    return figures(
        "All of it", "A figure for each currency. Failed: part of the cost, of attempts that came"
        " to nothing. Idle: of hosts whose price is known.", POSTGRES,
        {"useful share": "percentunit", "unpriced": "percentunit"},
        table_sql(f"""
            SELECT currency, sum(allocated) AS cost,
                sum(useful) / nullif(sum(allocated), 0) AS "useful share",
                sum(headroom) AS headroom, sum(over_requested) AS "asked too much",
                sum(failed) AS failed, sum(idle) AS idle,
                sum(unpriced_share * wall_s) / nullif(sum(wall_s), 0) AS unpriced
            {_RUNS} WHERE {_CHOSEN}
            GROUP BY currency ORDER BY cost DESC NULLS LAST
        """),
        place=Place(24, 4),
    )  # fmt: skip


def _over_time() -> Panel:
    return bars(
        "Cost over time", "Of runs by when they began.", POSTGRES, "short",
        series_sql(f"""
            SELECT $__timeGroup(started_at, $__interval) AS time, sum(useful) AS useful,
                sum(headroom) AS headroom, sum(over_requested) AS over_requested,
                sum(unmeasured) AS unmeasured, sum(idle) AS idle_cost
            {_RUNS} WHERE {_CHOSEN}
            GROUP BY 1 ORDER BY 1
        """),
        place=Place(24, 9),
    )  # fmt: skip


def _by_pipeline() -> Panel:
    return rows_of(
        "By pipeline", "The most expensive first.", POSTGRES,
        {"unpriced": "percentunit", "a run": "short"},
        table_sql(f"""
            SELECT coalesce(pipeline, '') AS pipeline, count(*) AS runs, sum(allocated) AS cost,
                avg(allocated) AS "a run", {_PARTS}, sum(failed) AS failed, sum(idle) AS idle,
                sum(unpriced_share * wall_s) / nullif(sum(wall_s), 0) AS unpriced, currency
            {_RUNS} WHERE {_CHOSEN}
            GROUP BY pipeline, currency ORDER BY cost DESC NULLS LAST
        """),
        place=HALF,
    )  # fmt: skip


def _by_step() -> Panel:
    return rows_of(
        "By step", "Where smaller requests would save most (`tracer-hooks tune` says which).",
        POSTGRES, {},
        table_sql(f"""
            SELECT coalesce(pipeline, '') AS pipeline, coalesce(step, '') AS step,
                sum(allocated) AS cost, {_PARTS}, sum(failed_cost) AS failed, currency
            FROM tracer_hooks.attempts WHERE {_CHOSEN}
            GROUP BY 1, 2, currency ORDER BY "asked too much" DESC NULLS LAST LIMIT 200
        """),
        place=HALF,
    )  # fmt: skip


def _runs() -> Panel:
    return rows_of(
        "Runs", "The most expensive first; a run's id opens its page.", POSTGRES,
        {"wall time": "s", "unpriced": "percentunit"},
        table_sql(f"""
            SELECT run_id AS run, coalesce(pipeline, '') AS pipeline, status,
                started_at AS started, wall_s AS "wall time", allocated AS cost, useful, headroom,
                over_requested AS "asked too much", failed, host_cost AS hosts, idle, currency,
                unpriced_share AS unpriced, price_source AS "prices of", price_as_of AS "as of",
                floor(extract(epoch FROM started_at) * 1000)::bigint AS from_ms,
                ceil(extract(epoch FROM coalesce(ended_at, now())) * 1000)::bigint AS to_ms
            {_RUNS} WHERE {_CHOSEN}
            ORDER BY allocated DESC NULLS LAST LIMIT 200
        """),
        place=Place(24, 9), links={"run": RUN_LINK}, hidden=("from_ms", "to_ms"),
    )  # fmt: skip


def _tasks() -> Panel:
    return rows_of(
        "Attempts", "The most expensive first.", POSTGRES,
        {"wall time": "s", "peak": "bytes", "memory asked": "bytes"},
        table_sql(f"""
            SELECT coalesce(task_name, task_id) AS task, coalesce(pipeline, '') AS pipeline, step,
                attempt, status, allocated AS cost, useful, headroom,
                over_requested AS "asked too much", failed_cost AS failed, wall_s AS "wall time",
                cpus_requested AS "cores asked", cores_mean AS "cores used",
                memory_requested_bytes AS "memory asked", memory_peak_bytes AS peak, currency
            FROM tracer_hooks.attempts WHERE {_CHOSEN}
            ORDER BY allocated DESC NULLS LAST LIMIT 200
        """),
        place=Place(24, 10),
    )  # fmt: skip
