"""Step history: how each step did from run to run, and which got slower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.export.grafana.source.panels import Place, bars, lines, page, rows_of
from tracer_hooks.export.grafana.source.queries import (
    POSTGRES,
    postgres_source,
    series_sql,
    sql_variable,
    table_sql,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.builders.dashboard import Dashboard

    from tracer_hooks.export.grafana.source.panels import Panel
    from tracer_hooks.export.grafana.source.queries import Query

_CHOSEN = """coalesce(a.pipeline, '') IN (${pipeline:sqlstring})
                AND coalesce(a.step, '') IN (${step:sqlstring})
                AND $__timeFilter(r.started_at)"""
_FROM = "FROM tracer_hooks.attempts AS a JOIN tracer_hooks.runs AS r USING (run_id)"
# A deviation is taken as no less than this share of the mean, as the alert rules have it.
_FLOOR = 0.1
RUN_LINK = (
    "/d/tracer-run?var-run=${__data.fields.run:percentencode}"
    "&from=${__data.fields.from_ms}&to=${__data.fields.to_ms}"
)


def steps() -> Dashboard:
    """The page."""
    board = page(
        "tracer-steps", "Step history",
        "Every point is a run, at the time at which it began (`tracer-hooks export postgres`).",
    )  # fmt: skip
    board = board.time("now-30d", "now").with_variable(postgres_source())
    board = board.with_variable(
        sql_variable("pipeline", "Pipeline", """
            SELECT DISTINCT coalesce(pipeline, '') FROM tracer_hooks.runs ORDER BY 1
        """)
    )  # fmt: skip
    board = board.with_variable(
        sql_variable("step", "Step", """
            SELECT DISTINCT coalesce(step, '') FROM tracer_hooks.tasks
            WHERE coalesce(pipeline, '') IN (${pipeline:sqlstring}) ORDER BY 1
        """)
    )  # fmt: skip
    for panel in (*_trends(), _regressions(), _runs()):
        board = board.with_panel(panel)
    return board


def _trends() -> Sequence[Panel]:
    return [
        lines(title, about, POSTGRES, unit, _by_run(value, only), points=True)
        for title, about, unit, value, only in (
            ("Median wall time", "Of attempts that succeeded.", "s",
             "percentile_cont(0.5) WITHIN GROUP (ORDER BY a.wall_s)", "a.status = 'succeeded'"),
            ("Wall time of the slowest twentieth", "Its lower bound: the 95th percentile.", "s",
             "percentile_cont(0.95) WITHIN GROUP (ORDER BY a.wall_s)", "a.status = 'succeeded'"),
            ("CPU time of an attempt", "The mean.", "s", "avg(a.cpu_s)", "a.status = 'succeeded'"),
            ("Largest peak of memory", "Of all attempts.", "bytes",
             "max(a.memory_peak_bytes)", "a.memory_peak_bytes IS NOT NULL"),
            ("Share of attempts that failed or were lost", "Retries count.", "percentunit",
             "avg((a.status IN ('failed', 'lost'))::int)", "a.status <> 'running'"),
            ("Idle share of the wall time", "Sleeping, locks, waiting for nothing that ran.",
             "percentunit", "sum(a.wall_idle_s) / nullif(sum(a.wall_s), 0)",
             "a.wall_idle_s IS NOT NULL"),
        )
    ] + [
        bars("Cost", "Of all attempts of the run.", POSTGRES, "short",
             _by_run("sum(a.allocated)", "a.allocated IS NOT NULL")),
        bars("Asked too much", "What smaller requests would have saved.", POSTGRES, "short",
             _by_run("sum(a.over_requested)", "a.over_requested IS NOT NULL")),
    ]  # fmt: skip


def _by_run(value: str, only: str) -> Query:
    return series_sql(f"""
            SELECT r.started_at AS time, coalesce(a.step, '') AS metric, {value} AS value
            {_FROM}
            WHERE {_CHOSEN}
                AND {only}
            GROUP BY r.run_id, 1, 2 ORDER BY 1
    """)


def _regressions() -> Panel:
    return rows_of(
        "The last run against those before",
        "Median wall time of what succeeded. Sigma: by how many standard deviations of the"
        " earlier runs' medians (at least a tenth of their mean) the last one is above them; with"
        " three earlier runs or more.",
        POSTGRES, {"last run": "s", "before": "s", "peak of the last run": "bytes",
                   "peak before": "bytes", "change": "percentunit"},
        table_sql(f"""
            WITH by_run AS (
                SELECT coalesce(a.pipeline, '') AS pipeline, coalesce(a.step, '') AS step,
                    r.started_at, max(a.memory_peak_bytes) AS peak,
                    percentile_cont(0.5) WITHIN GROUP (ORDER BY a.wall_s) AS median_s
                {_FROM}
                WHERE {_CHOSEN}
                    AND a.status = 'succeeded'
                GROUP BY r.run_id, 1, 2, 3
            ), numbered AS (
                SELECT *, row_number() OVER (
                    PARTITION BY pipeline, step ORDER BY started_at DESC) AS age
                FROM by_run
            ), compared AS (
                SELECT pipeline, step, max(median_s) FILTER (WHERE age = 1) AS last_s,
                    avg(median_s) FILTER (WHERE age > 1) AS before_s,
                    stddev_samp(median_s) FILTER (WHERE age > 1) AS deviation_s,
                    max(peak) FILTER (WHERE age = 1) AS last_peak,
                    max(peak) FILTER (WHERE age > 1) AS peak_before,
                    count(*) FILTER (WHERE age > 1) AS runs
                FROM numbered WHERE age <= 51 GROUP BY 1, 2
            )
            SELECT pipeline, step, last_s AS "last run", before_s AS before,
                last_s / nullif(before_s, 0) - 1 AS change,
                CASE WHEN runs >= 3 THEN
                    (last_s - before_s) / nullif(greatest(deviation_s, {_FLOOR} * before_s), 0)
                END AS sigma,
                runs AS "runs before", last_peak AS "peak of the last run",
                peak_before AS "peak before"
            FROM compared WHERE runs > 0 ORDER BY sigma DESC NULLS LAST
        """),
        place=Place(24, 9),
    )  # fmt: skip


def _runs() -> Panel:
    return rows_of(
        "Runs", "The newest first; a run's id opens its page.", POSTGRES,
        {"wall time": "s", "CPU time": "s"},
        table_sql("""
            SELECT run_id AS run, coalesce(pipeline, '') AS pipeline, engine, status,
                started_at AS started, wall_s AS "wall time", task_count AS tasks,
                failed_count AS failed, cpu_s AS "CPU time", costs.allocated AS cost, currency,
                floor(extract(epoch FROM started_at) * 1000)::bigint AS from_ms,
                ceil(extract(epoch FROM coalesce(ended_at, now())) * 1000)::bigint AS to_ms
            FROM tracer_hooks.runs LEFT JOIN tracer_hooks.run_costs AS costs USING (run_id)
            WHERE coalesce(pipeline, '') IN (${pipeline:sqlstring}) AND $__timeFilter(started_at)
            ORDER BY started_at DESC LIMIT 500
        """),
        place=Place(24, 10), links={"run": RUN_LINK}, hidden=("from_ms", "to_ms"),
    )  # fmt: skip
