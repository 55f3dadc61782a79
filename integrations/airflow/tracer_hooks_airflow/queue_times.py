"""When each attempt was scheduled and queued, from Airflow's database.

In Airflow 3 a task's process is not told. The process at the end of a DAG run, which runs where
the scheduler does and so with its configuration, may ask: once, two rows an attempt, read only.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

_COLUMNS = "task_id, map_index, try_number, scheduled_dttm, queued_dttm"
_WHERE = "WHERE dag_id = :dag_id AND run_id = :run_id AND queued_dttm IS NOT NULL"
_ASK = " UNION ALL ".join(
    f"SELECT {_COLUMNS} FROM {table} {_WHERE}"  # noqa: S608 - nothing in it comes from outside
    for table in ("task_instance_history", "task_instance")
)


def queue_times(dag_id: str, run_id: str) -> dict[tuple[str, int], dict[str, Any]]:
    """What to add to the cards of a DAG run: `submitted_at` (UNIX seconds) and `tags`, by task id
    and attempt. Raises what the database raises."""
    from airflow.configuration import conf
    from sqlalchemy import create_engine, text

    from tracer_hooks_airflow.identity import task_key

    engine = create_engine(conf.get("database", "sql_alchemy_conn"))
    try:
        with engine.connect() as connection:
            rows = connection.execute(text(_ASK), {"dag_id": dag_id, "run_id": run_id}).fetchall()
    finally:
        engine.dispose()
    found = {}
    for task_id, map_index, attempt, scheduled, queued in rows:
        moments = {"scheduled_at": _moment(scheduled), "queued_at": _moment(queued)}
        tags = {name: moment.isoformat() for name, moment in moments.items() if moment is not None}
        at = moments["queued_at"]
        if at is not None:
            known = {"submitted_at": at.timestamp(), "tags": tags}
            found[task_key(task_id, map_index), max(1, int(attempt))] = known
    return found


def _moment(value: Any) -> datetime | None:
    """UTC; SQLite gives text, MySQL a time without its zone."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)
