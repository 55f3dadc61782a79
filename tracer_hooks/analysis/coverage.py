"""How we know: by what means things were seen, what is missing, and what the looking cost."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.attempts import attempts
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.tables import Relations, Tables, records, relations
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
    which; `missing`: attempts without a figure, by figure; `degraded`: a list of `{kind, what,
    why, attempt_count}`, most frequent first, where reasons that differ in big numbers only are
    one and `kind` is `degraded` (could not be observed) or `stepped_down` (observed more
    cheaply, on purpose). Of the rows of processes: `process_row_count`, `only_name_count` (no
    command line is known) and `cpu_source_s`, the CPU seconds by how they were measured.
    Network bytes that no process accounts for: `network_unattributed_rx_bytes` and
    `…_tx_bytes`; those that may be others' and are not in the totals:
    `network_not_counted_rx_bytes` and `…_tx_bytes`. `oom_count` is how many times memory ran
    out, `throttled_count` how many attempts a CPU quota held back.
    """
    t = relations(tables)
    result = t.record(_totals)
    missing = {figure: result.pop(f"missing_{figure}") for figure in _FIGURES}
    return {
        **result, **t.record(_folded), "missing": missing, **_sources(t), **_rows(t),
        **t.record(_events), "degraded": _degraded(t),
    }  # fmt: skip


def _folded(t: Relations) -> ir.Table:
    return t["tools"].agg(folded_process_count=t["tools"].folded_count.sum())


def _by_cpu_source(t: Relations) -> ir.Table:
    processes = t["processes"]
    counted = processes.group_by("cpu_source").agg(
        rows=processes.count(),
        only_name=(processes.argv_source == "comm").sum().fill_null(0),
        cpu_s=processes.cpu_s.sum(),
    )
    return counted.order_by(ibis.desc("cpu_s"), "cpu_source")


def _rows(t: Relations) -> dict[str, Any]:
    found = records(t.frame(_by_cpu_source))  # a handful
    return {
        "process_row_count": sum(row["rows"] for row in found),
        "only_name_count": sum(row["only_name"] for row in found),
        "cpu_source_s": {
            row["cpu_source"] or "unknown": row["cpu_s"]
            for row in found
            if row["cpu_s"] is not None
        },
    }


def _events(t: Relations) -> ir.Table:
    """What events say; their detail may come from another version, or be broken."""
    events = t["events"]
    attempt = _attempt_of(events)
    unattributed = {
        f"network_{column}_{way}_bytes": events.detail.re_extract(
            f'"{key}{way}_bytes": *([0-9]+)', 1
        )
        .try_cast("int64")
        .sum(where=events.kind == "network_unattributed")
        for column, key in (("unattributed", ""), ("not_counted", "not_counted_"))
        for way in ("rx", "tx")
    }
    return events.agg(
        oom_count=(events.kind == "oom").sum().fill_null(0),
        throttled_count=attempt.nunique(where=events.kind == "throttled"),
        **unattributed,
    )


def _attempt_of(events: ir.Table) -> ir.StringValue:
    return events.task_id.fill_null("") + "\0" + events.attempt.cast("string")


def _totals(t: Relations) -> ir.Table:
    a = attempts(t)
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
        observer_cpu_mean_s=a.observer_cpu_s.mean(),  # an attempt
        # Of the CPU that the tasks used, and of one core for as long as they ran.
        observer_cpu_share=a.observer_cpu_s.sum() / a.cpu_s.sum(where=watched).nullif(0.0),
        observer_core_share=a.observer_cpu_s.sum() / a.wall_s.sum(where=watched).nullif(0.0),
        observer_memory_bytes=a.observer_memory_bytes.max(),
        **{
            f"missing_{figure}": a[column].isnull().sum().fill_null(0)
            for figure, column in _FIGURES.items()
        },
    )


def _by_sources(t: Relations) -> ir.Table:
    a = attempts(t)
    return a.group_by(*_SOURCES).agg(attempt_count=a.count()).order_by(*_SOURCES)


def _sources(t: Relations) -> dict[str, dict[str, int]]:
    """By source column: how many attempts have which value, most frequent first; null left out."""
    rows = records(t.frame(_by_sources))
    tallies: dict[str, Counter[str]] = {column: Counter() for column in _SOURCES}
    for row in rows:  # combinations of sources, a handful
        for column in _SOURCES:
            if row[column] is not None:
                tallies[column][row[column]] += row["attempt_count"]
    return {column: dict(tally.most_common()) for column, tally in tallies.items()}


def _by_detail(t: Relations) -> ir.Table:
    degraded = t["events"].filter(t["events"].kind.isin(["degraded", "stepped_down"]))
    # A rate or a size that differs from task to task would make a line for each.
    alike = degraded.detail.re_replace("[0-9]{4,}", "#")
    counted = degraded.group_by(kind=degraded.kind, alike=alike).agg(
        detail=degraded.detail.min(), attempt_count=_attempt_of(degraded).nunique()
    )
    return counted.order_by(ibis.desc("attempt_count"), "kind", "detail").limit(_MAX_DEGRADED)


def _degraded(t: Relations) -> list[dict[str, Any]]:
    merged: dict[tuple[str, str | None, str | None], int] = {}
    for row in records(t.frame(_by_detail)):
        said = (row["kind"], *_said(row["detail"]))
        merged[said] = merged.get(said, 0) + row["attempt_count"]
    return [
        {"kind": kind, "what": what, "why": why, "attempt_count": count}
        for (kind, what, why), count in sorted(
            merged.items(), key=lambda item: (-item[1], str(item[0]))
        )
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
