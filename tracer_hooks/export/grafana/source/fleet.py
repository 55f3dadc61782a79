"""Fleet: what runs now, what it waits for, what it costs an hour, what fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.export.grafana.source.panels import (
    THIRD,
    Place,
    bars,
    figures,
    lines,
    page,
    row,
    rows_of,
)
from tracer_hooks.export.grafana.source.queries import (
    PROMETHEUS,
    prom,
    prom_now,
    prom_table,
    prom_variable,
    prometheus_source,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard

_P = 'pipeline=~"$pipeline"'


def fleet() -> Dashboard:
    """The page."""
    board = page(
        "tracer-fleet", "Fleet", "Everything that runs under tracer-hooks now. Ask `serve` for it."
    )
    board = board.refresh("15s").time("now-1h", "now").with_variable(prometheus_source())
    board = board.with_variable(
        prom_variable("pipeline", "Pipeline", "label_values(tracer_task_started_total, pipeline)")
    )
    return _trouble(_use(_now(board)))


def _now(board: Dashboard) -> Dashboard:
    stats = figures(
        "Now", "Runs and tasks that go on, the cores and memory that they asked for and use,"
        " attempts that failed or were lost within the hour, and what tasks that ended within the"
        " hour cost.",
        PROMETHEUS, {"memory used": "bytes", "memory requested": "bytes"},
        prom_now(f"sum(tracer_run_active{{{_P}}})", "runs", "A"),
        prom_now(f"sum(tracer_task_active{{{_P}}})", "tasks", "B"),
        prom_now(f"sum(tracer_task_requested_cores{{{_P}}})", "cores requested", "C"),
        prom_now(f"sum(tracer_task_used_cores{{{_P}}})", "cores used", "D"),
        prom_now(f"sum(tracer_task_requested_memory_bytes{{{_P}}})", "memory requested", "E"),
        prom_now(f"sum(tracer_task_memory_usage_bytes{{{_P}}})", "memory used", "F"),
        prom_now(
            f'sum(increase(tracer_task_attempts_total{{{_P}, status=~"failed|lost"}}[1h]))',
            "failed, 1 h", "G",
        ),
        prom_now(
            f"sum by (currency) (increase(tracer_task_cost_total{{{_P}}}[1h]))",
            "{{currency}}, 1 h", "H",
        ),
        place=Place(24, 5),
    )  # fmt: skip
    running = lines(
        "Tasks that run", "By pipeline and step.", PROMETHEUS, "short",
        prom(f"sum by (pipeline, step) (tracer_task_active{{{_P}}})", "{{pipeline}} {{step}}"),
        stacked=True,
    )  # fmt: skip
    waiting = lines(
        "What they wait for", "Each running task by where most of its time went between its last"
        " two readings: a host's figures cannot tell these apart.",
        PROMETHEUS, "short",
        prom(f"sum by (state) (tracer_task_waiting{{{_P}}})", "{{state}}"), stacked=True,
    )  # fmt: skip
    return board.with_panel(stats).with_panel(running).with_panel(waiting)


def _use(board: Dashboard) -> Dashboard:
    cores = lines(
        "Cores: asked for, used, idle", "Idle: held by tasks that use less than a tenth of what"
        " they asked for.", PROMETHEUS, "short",
        prom(f"sum(tracer_task_requested_cores{{{_P}}})", "requested", "A"),
        prom(f"sum(tracer_task_used_cores{{{_P}}})", "used", "B"),
        prom(f"sum(tracer_task_idle_cores{{{_P}}})", "held idle", "C"), place=THIRD,
    )  # fmt: skip
    memory = lines(
        "Memory: asked for, used", "Of all running tasks.", PROMETHEUS, "bytes",
        prom(f"sum(tracer_task_requested_memory_bytes{{{_P}}})", "requested", "A"),
        prom(f"sum(tracer_task_memory_usage_bytes{{{_P}}})", "used", "B"), place=THIRD,
    )  # fmt: skip
    cost = lines(
        "Cost an hour", "Of tasks that ended, by what became of it (docs/cost.md).",
        PROMETHEUS, "short",
        prom(
            f"sum by (part) (rate(tracer_task_cost_total{{{_P}}}[$__rate_interval])) * 3600",
            "{{part}}",
        ),
        stacked=True, place=THIRD,
    )  # fmt: skip
    return board.with_panel(cores).with_panel(memory).with_panel(cost)


def _trouble(board: Dashboard) -> Dashboard:
    failures = bars(
        "Failures by cause", "Attempts that did not succeed.", PROMETHEUS, "short",
        prom(
            f"sum by (cause) (increase(tracer_task_failures_total{{{_P}}}[$__rate_interval]))",
            "{{cause}}",
        ),
        place=THIRD,
    )  # fmt: skip
    killed = lines(
        "Memory against its limit", "Of the running task of each step that is nearest to it.",
        PROMETHEUS, "percentunit",
        prom(f"max by (step, host) (tracer_task_memory_limit_ratio{{{_P}}})", "{{step}} {{host}}"),
        place=THIRD,
    )  # fmt: skip
    progress = lines(
        "Since the last progress", "In CPU, I/O or network, of the running task of each step that"
        " has waited longest.", PROMETHEUS, "s",
        prom(
            f"max by (step, host) (tracer_task_progress_age_seconds{{{_P}}})", "{{step}} {{host}}"
        ),
        place=THIRD,
    )  # fmt: skip
    steps = rows_of(
        "Attempts that ended, by step", "Within the time range.", PROMETHEUS, {"Value": "short"},
        prom_table(
            "sum by (pipeline, step, status)"
            f" (increase(tracer_task_attempts_total{{{_P}}}[$__range])) > 0"
        ),
        place=Place(12),
    )  # fmt: skip
    alerts = rows_of(
        "Alerts", "Of these rules, pending and firing. The rules also look at what this page does"
        " not show.", PROMETHEUS, {},
        prom_table('ALERTS{alertname=~"Tracer.*"}'), place=Place(12),
    )  # fmt: skip
    own = lines(
        "serve itself", "What serving costs, and how old its figures are.", PROMETHEUS, "short",
        prom("rate(tracer_serve_cpu_time_seconds_total[$__rate_interval])", "cores", "A"),
        prom("time() - tracer_serve_last_look_timestamp_seconds", "age of figures, s", "B"),
        prom("sum by (group) (tracer_serve_groups_folded)", "{{group}} folded", "C"),
        place=Place(24, 6),
    )  # fmt: skip
    board = board.with_panel(failures).with_panel(killed).with_panel(progress)
    board = board.with_panel(steps).with_panel(alerts)
    return board.with_row(row("tracer-hooks")).with_panel(own)
