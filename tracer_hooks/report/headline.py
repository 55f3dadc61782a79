"""A run in a few words: its name, how it went, and the figures one asks for first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.report.text import fit
from tracer_hooks.report.units import (
    UNKNOWN,
    cores,
    count,
    cpu_time,
    duration,
    moment,
    plural,
    size,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tracer_hooks.analysis.summary import RunReport


def title(report: RunReport) -> tuple[str, list[str]]:
    """The pipeline's name (or the run's), and what else names the run."""
    run = report.run
    engine = " ".join(fit(run[key], 30) for key in ("engine", "engine_version") if run[key])
    name = fit(run["pipeline"] or run["run_id"], 60)
    return name, [engine] if engine else []


def outcome(report: RunReport) -> str:
    """Which run it was, when, by whom and where, as far as that is known."""
    run, hosts = report.run, report.totals["host_count"]
    where = fit(run["host"], 30) if run["host"] and hosts <= 1 else plural(hosts, "host")
    # Of a run of no pipeline the title is its id.
    parts = [f"run {fit(run['run_id'], 48)}"] if run["pipeline"] else []
    if run["started_at"] is not None:
        parts.append(moment(run["started_at"]))
    if hosts or run["host"]:
        parts.append((f"{fit(run['user'], 24)} on " if run["user"] else "") + where)
    return " · ".join(parts)


def facts(report: RunReport) -> list[tuple[str, str]]:
    """Pairs of a figure and what it is, the most important first."""
    totals = report.totals
    read, written = size(totals["disk_read_bytes"]), size(totals["disk_write_bytes"])
    wall = report.run["wall_s"]
    tiles = [
        (duration(wall), "wall time"),
        (plural(totals["count"], "task"), ended(totals)),
        (lower_bound(totals, cpu_time(totals["cpu_s"])), "CPU time"),
        (cores(busy(report)), "cores busy"),
        (size(totals["memory_peak_bytes"]), "peak memory"),
        (f"{read} / {written}", "read / written"),
    ]
    if networked(report):
        tiles.append((" / ".join(network_of(totals)), " / ".join(NETWORK)))
    return tiles


def ended(totals: Mapping[str, Any]) -> str:
    """How the tasks ended: `all succeeded`, or the counts of what is not so; then retries."""
    count_, good = totals["count"], totals["succeeded_count"]
    bad = [
        f"{count(totals[f'{status}_count'])} {status}"
        for status in ("failed", "lost", "cancelled", "running")
        if totals[f"{status}_count"]
    ]
    if count_ and good == count_:
        bad = ["all succeeded"]
    again = totals["attempt_count"] - count_
    if again > 0:
        bad.append(f"{plural(again, 'retry', 'retries')}")
    return ", ".join(bad) or UNKNOWN


def lower_bound(row: Mapping[str, Any], text: str) -> str:
    """`text`, marked with ≥ where some attempts have no CPU figure."""
    return "≥" + text if 0 < row["cpu_measured_count"] < row["attempt_count"] else text


def leftover(cpu_s: float | None) -> float | None:
    """The CPU of no named process, or its share, as people read it: where processes' own clocks ran
    a little ahead of the kernel's totals the difference is below zero, and nothing is left over.
    Nor is what sums of many figures differ by."""
    return None if cpu_s is None else max(0.0, round(cpu_s, _MICRO))


NETWORK = ("received", "sent")
_MICRO = 6


def networked(report: RunReport) -> bool:
    """Whether any byte on the network was seen: columns of noughts tell nothing."""
    return any(report.totals[f"network_{way}_bytes"] for way in ("rx", "tx"))


def network_of(row: Mapping[str, Any]) -> list[str]:
    """Bytes received and sent."""
    return [size(row["network_rx_bytes"]), size(row["network_tx_bytes"])]


def processes(row: Mapping[str, Any]) -> str:
    """How many processes there were: a count, or `at most` so many where only a bound is known."""
    text = count(row["process_count"])
    return f"at most {text}" if row["process_estimated_count"] else text


def busy(report: RunReport) -> float | None:
    """How many cores the run kept busy on average, over its own wall time."""
    wall, cpu = report.run["wall_s"], report.totals["cpu_s"]
    return cpu / wall if wall and cpu is not None else None
