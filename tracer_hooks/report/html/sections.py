"""What the page says in words and tables, as rows of text for the templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.attempts import WAITS
from tracer_hooks.analysis.tables import records
from tracer_hooks.report import failures as failed
from tracer_hooks.report.cost import money
from tracer_hooks.report.headline import leftover, lower_bound, network_of, networked, processes
from tracer_hooks.report.points import points
from tracer_hooks.report.text import fit
from tracer_hooks.report.units import (
    UNKNOWN,
    asked,
    cores,
    count,
    cpu_time,
    duration,
    number,
    percent,
    size,
)
from tracer_hooks.report.verdict_text import step_verdicts, titled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.summary import RunReport

MAX_STEPS = 200
MAX_TOOLS = 100
MAX_FAILURES = 30
MAX_EXAMPLES = 6
MAX_TREE = 60
_NAME = 120
# Columns that paper has no room for.
_MINOR = ("Read", "Written", "Received", "Sent", "Processes")
_STATES = {
    "cpu": "on CPU",
    "runnable": "waiting for a free core",
    "disk": "blocked on disk",
    "network": "waiting for the network",
    "idle": "idle",
}
# What a point is about, in a word or two; of verdicts it is their title.
_ABOUT = {
    "attempts_failed": "Failures",
    "attempts_lost": "Failures",
    "attempts_cancelled": "Cancelled",
    "out_of_memory": "Out of memory",
    "cores_unused": "Unused cores",
    "blocked_on_disk": "Disk",
    "waited_for_network": "Network",
    "idle": "Idle",
    "waited_for_core": "Contention",
    "short_helpers": "Short helpers",
    "memory_unused": "Unused memory",
    "memory_tight": "Tight memory",
    "cpu_unattributed": "Unnamed CPU",
    "host_against_tasks": "Host and tasks",
}


def findings(report: RunReport) -> list[dict[str, Any]]:
    """`about`, `subject`, `said`, `advice` and `bad` of each point."""
    return [
        {
            "about": _ABOUT.get(point.kind, titled(point.kind).capitalize()),
            "subject": point.subject, "said": point.said, "advice": point.advice,
            "bad": point.kind.startswith("attempts_") or point.kind == "out_of_memory",
        }
        for point in points(report)
    ]  # fmt: skip


def contrast(report: RunReport) -> dict[str, Any] | None:
    """What the hosts did beside what the tasks did; None where the hosts were not read."""
    hosts = report.hosts
    if hosts["busy_share"] is None:
        return None
    return {
        "host_count": hosts["host_count"],
        "busy": percent(hosts["busy_share"]),
        "iowait": percent(hosts["iowait_share"]),
    }


def steps(report: RunReport) -> dict[str, Any]:
    """`titles` and `rows`; a row has `name`, `verdict`, `shares`, `filled` (0 to 1), `cells`."""
    network, rows = networked(report), []
    verdicts = {one.step: one for one in step_verdicts(report, MAX_STEPS)}
    prices = _by_step(report.cost.steps if report.cost else None, "allocated")
    shown = records(report.steps.head(MAX_STEPS))
    longest = max((row["wall_s"] or 0.0 for row in shown), default=0.0)
    for row in shown:
        cells = [
            _tasks_of(row), lower_bound(row, cpu_time(row["cpu_s"])),
            _of(cores(row["cores_mean"]), asked(number(row["cpus_requested"]))),
            _of(size(row["memory_peak_bytes"]), asked(size(row["memory_requested_bytes"]))),
            size(row["disk_read_bytes"]), size(row["disk_write_bytes"]),
            *(network_of(row) if network else []), processes(row),
        ]  # fmt: skip
        if prices:
            cells.insert(1, money(prices.get(row["step"]), _currency(report)))
        known = row["cpu_share"] is not None
        rows.append({
            "name": fit(row["step"], _NAME), "verdict": verdicts.get(row["step"]),
            "wall": duration(row["wall_s"]), "cells": cells,
            "filled": (row["wall_s"] or 0.0) / longest if longest else 0.0,
            "shares": [(p, row[f"{p}_share"]) for p in WAITS] if known else [],
            "spoken": _spoken(row) if known else "not measured",
        })  # fmt: skip
    titles = ["Tasks", "CPU time", "Cores used", "Memory peak", "Read", "Written",
              *(["Received", "Sent"] if network else []), "Processes"]  # fmt: skip
    if prices:
        titles.insert(1, "Cost")
    return {"titles": titles, "rows": rows, "minor": _MINOR, "more": len(report.steps) - len(rows)}


def tools(report: RunReport) -> dict[str, Any]:
    """`rows` of `name`, `share`, `cells`; last the CPU of no named process, with no `name`."""
    named = report.tools[report.tools["kind"] == "tool"]
    shown = [
        *records(named.head(MAX_TOOLS)),
        *records(report.tools[report.tools["kind"] != "tool"]),
    ]
    rows = []
    for row in shown:
        cpu, share = leftover(row["cpu_s"]), leftover(row["cpu_share"])
        rows.append({
            "name": fit(row["tool"], _NAME) if row["kind"] == "tool" else None,
            "share": share,
            "cells": [
                duration(cpu), percent(share), count(row["count"]), count(row["short_count"]),
                duration(row["wall_s"]), size(row["memory_peak_bytes"]),
                size(row["disk_read_bytes"]), size(row["disk_write_bytes"]),
            ],
        })  # fmt: skip
    return {"rows": rows, "more": max(0, len(named) - MAX_TOOLS)}


def failures(report: RunReport) -> dict[str, Any]:
    """`titles`, `rows` of `(status, cells)`, what they took, and `examples` with their evidence."""
    rows = failed.group_rows(report)
    return {
        "titles": failed.TITLES,
        "rows": rows[:MAX_FAILURES],
        "more": max(0, len(rows) - MAX_FAILURES),
        "spent": failed.spent(report),
        "examples": failed.examples(report, MAX_EXAMPLES),
        "retries": failed.retry_lines(report),
    }


def tree_table(tree: dict[str, Any]) -> dict[str, Any]:
    """The treemap as a table, for who does not see it."""
    unit = tree["unit"]

    def amount(value: float) -> str:
        return duration(value) if unit == "cpu" else money(value, unit)

    rows = [
        (step["name"], tool, amount(value))
        for step in tree["steps"]
        for tool, value in (step["tools"] or [("", step["value"])])
    ]
    total = sum(step["value"] for step in tree["steps"])
    return {"unit": unit, "rows": rows[:MAX_TREE], "more": max(0, len(rows) - MAX_TREE),
            "total": amount(total) if tree["steps"] else UNKNOWN}  # fmt: skip


def _tasks_of(row: Mapping[str, Any]) -> str:
    bad = row["failed_count"] + row["lost_count"]
    return count(row["count"]) + (f" ({count(bad)} failed)" if bad else "")


def _of(used: str, request: str) -> str:
    return used if request == UNKNOWN else f"{used} of {request}"


def _spoken(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{_STATES[part]} {percent(row[f'{part}_share'])}" for part in WAITS)


def _by_step(frame: Any, column: str) -> dict[Any, Any]:
    if frame is None:
        return {}
    rows = records(frame if "step" in frame.columns else frame.reset_index())
    return {row["step"]: row[column] for row in rows if row.get(column) is not None}


def _currency(report: RunReport) -> str | None:
    return report.cost.run["currency"] if report.cost else None
