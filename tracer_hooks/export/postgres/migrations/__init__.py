"""The database's schema: numbered steps, each applied once and never changed afterwards."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from tracer_hooks.errors import TracerError

if TYPE_CHECKING:
    from psycopg import Connection

SCHEMA = "tracer_hooks"
_BEGIN = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


def steps() -> list[tuple[int, str, str]]:
    """Every step's number, name and SQL, in order."""
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".sql")]
    found = [(int(file.name[:4]), file.name[5:-4], file.read_text("utf-8")) for file in files]
    return sorted(found)


def migrate(connection: Connection) -> None:
    """Bring the schema up to date, in one transaction. Raises TracerError if it is newer."""
    known = steps()
    with connection.transaction():
        # Of two who come at once one waits, and finds nothing to do.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{SCHEMA}.migrations"])
        if _version(connection) == known[-1][0]:
            return  # who may only write rows may not create schemas
        connection.execute(_BEGIN)
        version = _version(connection)
        if version > known[-1][0]:
            raise TracerError(
                f"the database's schema is version {version}, this release knows"
                f" {known[-1][0]}: install a newer tracer-hooks"
            )
        connection.execute(f"SET LOCAL search_path TO {SCHEMA}")
        for number, name, sql in known:
            if number > version:
                connection.execute(sql.encode())
                connection.execute(
                    f"INSERT INTO {SCHEMA}.migrations (version, name) VALUES (%s, %s)",
                    [number, name],
                )


def _version(connection: Connection) -> int:
    """The last step that was applied; 0 if there was none."""
    row = connection.execute("SELECT to_regclass(%s)", [f"{SCHEMA}.migrations"]).fetchone()
    if row is None or row[0] is None:
        return 0
    row = connection.execute(
        f"SELECT coalesce(max(version), 0) FROM {SCHEMA}.migrations"
    ).fetchone()
    return int(row[0]) if row else 0
