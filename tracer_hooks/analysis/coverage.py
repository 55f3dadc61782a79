"""How we know: by what means things were seen, what is missing, and what the looking cost."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import ibis

from tracer_hooks.analysis.attempts import attempts
from tracer_hooks.analysis.tables import Tables, frame, record, records, relations
from tracer_hooks.analysis.usage import counted_exactly

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Figures whose absence a reader must know of; attempts that still run have no totals yet.
_FIGURES = {
    "cpu": "cpu_s",
    "wall_parts": "wall_known_s",
    "memory": "memory_peak_bytes",
    "disk": "disk_read_bytes",
    "network": "network_rx_bytes",
    "processes": "process_count",
}
_SOURCES = ("capture", "memory_source", "network_source", "process_count_source")
_MAX_DEGRADED = 500


def coverage(tables: Tables) -> dict[str, Any]:
    """A dict of plain values; counts are of attempts unless the name says otherwise.

    `capture`, `memory_source`, `network_source`, `process_count_source`: how many attempts had
    which; `missing`: attempts without a figure, by figure; `degraded`: a list of
    `{what, why, attempt_count}`, most frequent first, where reasons that differ in big numbers
    only are one. Of the rows of processes: `process_row_count`, `only_name_count` (no command line
    is known) and `cpu_source_s`, the CPU seconds by how they were measured. Network bytes that no
    process accounts for: `network_unattributed_rx_bytes` and `…_tx_bytes`; those that may be
    others' and are not in the totals: `network_not_counted_rx_bytes` and `…_tx_bytes`.
    """
    t = relations(tables)
    a = attempts(t)
    result = record(_totals(a))
    missing = {figure: result.pop(f"missing_{figure}") for figure in _FIGURES}
    tools = t["tools"]
    folded = record(tools.agg(folded_process_count=tools.folded_count.sum()))
    sources = _sources(a)
    return {
        **result, **folded, "missing": missing, **sources, **_rows(t["processes"]),
        **record(_network_unattributed(t["events"])), "degraded": _degraded(t["events"]),
    }  # fmt: skip


def _rows(processes: ir.Table) -> dict[str, Any]:
    counted = processes.group_by("cpu_source").agg(
        rows=processes.count(),
        only_name=(processes.argv_source == "comm").sum().fill_null(0),
        cpu_s=processes.cpu_s.sum(),
    )
    found = records(frame(counted.order_by(ibis.desc("cpu_s"), "cpu_source")))  # a handful
    return {
        "process_row_count": sum(row["rows"] for row in found),
        "only_name_count": sum(row["only_name"] for row in found),
        "cpu_source_s": {
            row["cpu_source"] or "unknown": row["cpu_s"]
            for row in found
            if row["cpu_s"] is not None
        },
    }


def _network_unattributed(events: ir.Table) -> ir.Table:
    """Sums of what the events say; their detail may come from another version, or be broken."""
    lost = events.filter(events.kind == "network_unattributed")
    return lost.agg(
        **{
            f"network_{column}_{way}_bytes": lost.detail.re_extract(
                f'"{key}{way}_bytes": *([0-9]+)', 1
            )
            .try_cast("int64")
            .sum()
            for column, key in (("unattributed", ""), ("not_counted", "not_counted_"))
            for way in ("rx", "tx")
        }
    )


def _totals(a: ir.Table) -> ir.Table:
    attributed = a.cpu_unattributed_s.notnull() & a.cpu_s.notnull()
    watched = a.observer_cpu_s.notnull()
    return a.agg(
        attempt_count=a.count(),
        lost_count=(a.status == "lost").sum().fill_null(0),
        running_count=(a.status == "running").sum().fill_null(0),
        without_readings_count=(a.reading_count.fill_null(0) == 0).sum().fill_null(0),
        reading_count=a.reading_count.sum(),
        cpu_unattributed_s=a.cpu_unattributed_s.sum(),
        cpu_unattributed_share=a.cpu_unattributed_s.sum(where=attributed)
        / a.cpu_s.sum(where=attributed).nullif(0.0),
        process_count=a.process_count.sum(),
        short_process_count=a.short_process_count.sum(),
        process_exact_count=a.process_count.sum(where=counted_exactly(a)),
        short_process_exact_count=a.short_process_count.sum(where=counted_exactly(a)),
        process_bound_count=a.process_count.sum(where=~counted_exactly(a)),
        process_estimated_count=a.process_count.count(where=~counted_exactly(a)),
        events_lost=a.events_lost.sum(),
        observer_cpu_s=a.observer_cpu_s.sum(),
        # Of the CPU that the tasks used, and of one core for as long as they ran.
        observer_cpu_share=a.observer_cpu_s.sum() / a.cpu_s.sum(where=watched).nullif(0.0),
        observer_core_share=a.observer_cpu_s.sum() / a.wall_s.sum(where=watched).nullif(0.0),
        observer_memory_bytes=a.observer_memory_bytes.max(),
        **{
            f"missing_{figure}": a[column].isnull().sum().fill_null(0)
            for figure, column in _FIGURES.items()
        },
    )


def _sources(a: ir.Table) -> dict[str, dict[str, int]]:
    """By source column: how many attempts have which value, most frequent first; null left out."""
    counted = a.group_by(*_SOURCES).agg(attempt_count=a.count())
    rows = records(frame(counted.order_by(*_SOURCES)))
    tallies: dict[str, Counter[str]] = {column: Counter() for column in _SOURCES}
    for row in rows:  # combinations of sources, a handful
        for column in _SOURCES:
            if row[column] is not None:
                tallies[column][row[column]] += row["attempt_count"]
    return {column: dict(tally.most_common()) for column, tally in tallies.items()}


def _degraded(events: ir.Table) -> list[dict[str, Any]]:
    degraded = events.filter(events.kind == "degraded")
    attempt = ibis.coalesce(degraded.task_id, "") + "\0" + degraded.attempt.cast("string")
    # A rate or a size that differs from task to task would make a line for each.
    alike = degraded.detail.re_replace("[0-9]{4,}", "#")
    counted = degraded.group_by(alike=alike).agg(
        detail=degraded.detail.min(), attempt_count=attempt.nunique()
    )
    ordered = counted.order_by(ibis.desc("attempt_count"), ibis.asc("detail")).limit(_MAX_DEGRADED)
    merged: dict[tuple[str | None, str | None], int] = {}
    for row in records(frame(ordered)):
        what = _said(row["detail"])
        merged[what] = merged.get(what, 0) + row["attempt_count"]
    return [
        {"what": what, "why": why, "attempt_count": count}
        for (what, why), count in sorted(merged.items(), key=lambda item: (-item[1], str(item[0])))
    ]


def _said(detail: str | None) -> tuple[str | None, str | None]:
    try:
        read = json.loads(detail or "{}")
    except ValueError:
        return (None, detail)
    if not isinstance(read, dict):
        return (None, str(read))
    what, why = read.get("what"), read.get("why")
    return (None if what is None else str(what), None if why is None else str(why))
