"""Run: one run in depth. When its tasks ran, where their time went, what they were made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.export.grafana.source.panels import (
    HALF,
    WHOLE,
    Place,
    bars,
    figures,
    gantt,
    league,
    lines,
    page,
    rows_of,
)
from tracer_hooks.export.grafana.source.queries import (
    POSTGRES,
    postgres_source,
    series_sql,
    sql_choice,
    sql_variable,
    table_sql,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard

    from tracer_hooks.export.grafana.source.panels import Panel

_RUN = "run_id = ${run:sqlstring}"
_GANTT_LINES = 400


def run() -> Dashboard:
    """The page."""
    board = page(
        "tracer-run", "Run", "One run, from PostgreSQL (`tracer-hooks export postgres`). Choose"
        " the time range that it ran in, or come by a link of another page, which does.",
    )  # fmt: skip
    board = board.time("now-24h", "now").with_variable(postgres_source())
    board = board.with_variable(
        sql_variable("pipeline", "Pipeline", """
            SELECT DISTINCT coalesce(pipeline, '') FROM tracer_hooks.runs ORDER BY 1
        """)
    )  # fmt: skip
    board = board.with_variable(
        sql_choice("run", "Run", """
            SELECT run_id AS __value,
                to_char(started_at, 'YYYY-MM-DD HH24:MI') || '  ' || coalesce(pipeline, '')
                    || '  ' || run_id AS __text
            FROM tracer_hooks.runs
            WHERE coalesce(pipeline, '') IN (${pipeline:sqlstring})
            ORDER BY started_at DESC NULLS LAST
        """)
    )  # fmt: skip
    for panel in (_summary(), _gantt(), _waits(), _tasks_now(), _cores(), _memory(), _steps(),
                  _tools(), _tool_costs(), _slowest(), _events()):  # fmt: skip
        board = board.with_panel(panel)
    return board


def _summary() -> Panel:
    return figures(
        "The run", "CPU time, memory and cost are of all attempts, failed ones too.", POSTGRES,
        {"wall time": "s", "CPU time": "s", "largest peak": "bytes", "cores busy": "none"},
        table_sql(f"""
            SELECT runs.status, runs.wall_s AS "wall time", runs.task_count AS tasks,
                runs.attempt_count AS attempts, runs.failed_count AS failed,
                runs.cpu_s AS "CPU time", runs.cpu_s / nullif(runs.wall_s, 0) AS "cores busy",
                (SELECT max(memory_peak_bytes) FROM tracer_hooks.tasks WHERE {_RUN})
                    AS "largest peak",
                costs.allocated AS cost, costs.idle AS "idle cost", costs.currency
            FROM tracer_hooks.runs AS runs LEFT JOIN tracer_hooks.run_costs AS costs USING (run_id)
            WHERE runs.{_RUN}
        """),
        place=Place(24, 4),
    )  # fmt: skip


def _gantt() -> Panel:
    return gantt(
        "Tasks over time",
        f"A line for each task, its attempts one after the other; the {_GANTT_LINES} longest.",
        POSTGRES,
        table_sql(f"""
            WITH shown AS (
                SELECT started_at, coalesce(task_name, task_id) AS task, status, wall_s,
                    coalesce(ended_at, started_at + make_interval(secs => wall_s)) AS ended_at
                FROM tracer_hooks.tasks
                WHERE {_RUN} AND started_at IS NOT NULL
                ORDER BY wall_s DESC NULLS LAST LIMIT {_GANTT_LINES}
            )
            SELECT started_at AS time, task, status AS state FROM shown
            UNION ALL
            SELECT ended_at, task, NULL FROM shown WHERE ended_at IS NOT NULL
            ORDER BY time
        """),
        "task", Place(24, 14),
    )  # fmt: skip


def _waits() -> Panel:
    return rows_of(
        "Where the wall time went", "By step; what it waited for, as a share of its wall time.",
        POSTGRES,
        dict.fromkeys(("on CPU", "ready", "disk", "network", "idle"), "percentunit")
        | {"wall time": "s"},
        table_sql(f"""
            SELECT coalesce(step, '') AS step, sum(wall_s) AS "wall time",
                sum(wall_cpu_s) / nullif(sum(wall_s), 0) AS "on CPU",
                sum(wall_runnable_s) / nullif(sum(wall_s), 0) AS ready,
                sum(wall_disk_s) / nullif(sum(wall_s), 0) AS disk,
                sum(wall_network_s) / nullif(sum(wall_s), 0) AS network,
                sum(wall_idle_s) / nullif(sum(wall_s), 0) AS idle
            FROM tracer_hooks.tasks WHERE {_RUN}
            GROUP BY 1 ORDER BY 2 DESC NULLS LAST
        """),
        place=HALF,
    )  # fmt: skip


def _tasks_now() -> Panel:
    return bars(
        "Tasks at once, by step", "Attempts that were running at each moment.", POSTGRES, "short",
        series_sql(f"""
            SELECT moment AS time, coalesce(step, '') AS metric, count(*) AS tasks
            FROM generate_series($__timeFrom()::timestamptz, $__timeTo()::timestamptz,
                    make_interval(secs => greatest($__interval_ms / 1000.0, 1))) AS moment
            JOIN tracer_hooks.tasks ON started_at <= moment
                AND moment < coalesce(ended_at, started_at + make_interval(secs => wall_s))
            WHERE {_RUN}
            GROUP BY 1, 2 ORDER BY 1
        """),
    )  # fmt: skip


def _cores() -> Panel:
    return lines(
        "Cores in use, by step", "CPU seconds a second, between the readings of each attempt.",
        POSTGRES, "short",
        series_sql(f"""
            SELECT $__timeGroup(at, $__interval) AS time, step AS metric,
                sum(grown_s) / greatest($__interval_ms / 1000.0, 1) AS cores
            FROM (
                SELECT readings.at, coalesce(tasks.step, '') AS step,
                    greatest(readings.cpu_s - coalesce(
                        lag(readings.cpu_s) OVER (
                            PARTITION BY readings.spool ORDER BY readings.elapsed_s), 0), 0)
                        AS grown_s
                FROM tracer_hooks.readings JOIN tracer_hooks.tasks USING (run_id, spool)
                WHERE {_RUN} AND readings.process_id IS NULL
            ) AS grown
            WHERE $__timeFilter(at)
            GROUP BY 1, 2 ORDER BY 1
        """),
        stacked=True,
    )  # fmt: skip


def _memory() -> Panel:
    return lines(
        "Memory in use, by step", "Of all attempts that ran at the time.", POSTGRES, "bytes",
        series_sql(f"""
            SELECT time, step AS metric, sum(used) AS bytes
            FROM (
                SELECT $__timeGroup(readings.at, $__interval) AS time,
                    coalesce(tasks.step, '') AS step, spool, avg(readings.memory_bytes) AS used
                FROM tracer_hooks.readings JOIN tracer_hooks.tasks USING (run_id, spool)
                WHERE {_RUN} AND readings.process_id IS NULL AND $__timeFilter(readings.at)
                GROUP BY 1, 2, 3
            ) AS each
            GROUP BY 1, 2 ORDER BY 1
        """),
        stacked=True,
    )  # fmt: skip


def _steps() -> Panel:
    return rows_of(
        "Steps", "The verdict is that of most of the step's wall time (docs/verdicts.md).",
        POSTGRES,
        {"wall time": "s", "CPU time": "s", "largest peak": "bytes", "memory asked": "bytes"},
        table_sql(f"""
            SELECT coalesce(step, '') AS step, count(DISTINCT task_id) AS tasks,
                count(*) FILTER (WHERE status IN ('failed', 'lost')) AS failed,
                sum(wall_s) AS "wall time", sum(cpu_s) AS "CPU time",
                max(cpus_requested) AS "cores asked",
                sum(cpu_s) / nullif(sum(wall_s), 0) AS "cores used",
                max(memory_requested_bytes) AS "memory asked",
                max(memory_peak_bytes) AS "largest peak", sum(allocated) AS cost,
                sum(over_requested) AS "asked too much",
                (array_agg(verdict ORDER BY wall_s DESC NULLS LAST))[1] AS "verdict of the longest",
                max(currency) AS currency
            FROM tracer_hooks.attempts WHERE {_RUN}
            GROUP BY 1 ORDER BY "wall time" DESC NULLS LAST
        """),
        place=Place(24, 9),
    )  # fmt: skip


def _tools() -> Panel:
    return league(
        "CPU time by tool", "Programs as people name them.", POSTGRES, "s",
        table_sql(f"""
            SELECT coalesce(tool, '') AS tool, sum(cpu_s) AS "CPU time"
            FROM tracer_hooks.tools WHERE {_RUN}
            GROUP BY 1 ORDER BY 2 DESC NULLS LAST LIMIT 25
        """),
    )  # fmt: skip


def _tool_costs() -> Panel:
    return rows_of(
        "Cost by tool", "`(unattributed)`: what no named process accounts for.", POSTGRES, {},
        table_sql(f"""
            SELECT tool, allocated AS cost, useful, headroom,
                over_requested AS "asked too much", failed, currency
            FROM tracer_hooks.tool_costs WHERE {_RUN} ORDER BY 2 DESC NULLS LAST
        """),
        place=HALF,
    )  # fmt: skip


def _slowest() -> Panel:
    return rows_of(
        "Attempts", "The longest first, with what held them back and what would help.", POSTGRES,
        {"wall time": "s", "CPU time": "s", "peak": "bytes", "memory asked": "bytes",
         "idle": "percentunit", "disk": "percentunit", "network": "percentunit"},
        table_sql(f"""
            SELECT coalesce(task_name, task_id) AS task, step, attempt, status, failure_cause,
                host, started_at AS started, wall_s AS "wall time", cpu_s AS "CPU time",
                cores_mean AS "cores used", cpus_requested AS "cores asked",
                memory_peak_bytes AS peak, memory_requested_bytes AS "memory asked",
                wall_disk_s / nullif(wall_s, 0) AS disk,
                wall_network_s / nullif(wall_s, 0) AS network,
                wall_idle_s / nullif(wall_s, 0) AS idle, verdict, advice,
                allocated AS cost, currency, capture
            FROM tracer_hooks.attempts WHERE {_RUN}
            ORDER BY wall_s DESC NULLS LAST LIMIT 500
        """),
        place=Place(24, 12),
    )  # fmt: skip


def _events() -> Panel:
    return rows_of(
        "Events", "Out of memory, signals, throttling, what could not be observed, marks.",
        POSTGRES, {},
        table_sql(f"""
            SELECT at AS time, kind, task_id AS task, attempt, detail
            FROM tracer_hooks.events WHERE {_RUN} ORDER BY at DESC NULLS LAST LIMIT 500
        """),
        place=WHOLE,
    )  # fmt: skip
