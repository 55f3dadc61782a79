"""Tool league: which programs use what, over all runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.export.grafana.source.panels import Place, bars, league, page, rows_of
from tracer_hooks.export.grafana.source.queries import (
    POSTGRES,
    postgres_source,
    series_sql,
    sql_variable,
    table_sql,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard

    from tracer_hooks.export.grafana.source.panels import Panel
    from tracer_hooks.export.grafana.source.queries import Query

_FROM = """FROM tracer_hooks.tools AS p JOIN tracer_hooks.tasks AS t USING (run_id, spool)
                WHERE coalesce(t.pipeline, '') IN (${pipeline:sqlstring})
                    AND $__timeFilter(t.started_at)"""


def tools() -> Dashboard:
    """The page."""
    board = page(
        "tracer-tools", "Tool league",
        "Programs as people name them, over all runs in the time range.",
    )  # fmt: skip
    board = board.time("now-30d", "now").with_variable(postgres_source())
    board = board.with_variable(
        sql_variable("pipeline", "Pipeline", """
            SELECT DISTINCT coalesce(pipeline, '') FROM tracer_hooks.runs ORDER BY 1
        """)
    )  # fmt: skip
    for panel in (*_leagues(), _over_time(), _all(), _where()):
        board = board.with_panel(panel)
    return board


def _leagues() -> list[Panel]:
    return [
        league(title, about, POSTGRES, unit, _best(value, name), place=Place(8, 12))
        for title, about, unit, value, name in (
            ("CPU time", "Of the processes of each tool.", "s", "sum(p.cpu_s)", "CPU time"),
            ("Processes", "Every one, the shortest too.", "short", "sum(p.count)", "processes"),
            ("Disk", "Bytes read from and written to devices.", "bytes",
             "sum(coalesce(p.disk_read_bytes, 0) + coalesce(p.disk_write_bytes, 0))", "bytes"),
        )
    ]  # fmt: skip


def _best(value: str, name: str) -> Query:
    return table_sql(f"""
            SELECT coalesce(p.tool, '') AS tool, {value} AS "{name}"
                {_FROM}
            GROUP BY 1 ORDER BY 2 DESC NULLS LAST LIMIT 25
    """)


def _over_time() -> Panel:
    return bars(
        "CPU time of tools over time", "Of attempts by when they began; the ten largest.",
        POSTGRES, "s",
        series_sql(f"""
            WITH largest AS (
                SELECT p.tool
                {_FROM}
                GROUP BY 1 ORDER BY sum(p.cpu_s) DESC NULLS LAST LIMIT 10
            )
            SELECT $__timeGroup(t.started_at, $__interval) AS time,
                coalesce(p.tool, '') AS metric, sum(p.cpu_s) AS seconds
                {_FROM}
                AND p.tool IN (SELECT tool FROM largest)
            GROUP BY 1, 2 ORDER BY 1
        """),
        place=Place(24, 8),
    )  # fmt: skip


def _all() -> Panel:
    return rows_of(
        "Tools", "Wall time is the sum of processes' lifetimes. Short: gone before the next poll.",
        POSTGRES,
        {"CPU time": "s", "wall time": "s", "largest peak": "bytes", "read": "bytes",
         "written": "bytes", "short": "percentunit", "share of CPU": "percentunit"},
        table_sql(f"""
            WITH used AS (
                SELECT coalesce(p.tool, '') AS tool, count(DISTINCT run_id) AS runs,
                    count(DISTINCT t.step) AS steps, sum(p.count) AS processes,
                    sum(p.short_count)::float8 / nullif(sum(p.count), 0) AS short,
                    sum(p.cpu_s) AS cpu_s, sum(p.wall_s) AS wall_s,
                    max(p.memory_peak_bytes) AS peak, sum(p.disk_read_bytes) AS read,
                    sum(p.disk_write_bytes) AS written
                {_FROM}
                GROUP BY 1
            ), costs AS (
                SELECT tool, sum(c.allocated) AS cost, max(c.currency) AS currency
                FROM tracer_hooks.tool_costs AS c JOIN tracer_hooks.runs AS r USING (run_id)
                WHERE coalesce(r.pipeline, '') IN (${{pipeline:sqlstring}})
                    AND $__timeFilter(r.started_at)
                GROUP BY 1
            )
            SELECT tool, runs, steps, processes, short, cpu_s AS "CPU time",
                cpu_s / nullif(sum(cpu_s) OVER (), 0) AS "share of CPU", wall_s AS "wall time",
                peak AS "largest peak", read, written, cost, currency
            FROM used LEFT JOIN costs USING (tool) ORDER BY cpu_s DESC NULLS LAST
        """),
        place=Place(24, 12),
    )  # fmt: skip


def _where() -> Panel:
    return rows_of(
        "Where tools are used", "By step: helpers that cost more than the program they help.",
        POSTGRES, {"CPU time": "s"},
        table_sql(f"""
            SELECT coalesce(t.pipeline, '') AS pipeline, coalesce(t.step, '') AS step,
                coalesce(p.tool, '') AS tool, sum(p.count) AS processes, sum(p.cpu_s) AS "CPU time"
                {_FROM}
            GROUP BY 1, 2, 3 ORDER BY 5 DESC NULLS LAST LIMIT 500
        """),
        place=Place(24, 10),
    )  # fmt: skip
