"""Dashboard against execution: the host as a dashboard sees it, and what ran there meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.export.grafana.source.panels import THIRD, lines, page, row
from tracer_hooks.export.grafana.source.queries import (
    PROMETHEUS,
    prom,
    prom_variable,
    prometheus_source,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard

_T = 'host=~"$host"'
# node_exporter's own label is the address that it was scraped at; the host's name is in its info.
_ON = 'on (instance) group_left (nodename) node_uname_info{nodename=~"$host"}'


def beside() -> Dashboard:
    """The page."""
    board = page(
        "tracer-beside", "Dashboard against execution",
        "Above: what node_exporter shows of the hosts. Below: what ran there, and what it waited"
        " for. The two tell the same time by the same clock.",
    )  # fmt: skip
    board = board.refresh("15s").time("now-1h", "now").with_variable(prometheus_source())
    board = board.with_variable(
        prom_variable("host", "Host", "label_values(node_uname_info, nodename)")
    )
    return _execution(_host(board))


def _host(board: Dashboard) -> Dashboard:
    cpu = lines(
        "CPU of the host", "Busy cores by mode.", PROMETHEUS, "short",
        prom(
            'sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[$__rate_interval])'
            f" * {_ON})", "{{mode}}",
        ),
        stacked=True, place=THIRD,
    )  # fmt: skip
    memory = lines(
        "Memory of the host", "In use: not available to new programs.", PROMETHEUS, "bytes",
        prom(
            "sum((node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes)"
            f" * {_ON})", "in use", "A",
        ),
        prom(f"sum(node_memory_MemTotal_bytes * {_ON})", "all", "B"),
        place=THIRD,
    )  # fmt: skip
    io = lines(
        "Disk and network of the host", "All devices but loopback.", PROMETHEUS, "Bps",
        prom(f"sum(rate(node_disk_read_bytes_total[$__rate_interval]) * {_ON})", "read", "A"),
        prom(f"sum(rate(node_disk_written_bytes_total[$__rate_interval]) * {_ON})", "written", "B"),
        prom(
            'sum(rate(node_network_receive_bytes_total{device!="lo"}[$__rate_interval])'
            f" * {_ON})", "received", "C",
        ),
        prom(
            'sum(rate(node_network_transmit_bytes_total{device!="lo"}[$__rate_interval])'
            f" * {_ON})", "sent", "D",
        ),
        place=THIRD,
    )  # fmt: skip
    board = board.with_row(row("The dashboard: node_exporter"))
    return board.with_panel(cpu).with_panel(memory).with_panel(io)


def _execution(board: Dashboard) -> Dashboard:
    rate = "[$__rate_interval]"
    cpu = lines(
        "Cores by step", "What the busy cores above were busy with.", PROMETHEUS, "short",
        prom(
            f"sum by (pipeline, step) (rate(tracer_task_cpu_time_seconds_total{{{_T}}}{rate}))",
            "{{pipeline}} {{step}}",
        ),
        stacked=True, place=THIRD,
    )  # fmt: skip
    memory = lines(
        "Memory by step", "Of running tasks.", PROMETHEUS, "bytes",
        prom(
            f"sum by (pipeline, step) (tracer_task_memory_usage_bytes{{{_T}}})",
            "{{pipeline}} {{step}}",
        ),
        stacked=True, place=THIRD,
    )  # fmt: skip
    io = lines(
        "Disk and network by step", "Bytes to and from devices, and over TCP.", PROMETHEUS, "Bps",
        prom(
            "sum by (step, direction)"
            f" (rate(tracer_task_disk_io_bytes_total{{{_T}}}{rate})) > 0",
            "{{step}} {{direction}}", "A",
        ),
        prom(
            "sum by (step, direction)"
            f" (rate(tracer_task_network_io_bytes_total{{{_T}}}{rate})) > 0",
            "{{step}} {{direction}}", "B",
        ),
        place=THIRD,
    )  # fmt: skip
    waits = lines(
        "Where the wall time of tasks went", "Task-seconds a second. Disk, network and idle are"
        " time in which a host looks free.", PROMETHEUS, "short",
        prom(
            f"sum by (state) (rate(tracer_task_wall_time_seconds_total{{{_T}}}{rate}))", "{{state}}"
        ),
        stacked=True, place=THIRD,
    )  # fmt: skip
    held = lines(
        "Cores: held and used", "What tasks had asked for, and what they used of it.",
        PROMETHEUS, "short",
        prom(f"sum(tracer_task_requested_cores{{{_T}}})", "held", "A"),
        prom(f"sum(tracer_task_used_cores{{{_T}}})", "used", "B"), place=THIRD,
    )  # fmt: skip
    processes = lines(
        "Processes a second", "Of tasks that ended; most of the short ones are gone before a"
        " dashboard looks again.", PROMETHEUS, "short",
        prom(f"sum(rate(tracer_task_processes_total{{{_T}}}{rate}))", "all", "A"),
        prom(f"sum(rate(tracer_task_short_processes_total{{{_T}}}{rate}))", "short", "B"),
        place=THIRD,
    )  # fmt: skip
    tools = lines(
        "CPU by tool", "Of tasks that ended; all hosts.", PROMETHEUS, "short",
        prom(
            f"topk(15, sum by (tool) (rate(tracer_tool_cpu_time_seconds_total{rate})) > 0)",
            "{{tool}}",
        ),
        stacked=True,
    )  # fmt: skip
    lost = lines(
        "Seen and unseen", "Attempts of which something could not be observed, and kernel events"
        " that were lost.", PROMETHEUS, "short",
        prom(f"sum(tracer_task_capture_degraded{{{_T}}})", "running, degraded", "A"),
        prom(f"sum(rate(tracer_task_events_lost_total{{{_T}}}{rate}))", "events lost /s", "B"),
    )  # fmt: skip
    board = board.with_row(row("The execution: tracer-hooks"))
    for panel in (cpu, memory, io, waits, held, processes, tools, lost):
        board = board.with_panel(panel)
    return board
