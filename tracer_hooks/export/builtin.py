"""The export formats that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.export.exporter import LazyExporter, LazyRunsExporter
from tracer_hooks.export.sender import LazySender
from tracer_hooks.plugins import hookimpl

if TYPE_CHECKING:
    from tracer_hooks.export.exporter import Exporter, RunsExporter
    from tracer_hooks.export.sender import Sender


@hookimpl
def tracer_hooks_exporters() -> dict[str, Exporter | RunsExporter]:
    """Traces that open in ui.perfetto.dev and in speedscope; metrics for a Prometheus."""
    return {
        "perfetto": LazyExporter(
            "tracer_hooks.export.perfetto",
            "a trace for ui.perfetto.dev: a track per process, counters, moments",
            ".perfetto-trace",
        ),
        "speedscope": LazyExporter(
            "tracer_hooks.export.speedscope",
            "flame graphs for speedscope: CPU and wall time by step, task and process",
            ".speedscope.json",
        ),
        "openmetrics": LazyRunsExporter(
            "tracer_hooks.export.openmetrics",
            "metrics of finished runs with their times, for promtool and VictoriaMetrics",
            ".openmetrics",
        ),
    }


@hookimpl
def tracer_hooks_senders() -> dict[str, Sender]:
    """Tables in PostgreSQL, traces in a collector."""
    return {
        "otlp": LazySender(
            "tracer_hooks.export.otlp",
            "traces to an OpenTelemetry collector: run, task attempts, processes",
            "http://HOST:4318",
        ),
        "postgres": LazySender(
            "tracer_hooks.export.postgres",
            "tables in a PostgreSQL database, for Grafana and others",
            "postgresql://USER@HOST/DATABASE",
        ),
    }
