"""What the process at the end of a DAG run does: note the run's end, then bring it into Parquet."""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# The last task's monitor may still be writing its last line.
_GRACE_S = 1.0
# A run is noted by a file with its id, for whoever is at work on the store.
_MOST_ROUNDS = 1000


def finish(run: dict[str, Any], store: str, ingest: bool) -> None:
    """Write the record of `run`, then ingest it and what else has ended meanwhile."""
    from tracer_hooks.adapter import RunRecord

    status, ended_at = run.pop("status"), run.pop("ended_at")
    RunRecord(store=store, **run).end(status, ended_at=ended_at)
    if not ingest:
        return
    waiting = Path(store) / ".ended"
    waiting.mkdir(parents=True, exist_ok=True)
    note = waiting / hashlib.sha256(run["run_id"].encode()).hexdigest()
    # a rename: nobody reads half a note
    half = note.with_suffix(".lock")
    half.write_text(json.dumps([run["pipeline"], run["tags"]["airflow_run_id"]]))
    half.replace(note)
    time.sleep(_GRACE_S)
    for _ in range(_MOST_ROUNDS):
        with _alone(waiting) as here:
            if not here:
                return  # who is at work looks again before it lets go
            notes = [path for path in waiting.iterdir() if path.suffix != ".lock"]
            for path in notes:
                dag_id, run_id = json.loads(path.read_text())
                path.unlink(missing_ok=True)
                _bring_in(dag_id, run_id, store)
        if not any(path.suffix != ".lock" for path in waiting.iterdir()):
            return


def _bring_in(dag_id: str, run_id: str, store: str) -> None:
    from tracer_hooks.finish import finish_run
    from tracer_hooks_airflow.identity import run_key
    from tracer_hooks_airflow.queue_times import queue_times

    late = {}
    with suppress(Exception):  # without these the records are as complete as the tasks made them
        late = queue_times(dag_id, run_id)
    finish_run(run_key(dag_id, run_id), store, late)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether this process is the only one that is at work in `folder`, for the length of a
    block."""
    with (folder / "work.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
