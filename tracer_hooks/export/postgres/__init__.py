"""Runs in a PostgreSQL database: tables that Grafana can ask what metrics must not carry.

The schema `tracer_hooks` holds the store's tables, and beside them verdicts and costs. A run goes
in as a whole, in one transaction, and may go in again at any time: attempts that had ended stay as
they are, all others are replaced. Needs the extra `postgres`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer_hooks.export.postgres.database import Database


def connect(target: str, *, patience_s: float, tell: Callable[[str], None]) -> Database:
    """The database at `target`, a URL of libpq. Raises TracerError, UsageError."""
    from tracer_hooks.errors import TracerError

    try:
        import psycopg  # noqa: F401 - to say at once that it is missing
    except ImportError as error:
        raise TracerError(
            "psycopg is not installed: pip install 'tracer-hooks[postgres]'"
        ) from error
    from tracer_hooks.export.postgres.database import Database

    return Database(target, patience_s, tell)
