"""Pending spools: what ingest takes, and what a reader sees of those that wait."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tracer_hooks.store.layout import SpoolFile, spool_files, unread
from tracer_hooks.store.liveness import State, attempt_state, pid_is_gone, run_state
from tracer_hooks.store.rows import Rows
from tracer_hooks.store.schema import TABLES
from tracer_hooks.store.spool import (
    Spool,
    looks_sealed,
    parse_ends,
    parse_spool,
    read_bytes,
    read_spool,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tracer_hooks.store.layout import Warn
    from tracer_hooks.tools import ToolRules

_GRACE_S = 60.0
_TRIES = 10


def read_attempt(
    file: SpoolFile, *, only_final: bool, run_over: bool = False
) -> tuple[Spool, State] | None:
    """An attempt's spool and its state; None if it is gone. `run_over`: its run has ended.

    With `only_final` a spool that may still be written is read no further than its ends. One that
    can't be read counts as running: nobody may take it for gone.
    """
    try:
        return _read_attempt(file, only_final=only_final, run_over=run_over)
    except OSError as error:
        return Spool(file, [], 0, error), "running"


def _read_attempt(
    file: SpoolFile, *, only_final: bool, run_over: bool
) -> tuple[Spool, State] | None:
    data = read_bytes(file)
    if data is None:
        return None
    if looks_sealed(data):
        spool = parse_spool(file, data)
        if spool.sealed:
            return spool, "sealed"
    ends = parse_ends(file, data)
    state = attempt_state(ends, run_over=run_over)
    if only_final and state in ("running", "lost"):
        return ends, state
    if state == "abandoned":
        # Read after the writer was seen to be gone: what is there now is all there will ever be.
        data = read_bytes(file)
        if data is None:
            return None
    spool = parse_spool(file, data)
    return spool, "sealed" if spool.sealed else state


def never_started(file: SpoolFile) -> bool:
    """The writer that is named in the file's name, of which nothing can be read, is gone."""
    age = time.time() - file.mtime
    host, pid, _ = [*file.stem.rsplit("-", 2), "", ""][:3]
    here = host.endswith("." + os.uname().nodename) and pid.isdecimal()
    return age > _GRACE_S and here and pid_is_gone(int(pid))


def garbage_warning(spool: Spool) -> str:
    """One line about the lines of a spool that could not be read."""
    count = spool.garbage_lines
    lines = "1 line" if count == 1 else f"{count} lines"
    return f"{spool.file.path}: {lines} could not be read and were skipped"


def newer_warning(spool: Spool) -> str:
    """One line about a spool of a later format."""
    return f"{spool.file.path} was written by a newer tracer-hooks and is left: upgrade to read it"


@dataclass
class _Known:
    """Rows of spools that will not change any more."""

    files: set[SpoolFile]
    tables: dict[str, pa.Table]


class PendingReader:
    """Reads what waits in the spool folders; what is sealed is parsed once and remembered."""

    def __init__(self, rules: Callable[[], ToolRules], warn: Warn) -> None:
        self._rules = rules
        self._warn = warn
        self._known: dict[str, _Known] = {}
        self._moved = False

    def tables(self, run_id: str, folders: Iterable[Path]) -> dict[str, pa.Table]:
        """The rows of a run that are not ingested, by table; no table where there are none.

        `folders` are its own of `Layout.spool_folders`, which a reader of many runs asks once.
        """
        for _ in range(_TRIES):
            self._moved = False
            files = [file for folder in folders for file in spool_files(folder, self._warn)]
            tables = self._read(run_id, files)
            if not self._moved:
                break
        return tables

    def _read(self, run_id: str, files: list[SpoolFile]) -> dict[str, pa.Table]:
        known = self._known.get(run_id)
        if known is None or not known.files <= set(files):
            known = _Known(set(), {})
        if not files:
            self._known.pop(run_id, None)
            return {}
        final, changing = Rows(self._rules()), Rows(self._rules())
        finished = set()
        last_activity = max(file.mtime for file in files)
        for file in files:
            if file not in known.files and self._add(file, final, changing, last_activity):
                finished.add(file)
        if finished:
            merged = _merge(known.tables, final.tables())
            known = _Known(known.files | finished, merged)
        self._known[run_id] = known
        return _merge(known.tables, changing.tables())

    def _add(self, file: SpoolFile, final: Rows, changing: Rows, last_activity: float) -> bool:
        """Add a spool's rows where they belong; True if they are final."""
        if file.kind == "attempt":
            found = read_attempt(file, only_final=False)
            if found is None or not self._readable(found[0]):
                return False
            spool, state = found
            rows = final if state == "sealed" else changing
            rows.add_attempt(spool, "running" if state == "running" else "lost")
            return state == "sealed"
        record = read_spool(file)
        if record is None:
            # An attempt that is gone is ingested; a record may just have another name by now.
            self._moved = True
            return False
        if not self._readable(record):
            return False
        if file.kind == "host":
            changing.add_host(record)
            return False
        state = run_state(record, last_activity)
        rows = final if state == "sealed" else changing
        rows.add_run(record, "running" if state == "running" else "lost")
        return state == "sealed"

    def _readable(self, spool: Spool) -> bool:
        if spool.unread:
            self._warn(unread(spool.file.path, spool.unread))
            return False
        if spool.newer:
            self._warn(newer_warning(spool))
            return False
        if spool.garbage_lines:
            self._warn(garbage_warning(spool))
        return bool(spool.lines)


def _merge(first: dict[str, pa.Table], second: dict[str, pa.Table]) -> dict[str, pa.Table]:
    merged = {}
    for name in TABLES:
        pieces = [t[name] for t in (first, second) if name in t and t[name].num_rows]
        if pieces:
            merged[name] = pa.concat_tables(pieces)
    return merged
