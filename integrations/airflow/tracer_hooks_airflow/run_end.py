"""The end of a DAG run: noted and brought into the store by a process of its own.

The scheduler, which calls this, does no more than start it: it opens no file of the store, which
may be far away, and waits for nothing. Runs that end while such a process is at work are left to
it, so that there is one at a time for a store and host.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracer_hooks_airflow.settings import Settings

_SHELL = "/bin/sh"
# The shell ends at once, so that the process is nobody's child here.
_START = '"$@" &'


def finish_apart(dag_run: Any, status: str, settings: Settings, began: float | None = None) -> None:
    """Start the process. `began`: when the run did (UNIX time), if that is known better than by
    Airflow. Raises OSError if it can't be started."""
    known = {} if began is None else {"started_at": began}
    facts = json.dumps([_facts(dag_run, status) | known, str(settings.store), settings.ingest])
    command = [sys.executable, "-I", __file__, json.dumps(sys.path), facts]
    pid = os.posix_spawn(
        _SHELL,
        [_SHELL, "-c", _START, _SHELL, *command],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
        setsid=True,
    )
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _facts(dag_run: Any, status: str) -> dict[str, Any]:
    """What is known of the run; read from the object as it is, without a query."""
    from airflow.version import version

    from tracer_hooks_airflow.identity import ENGINE, run_key

    loaded = getattr(dag_run, "__dict__", {})

    def moment(*names: str) -> float | None:
        found = next((loaded[name] for name in names if loaded.get(name) is not None), None)
        return None if found is None else float(found.timestamp())

    def text(name: str) -> str | None:
        value = loaded.get(name)
        return None if value is None else str(getattr(value, "value", value))

    logical = loaded.get("logical_date") or loaded.get("execution_date")
    tags = {
        "airflow_run_id": dag_run.run_id,
        "run_type": text("run_type"),
        "logical_date": None if logical is None else logical.isoformat(),
    }
    return {
        "run_id": run_key(dag_run.dag_id, dag_run.run_id),
        "pipeline": dag_run.dag_id,
        "engine": ENGINE,
        "engine_version": version,
        "started_at": moment("start_date"),
        "ended_at": moment("end_date"),
        "status": status,
        "tags": {name: value for name, value in tags.items() if value},
    }


def _main(search_path: str, facts: str) -> None:
    # What the scheduler can import, this process can import too.
    sys.path[:] = json.loads(search_path)
    run, store, ingest = json.loads(facts)
    from tracer_hooks_airflow.run_record import finish

    finish(run, store, ingest)


if __name__ == "__main__":
    _main(*sys.argv[1:])
