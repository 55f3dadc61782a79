"""Ingest: spools become parts, in batches.

The order makes it safe to kill at any moment and to run twice at once, without a lock: a batch's
`tasks` part is published last, when the other tables are on disk, and a spool is deleted only when
`tasks` names it. What a killed ingest left half done is done again, and taken once by readers.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracer_hooks.store.compaction import compact_table
from tracer_hooks.store.layout import (
    SUFFIX,
    UNREADABLE,
    Layout,
    SpoolFile,
    part_paths,
    spool_files,
    unread,
)
from tracer_hooks.store.liveness import attempt_state, run_state
from tracer_hooks.store.parts import (
    UnreadablePartError,
    open_part,
    remove_stale,
    without,
    write_part,
)
from tracer_hooks.store.pending import (
    garbage_warning,
    never_started,
    newer_warning,
    read_attempt,
)
from tracer_hooks.store.rows import Rows
from tracer_hooks.store.schema import TABLES
from tracer_hooks.store.spool import Spool, read_spool
from tracer_hooks.supervisor import identifiers

if TYPE_CHECKING:
    from tracer_hooks.store.layout import Warn
    from tracer_hooks.tools import ToolRules

Progress = Callable[[int, int], None]

BATCH_SPOOLS = 5_000
BATCH_BYTES = 64 << 20
_HOST_SILENT_S = 5.0
_ATTEMPT_ORDER = (*(name for name in TABLES if name != "tasks"), "tasks")
_PROGRESS_EVERY = 200


@dataclass
class IngestResult:
    """What an ingest did: attempts and run records now in Parquet, attempts that still run, the
    spools left where they are or set aside, and a line for whatever was wrong."""

    attempts: int = 0
    runs: int = 0
    running: int = 0
    left: int = 0
    warnings: list[str] = field(default_factory=list)


class Ingest:
    """One pass over the spools of a store."""

    def __init__(
        self,
        layout: Layout,
        rules: Callable[[], ToolRules],
        warn: Warn,
        progress: Progress | None = None,
    ) -> None:
        self._layout = layout
        self._rules = rules
        self._progress = progress
        self._warn_reader = warn
        self._done = self._total = 0
        self.result = IngestResult()

    def run(self, run_id: str | None = None) -> IngestResult:
        """Ingest what is final, of one run or of all.

        A store that can't be written (read-only, disk full) is a warning: every spool then stays
        where it is, and readers see it there.
        """
        work = {
            run: [file for folder in folders for file in spool_files(folder, self._warn)]
            for run, folders in self._layout.spool_folders(self._warn).items()
            if run_id is None or run == run_id
        }
        self._total = sum(len(files) for files in work.values())
        for run, files in work.items():
            if not files:
                continue
            try:
                self._mark_store()
                self._ingest_run(run, files)
            except OSError as error:
                self._warn(
                    f"cannot write to the store {self._layout.tables}: {error.strerror or error}; "
                    "what is recorded stays in its spools"
                )  # and on with the next run, which may be ours to write
        if self._progress and self._total:
            self._progress(self._total, self._total)
        return self.result

    def _ingest_run(self, run_id: str, files: list[SpoolFile]) -> None:
        published = self._published(run_id)
        attempts = [file for file in files if file.kind == "attempt"]
        records = [file for file in files if file.kind == "run"]
        last_activity = max(file.mtime for file in files)
        over = _is_over(records, last_activity)
        unfinished = self._attempts(run_id, attempts, published, over)
        active = self._records(run_id, records, published, last_activity)
        if not unfinished and not active:
            self._hosts(run_id, [file for file in files if file.kind == "host"], published)
        for table in TABLES:
            folder = self._layout.partition(table, run_id)
            remove_stale(folder)
            compact_table(folder, table, self._warn, only_if_worth_it=True)

    def _attempts(
        self, run_id: str, files: list[SpoolFile], published: dict[str, set[str]], over: bool
    ) -> int:
        """Ingest attempts; returns how many are not finished. `over`: the run has ended."""
        unfinished = 0
        for batch in _batches(files):
            rows = Rows(self._rules())
            taken = []
            for file in batch:
                self._step()
                if file.stem in published["tasks"]:
                    file.path.unlink(missing_ok=True)  # a killed ingest got as far as this
                    continue
                found = read_attempt(file, only_final=True, run_over=over)
                if found is None:
                    continue
                spool, state = found
                if not self._acceptable(spool):
                    unfinished += state == "running"
                elif state in ("running", "lost"):
                    unfinished += 1
                    self.result.running += state == "running"
                else:
                    rows.add_attempt(spool, "lost")
                    taken.append(file)
            self._publish(run_id, rows, _ATTEMPT_ORDER, published)
            _delete(taken)
            self.result.attempts += len(taken)
        return unfinished

    def _records(
        self,
        run_id: str,
        files: list[SpoolFile],
        published: dict[str, set[str]],
        last_activity: float,
    ) -> bool:
        """Ingest what adapters wrote of the run; True if one of them is still at it."""
        rows = Rows(self._rules())
        taken = []
        active = False
        for file in files:
            self._step()
            record = read_spool(file)
            if record is None:
                continue
            if not self._acceptable(record):
                active = active or record.unread is not None
                continue
            state = run_state(record, last_activity)
            if state in ("running", "lost"):
                active = True
                continue
            if state == "abandoned":  # should it be closed after all, that is a new file
                aside = _set_aside(file)
                record = None if aside is None else read_spool(aside)
                if record is None:
                    continue
            rows.add_run(record, "lost")
            taken.append(record.file)
        self._publish(run_id, rows, ("events", "runs"), published)
        _delete(taken)
        self.result.runs += len(taken)
        return active

    def _hosts(self, run_id: str, files: list[SpoolFile], published: dict[str, set[str]]) -> None:
        rows = Rows(self._rules())
        taken = []
        for file in files:
            self._step()
            if time.time() - file.mtime < _HOST_SILENT_S:
                continue
            aside = _set_aside(file)
            spool = None if aside is None else read_spool(aside)
            if spool is not None and self._acceptable(spool):
                rows.add_host(spool)
                taken.append(spool.file)
        self._publish(run_id, rows, ("hosts",), published)
        _delete(taken)

    def _publish(
        self, run_id: str, rows: Rows, order: Iterable[str], published: dict[str, set[str]]
    ) -> None:
        tables = rows.tables()
        for name in order:
            table = without(tables[name], published[name])
            if table.num_rows:
                spools = table["spool"].unique().to_pylist()
                write_part(self._layout.partition(name, run_id), name, [table], spools)

    def _published(self, run_id: str) -> dict[str, set[str]]:
        published = {}
        for table in TABLES:
            names: set[str] = set()
            for path in part_paths(self._layout.partition(table, run_id)):
                try:
                    part = open_part(path)
                except FileNotFoundError:
                    continue  # compacted: a spool may be written twice, and is read once
                except UnreadablePartError as error:
                    self._warn(str(error))
                    continue
                names |= part.spools
                part.close()
            published[table] = names
        return published

    def _acceptable(self, spool: Spool) -> bool:
        if spool.unread:
            self._warn(unread(spool.file.path, spool.unread))
            self.result.left += 1
            return False
        if spool.newer:
            self._warn(newer_warning(spool))
            self.result.left += 1
            return False
        if spool.lines:
            if spool.garbage_lines:
                self._warn(garbage_warning(spool))
            return True
        file = spool.file
        if attempt_state(spool) == "abandoned" or never_started(file):
            kept = file.path.with_name(file.path.name + UNREADABLE)
            with contextlib.suppress(FileNotFoundError):
                file.path.rename(kept)
                self._warn(f"{kept}: nothing in this spool can be read; it is kept")
        self.result.left += 1
        return False

    def _mark_store(self) -> None:
        """Keep the store out of version control, as caches do."""
        with (
            contextlib.suppress(FileExistsError),
            (self._layout.root / ".gitignore").open("x") as ignore,
        ):
            ignore.write("*\n")

    def _warn(self, text: str) -> None:
        if text not in self.result.warnings:
            self.result.warnings.append(text)
            self._warn_reader(text)

    def _step(self) -> None:
        self._done += 1
        if self._progress and self._done % _PROGRESS_EVERY == 0:
            self._progress(self._done, self._total)


def _is_over(files: list[SpoolFile], last_activity: float) -> bool:
    """Whether a run's records say that it has ended. One that was resumed has several: it is over
    when one was closed, and nobody is still at another."""
    records = [record for record in map(read_spool, files) if record is not None]
    if any(record.unread for record in records):
        return False
    states = {run_state(record, last_activity) for record in records if record.of_run}
    return "sealed" in states and states.isdisjoint(("running", "lost"))


def _batches(files: list[SpoolFile]) -> Iterator[list[SpoolFile]]:
    batch: list[SpoolFile] = []
    size = 0
    for file in files:
        if batch and (len(batch) >= BATCH_SPOOLS or size + file.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def _set_aside(file: SpoolFile) -> SpoolFile | None:
    """Rename a file to which others may still append, so that they begin a new one."""
    if "@" in file.stem[1:]:
        return file
    stem = f"{file.stem}@{identifiers.unique(os.uname().nodename)}"
    path = file.path.with_name(stem + SUFFIX)
    try:
        file.path.rename(path)
    except FileNotFoundError:  # another ingest was quicker
        return None
    return SpoolFile(path, stem, file.kind, file.size, file.mtime)


def _delete(files: list[SpoolFile]) -> None:
    for file in files:
        file.path.unlink(missing_ok=True)
