"""Who a task instance is: from Airflow's objects, of both majors, to a task card.

Everything is read from what the task's process holds already: no query, no request.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tracer_hooks.adapter import TaskCard
from tracer_hooks_airflow.elsewhere import elsewhere

if TYPE_CHECKING:
    from collections.abc import Mapping

ENGINE = "airflow"


def run_key(dag_id: str, run_id: str) -> str:
    """The run's id in the store. Airflow's own is unique only within its DAG: all that run on one
    schedule have the same."""
    return f"{dag_id}/{run_id}"


def task_key(task_id: str, map_index: int | None) -> str:
    """`task_id`, with the index of a mapped instance in brackets."""
    mapped = isinstance(map_index, int) and map_index >= 0
    return f"{task_id}[{map_index}]" if mapped else task_id


def card_of(ti: Any, asked: Mapping[str, Any] | None = None) -> TaskCard:
    """The card of a task instance; `asked` has what `@traced(...)` was given."""
    task = getattr(ti, "task", None)
    asked = asked or {}
    queued = _moment(getattr(ti, "queued_dttm", None))
    # An attempt that comes back was queued anew: its first stretch has said when it began to wait.
    return TaskCard(
        run_id=run_key(ti.dag_id, ti.run_id),
        task_id=task_key(ti.task_id, getattr(ti, "map_index", None)),
        attempt=max(1, int(getattr(ti, "try_number", 1) or 1)),
        pipeline=ti.dag_id,
        engine=ENGINE,
        step=ti.task_id,
        sample=asked.get("sample"),
        tags={**_tags(ti, task), **asked.get("tags", {})},
        cpus_requested=asked.get("cpus"),
        memory_requested_bytes=asked.get("memory"),
        time_requested_s=_time_allowed(task, asked),
        submitted_at=None if queued is None else queued.timestamp(),
    )


def _tags(ti: Any, task: Any) -> dict[str, str]:
    """What Airflow knows of the instance; nothing where it does not."""
    run = _dag_run(ti)
    found = {
        "airflow_run_id": ti.run_id,
        "operator": _operator(task),
        "elsewhere": elsewhere(task),
        "map_index": getattr(ti, "rendered_map_index", None),
        "executor": getattr(ti, "executor", None) or getattr(task, "executor", None),
        "logical_date": _moment(
            getattr(run, "logical_date", None) or getattr(run, "execution_date", None)
        ),
        "scheduled_at": _moment(getattr(ti, "scheduled_dttm", None)),
        "queued_at": _moment(getattr(ti, "queued_dttm", None)),
    }
    for name in ("queue", "pool", "pool_slots", "priority_weight"):
        found[name] = _first(getattr(ti, name, None), getattr(task, name, None))
    return {name: _text(value) for name, value in found.items() if value not in (None, "")}


def _dag_run(ti: Any) -> Any:
    from_server = getattr(ti, "_ti_context_from_server", None)  # Airflow 3
    if from_server is not None:
        return getattr(from_server, "dag_run", None)
    # Only if it is loaded: reading the attribute would ask the database.
    return getattr(ti, "__dict__", {}).get("dag_run")


def _operator(task: Any) -> str | None:
    if task is None:
        return None
    shown = getattr(task, "custom_operator_name", None)  # "@task", "@task.bash"
    return str(shown) if shown else type(task).__name__


def _time_allowed(task: Any, asked: Mapping[str, Any]) -> float | None:
    """Seconds: what the author asked for, else the operator's execution_timeout."""
    if asked.get("time") is not None:
        return float(asked["time"])
    limit: Any = getattr(task, "execution_timeout", None)
    return float(limit.total_seconds()) if hasattr(limit, "total_seconds") else None


def _moment(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _first(*values: Any) -> Any:
    return next((value for value in values if value not in (None, "")), None)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
