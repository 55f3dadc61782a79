"""What an adapter needs: the task card, the supervised command, the record of a run.

An adapter knows one engine. It says who a task is (a `TaskCard`), asks for the command that runs
it under the supervisor (`supervised`), and tells of the run as a whole (`RunRecord`). It reads no
/proc and writes no Parquet. Standard library only; nothing here raises into the engine unless it
is given wrong types.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer_hooks.errors import TracerError
from tracer_hooks.staging import is_url, staging_folder
from tracer_hooks.supervisor import identifiers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUPERVISOR = Path(__file__).parent / "supervisor" / "__main__.py"
STORE_VARIABLE = "TRACER_HOOKS_STORE"
DEFAULT_STORE = ".tracer"
# One argument may hold 128 KiB (MAX_ARG_STRLEN); a card that would be longer loses its tags first.
_MAX_CARD = 100_000


def store_path(store: str | os.PathLike[str] | None = None) -> Path:
    """The store's folder: the one given, else TRACER_HOOKS_STORE, else `.tracer` here; absolute.

    For a URL it is the folder here in which the spools of that store are written. Raises
    UsageError if it is no URL, TracerError if there is no folder to be had for it.
    """
    chosen = store or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE
    if is_url(str(chosen)):
        return staging_folder(str(chosen))
    # Neither a user without a home nor a working directory that is gone is an error here.
    path = Path(os.path.expanduser(chosen))  # noqa: PTH111 (never raises)
    try:
        return path.absolute()
    except OSError:
        return path


@dataclass(frozen=True)
class TaskCard:
    """Who a task attempt is. What the engine does not know stays None."""

    run_id: str
    task_id: str
    attempt: int = 1
    pipeline: str | None = None
    engine: str | None = None
    step: str | None = None
    task_name: str | None = None
    sample: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    container_image: str | None = None
    cpus_requested: float | None = None
    memory_requested_bytes: int | None = None
    time_requested_s: float | None = None
    disk_requested_bytes: int | None = None
    input_bytes: int | None = None
    submitted_at: float | None = None

    def to_json(self) -> str:
        """One line of JSON for the supervisor, without the keys that are not known."""
        card = {k: v for k, v in asdict(self).items() if v is not None and v != {}}
        text = json.dumps(card)
        if len(text) > _MAX_CARD:
            card.pop("tags", None)
            card = {k: v[:5000] if isinstance(v, str) else v for k, v in card.items()}
            text = json.dumps(card)
        return text


def supervised(
    card: TaskCard,
    command: Sequence[str],
    *,
    store: str | os.PathLike[str] | None = None,
    capture: str | None = None,
    interval_s: float | None = None,
    outputs: Sequence[str] = (),
    redact: Sequence[str] = (),
    argv_recorded: bool = True,
    verbose: bool = False,
) -> list[str]:
    """The argv that runs `command` under the supervisor, with the same behaviour and exit status.

    `outputs` are paths whose sizes are summed as `output_bytes` when the command has ended.
    `redact` are further patterns to mask in command lines: `plugins.redaction_patterns()`.
    Without `argv_recorded` no command line is kept at all. Where there can be no store (its URL
    is none), it is `command` itself, and the log says why.
    """
    try:
        folder = store_path(store)
    except TracerError as problem:
        import logging

        logging.getLogger(__name__).warning("a task runs unobserved: %s", problem)
        return [*command]
    argv = [sys.executable, "-I", "-S", str(SUPERVISOR), "run"]
    argv += ["--store", str(folder), "--run", card.run_id, "--task", card.task_id]
    argv += ["--attempt", str(card.attempt), "--card", card.to_json()]
    if capture is not None:
        argv += ["--capture", capture]
    if interval_s is not None:
        argv += ["--interval", repr(float(interval_s))]
    for path in outputs:
        argv += ["--output", path]
    for pattern in redact:
        argv += ["--redact", pattern]
    if not argv_recorded:
        argv.append("--no-argv")
    if verbose:
        argv.append("--verbose")
    return [*argv, "--", *command]


class RunRecord:
    """What the engine says of a run as a whole: one small file beside the tasks' spools.

    It starts now, or at `started_at` (UNIX time) where it is told of afterwards. `redact` are
    further patterns to mask in `command`, as for `supervised`.

    No method raises: a record that can't be written is a pity, a workflow that fails for it a
    defect. `problem` then holds one line that says why.
    """

    def __init__(
        self,
        run_id: str,
        *,
        store: str | os.PathLike[str] | None = None,
        pipeline: str | None = None,
        engine: str | None = None,
        engine_version: str | None = None,
        workdir: str | None = None,
        command: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        started_at: float | None = None,
        redact: Sequence[str] = (),
    ) -> None:
        self.run_id = identifiers.canonical_run_id(run_id)
        self.problem: str | None = None
        host = platform.node()
        self._path: Path | None = None
        try:
            spools = store_path(store) / "spool"
        except TracerError as problem:
            self.problem = str(problem)
            return
        folder = spools / identifiers.escape(run_id, identifiers.MAX_RUN_ID)
        self._path = folder / f"@run.{identifiers.unique(host)}.jsonl"
        from tracer_hooks.supervisor.observer_identity import observer_identity
        from tracer_hooks.supervisor.redact import redact_argv

        self._append(
            t="run",
            v=1,
            run_id=self.run_id,
            pipeline=pipeline,
            engine=engine,
            engine_version=engine_version,
            started_at=time.time() if started_at is None else started_at,
            host=host,
            user=_user(),
            workdir=workdir or _working_directory(),
            command=" ".join(redact_argv(command, redact)) or None,
            tags=dict(tags or {}),
            observer=observer_identity(),
        )

    def event(self, kind: str, **detail: Any) -> None:
        """Note that something happened to the run."""
        self._append(t="e", at=time.time(), kind=kind, detail=detail)

    def end(
        self, status: str, total_tasks: int | None = None, ended_at: float | None = None
    ) -> None:
        """Close the record, as of now or `ended_at` (UNIX time).

        `status` is succeeded, failed or cancelled.
        """
        ended_at = time.time() if ended_at is None else ended_at
        self._append(t="run_end", ended_at=ended_at, status=status, total_tasks=total_tasks)

    def _append(self, **line: Any) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:
                file.write(json.dumps(line).encode("ascii") + b"\n")
        except OSError as error:
            self.problem = f"cannot write {self._path}: {error.strerror or error}"


def _working_directory() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted
        return None


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in many containers
        return str(os.getuid())
