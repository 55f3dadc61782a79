"""What is found out about a run's attempts, beside their rows: verdicts and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.cost import COSTS, cost
from tracer_hooks.analysis.tables import records, relations
from tracer_hooks.analysis.verdicts import verdicts
from tracer_hooks.export.postgres.migrations import SCHEMA
from tracer_hooks.export.postgres.rows import copy_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import Connection

    from tracer_hooks.analysis.cost import CostReport
    from tracer_hooks.export.sender import RunToSend

_ATTEMPT = {"run_id": "text", "spool": "text", "task_id": "text", "attempt": "int4"}
_AMOUNTS = dict.fromkeys(COSTS, "float8")
_VERDICTS = {
    **_ATTEMPT, "label": "text", "confidence": "float8", "evidence": "jsonb", "advice": "text",
}  # fmt: skip
_COSTS = {
    **_ATTEMPT, **_AMOUNTS, "cpu_hours": "float8", "memory_gib_hours": "float8",
    "currency": "text",
}  # fmt: skip
_TOOL_COSTS = {"run_id": "text", "tool": "text", **_AMOUNTS, "currency": "text"}
_RUN_COSTS = {
    "run_id": "text", **_AMOUNTS, "host_cost": "float8", "idle": "float8",
    "unpriced_share": "float8", "currency": "text", "price_source": "text", "price_as_of": "text",
    "method": "text", "margin": "float8", "basis": "text",
}  # fmt: skip


def load_derived(connection: Connection, run: RunToSend, basis: str) -> None:
    """Replace what is known of this run's attempts, of its tools and of what it cost."""
    t = relations(run.tables, run.run_id)
    judged = verdicts(t)
    rows = [
        {**_key(run, row), **judged.verdict(row)}
        for row in records(judged.tasks)
    ]  # fmt: skip
    _replace(connection, run, "verdicts", _VERDICTS, rows)
    _load_costs(connection, run, cost(t, run.pricing, run.run_id), basis)


def _load_costs(connection: Connection, run: RunToSend, found: CostReport, basis: str) -> None:
    money = {"run_id": run.run_id, "currency": found.run["currency"]}
    attempts = [{**row, **money, **_key(run, row)} for row in records(found.tasks)]
    _replace(connection, run, "costs", _COSTS, attempts)
    tools = [
        {**row, **money, "tool": row["tool"] or "(no name)"} for row in records(found.tools)
    ]  # fmt: skip
    _replace(connection, run, "tool_costs", _TOOL_COSTS, tools)
    as_of = found.run["price_as_of"]
    whole = {
        **found.run,
        **money,
        "basis": basis,
        "price_as_of": None if as_of is None else str(as_of),
    }
    _replace(connection, run, "run_costs", _RUN_COSTS, [whole])


def _key(run: RunToSend, row: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: row[name] for name in ("task_id", "attempt")}
    return {**known, "run_id": run.run_id, "spool": row["spool"] or ""}


def _replace(
    connection: Connection,
    run: RunToSend,
    table: str,
    types: Mapping[str, str],
    rows: Iterable[Mapping[str, Any]],
) -> None:
    connection.execute(f"DELETE FROM {SCHEMA}.{table} WHERE run_id = %s", [run.run_id])
    copy_records(connection, table, types, rows)
