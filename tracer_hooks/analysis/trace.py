"""A run attempt by attempt, with its processes, readings and events: what a trace is made from.

Attempts are fetched in batches, so that a run of any size passes through a bounded amount of
memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer_hooks.analysis.attempts import whole_attempts
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.tables import Relations, Tables, attempt_key, records, relations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import ibis.expr.types as ir

Row = dict[str, Any]

BATCH = 2000
_COLUMNS = {
    "processes": (
        "process_id", "parent_id", "pid", "tool", "comm", "argv", "forked", "started_at",
        "ended_at", "exit_code", "signal", "cpu_s", "memory_peak_bytes", "disk_read_bytes",
        "disk_write_bytes", "network_rx_bytes", "network_tx_bytes",
    ),
    "readings": (
        "process_id", "at", "elapsed_s", "cpu_s", "memory_bytes", "disk_read_bytes",
        "disk_write_bytes", "network_rx_bytes", "network_tx_bytes", "processes",
    ),
    "events": ("process_id", "at", "kind", "detail"),
    "tools": ("tool", "count", "folded_count", "cpu_s"),
}  # fmt: skip
_ORDER = {
    "processes": ("started_at", "process_id"),
    "readings": ("elapsed_s", "process_id"),
    "events": ("at", "kind", "detail"),
    "tools": ("tool",),
}


@dataclass(frozen=True)
class AttemptTrace:
    """One attempt: its row of `tasks`, with `attempt_count` of its task, and its rows of the other
    tables, in order of time."""

    attempt: Mapping[str, Any]
    processes: list[Row]
    readings: list[Row]
    events: list[Row]
    tools: list[Row]


@dataclass(frozen=True)
class RunTrace:
    """`run`: who and when (see `summary.run_facts`); `hosts`: rows of `hosts`, in order of time."""

    run: Mapping[str, Any]
    hosts: list[Row]
    tables: Relations

    def attempts(self, batch: int = BATCH) -> Iterator[AttemptTrace]:
        """Every attempt in order of start; can be gone through again."""
        first = 0
        while rows := records(self.tables.run(_numbered_rows(self.tables, first, first + batch))):
            others = {name: self._of_batch(name, first, first + batch) for name in _COLUMNS}
            for row in rows:
                number = row.pop("number")
                yield AttemptTrace(row, **{n: found.get(number, []) for n, found in others.items()})
            first += batch

    def _of_batch(self, name: str, first: int, last: int) -> dict[int, list[Row]]:
        """The rows of one table by the number of their attempt."""
        data = self.tables.run(_beside(self.tables, name, first, last))
        numbers = data.pop("number").to_numpy(int)
        rows = records(data)
        borders = np.flatnonzero(np.diff(numbers)) + 1
        starts = [0, *borders.tolist()] if len(rows) else []
        ends = [*borders.tolist(), len(rows)]
        return {int(numbers[a]): rows[a:b] for a, b in zip(starts, ends, strict=False)}


def run_trace(tables: Tables, run_id: str) -> RunTrace:
    """The run `run_id`, ready to be gone through."""
    from tracer_hooks.analysis.summary import run_facts

    t = relations(tables, run_id)
    return RunTrace(run_facts(t, run_id), records(t.frame(_hosts)), t)


def _hosts(t: Relations) -> ir.Table:
    rows = t["hosts"]
    return rows.filter(rows["at"].notnull()).drop("spool").order_by("host", "at")


def _numbered(t: Relations) -> ir.Table:
    a = whole_attempts(t)
    order = [a.started_at.asc(nulls_first=True), a.task_id, a.attempt, a.spool]
    tries = a.count().over(group_by=[a.run_id, a.task_id])
    number = ibis.row_number().over(order_by=order)
    return a.mutate(attempt_count=tries, number=number)


def _numbered_rows(t: Relations, first: int, last: int) -> ir.Table:
    rows = t.derived("numbered", _numbered)
    mine = rows.filter((rows.number >= first) & (rows.number < last))
    return mine.drop("spool", "wall_known_s").order_by("number")


def _beside(t: Relations, name: str, first: int, last: int) -> ir.Table:
    rows, numbered = t[name], t.derived("numbered", _numbered)
    keys = attempt_key(rows)
    mine = numbered.filter((numbered.number >= first) & (numbered.number < last))
    few = mine.select("number", **{f"{key}_of_attempt": mine[key] for key in keys})
    # Two null spools are two unknown files; the other keys are then enough.
    same = [rows[key].identical_to(few[f"{key}_of_attempt"]) for key in keys]
    return (
        rows.inner_join(few, same)
        .select("number", *_COLUMNS[name])
        .order_by("number", *_ORDER[name])
    )
