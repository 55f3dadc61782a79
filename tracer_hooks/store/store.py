"""The store as its readers see it."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tracer_hooks.adapter import STORE_VARIABLE, store_path
from tracer_hooks.errors import TracerError
from tracer_hooks.hint import hint
from tracer_hooks.store.compaction import compact_table
from tracer_hooks.store.ingest import Ingest, IngestResult, Progress
from tracer_hooks.store.layout import OWN_RULES, Layout, run_id_of, spool_files
from tracer_hooks.store.parts import remove_stale
from tracer_hooks.store.pending import PendingReader
from tracer_hooks.store.reading import TableReader
from tracer_hooks.store.runs import TASK_COLUMNS, derive
from tracer_hooks.store.schema import TABLES
from tracer_hooks.tools import ToolRules, load_rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    import pandas as pd
    import pyarrow.dataset as ds

    from tracer_hooks.store.scanning import Located, TableScanner

_SHOWN = 5


class StoreWarning(UserWarning):
    """Something in a store could not be read; the rest was."""


@dataclass(frozen=True)
class StoredTable:
    """One table of a store, of one run (its whole id) or of all, read when it is needed."""

    store: Store
    name: str
    run_id: str | None

    def scan(self) -> ds.Dataset:
        """See `Store.scan`."""
        return self.store.scan(self.name, self.run_id)

    def locate(self) -> Located:
        """See `Store.locate`."""
        return self.store.locate(self.name, self.run_id)

    def table(self) -> pa.Table:
        """See `Store.table`."""
        return self.store.table(self.name, self.run_id)


class Store:
    """A store: the tables of all runs in one folder, ingested and pending rows alike; or behind
    the URL of an object store, and what waits here to be ingested into it.

    Frames have `run_id` first, integers and booleans that may be missing, times in UTC. `run` is a
    run's id, the beginning of one if no other run begins so, or `latest`; None is every run.

    Reading changes nothing in the folder, and needs no right to write there. What can't be read is
    passed over, and told once: to `on_warning` if it is given, else as a `StoreWarning`.

    Every reader raises TracerError where there is no store, no such run, or where a newer release
    wrote it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        tool_rules: ToolRules | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        """`path` defaults to TRACER_HOOKS_STORE, else `.tracer` here. `tool_rules` name tools;
        without them those of all plugins do, and the store's own `tools.toml`."""
        self.path: Path = store_path(path)
        self.warnings: list[str] = []
        self._on_warning = on_warning
        self._named = path
        chosen = path or os.environ.get(STORE_VARIABLE)
        self._layout = Layout(self.path, str(chosen) if chosen else None)
        self.place = str(self._layout.tables)
        self._tool_rules = tool_rules
        self._pending = PendingReader(self._rules, self._warn)
        self._reader = TableReader(self._layout, self._pending, self._warn)

    def runs(self) -> pd.DataFrame:
        """One row per run, oldest first: the table `runs`, and task_count, attempt_count,
        failed_count (tasks whose last attempt failed or was lost), cpu_s, hosts (how many).

        A run of which no adapter told has its facts from its tasks.
        """
        ids = self.existing_runs()
        records = self._reader.read("runs", ids, None)
        tasks = self._reader.read("tasks", ids, TASK_COLUMNS)
        return _frame(derive(records, tasks))

    def tasks(self, run: str | None = None) -> pd.DataFrame:
        """One row per attempt, by start."""
        return self._table_frame("tasks", run, ["started_at", "task_id", "attempt"])

    def processes(self, run: str | None = None) -> pd.DataFrame:
        """One row per process that was kept; `tools` counts those that were folded."""
        return self._table_frame("processes", run)

    def tools(self, run: str | None = None) -> pd.DataFrame:
        """One row per attempt and program; wall_s is the sum of lifetimes in seconds."""
        return self._table_frame("tools", run)

    def readings(self, run: str | None = None) -> pd.DataFrame:
        """The time series: process_id is missing where a row is of the whole task."""
        return self._table_frame("readings", run)

    def hosts(self, run: str | None = None) -> pd.DataFrame:
        """Whole-host readings, one a second at most; counters are cumulative since boot."""
        return self._table_frame("hosts", run, ["host", "at"])

    def events(self, run: str | None = None) -> pd.DataFrame:
        """What happened and when; detail is JSON."""
        return self._table_frame("events", run)

    def table(
        self, name: str, run_id: str | None = None, columns: list[str] | None = None
    ) -> pa.Table:
        """A table of one run (its whole id) or of all, as Arrow: `run_id`, then `columns`.

        Without `columns` it has all, and last `spool`, which tells one attempt's rows from
        another's where a rerun repeats task and attempt.
        """
        if name not in TABLES:
            raise TracerError(f"no table {name}: there are {', '.join(TABLES)}")
        if run_id is None:
            return self._reader.read(name, self.existing_runs(), columns)
        run_id = run_id_of(run_id)
        found = self._reader.read(name, [run_id], columns)
        if not found.num_rows and run_id not in self.existing_runs():
            raise TracerError(f"no run {_quoted(run_id)} in {self.place}")
        return found

    def scan(self, name: str, run_id: str | None = None) -> ds.Dataset:
        """A table of one run (its whole id) or of all as an Arrow dataset, whose columns are those
        of `table`: what queries it reads no more of the files than it needs.

        Files may be compacted away while it is read: scan again then, or use `table`.
        """
        return self._scanner(name).scan(name, self._ids(run_id))

    def locate(self, name: str, run_id: str | None = None) -> Located:
        """The files that hold a table of one run (its whole id) or of all, and the rows that are
        in none: for a backend that reads the files itself."""
        return self._scanner(name).locate(name, self._ids(run_id))

    def stored(self, name: str, run_id: str | None = None) -> StoredTable:
        """A table of one run (its whole id) or of all, read when it is needed."""
        return StoredTable(self, name, run_id)

    def run_ids(self) -> list[str]:
        """The ids of all runs, by name; empty if there is no store."""
        waiting = {
            run_id
            for run_id, folders in self._layout.spool_folders(self._warn).items()
            if any(spool_files(folder, self._warn) for folder in folders)
        }
        stored = (self._layout.partitions(name, self._warn) for name in TABLES)
        return sorted(waiting.union(*stored))

    def existing_runs(self) -> list[str]:
        """`run_ids`, but raises TracerError if there is no store."""
        ids = self.run_ids()
        if not ids:
            record = hint("run", store=self._named)
            raise TracerError(
                f"no store at {self.place}: run something with `{record} -- COMMAND` first, "
                "or name another with --store"
            )
        return ids

    def resolve(self, run: str) -> str:
        """The run id that `run` stands for: `latest`, a whole id, or the beginning of just one.

        Where ids are `pipeline/run`, as Airflow's, also the beginning of the second part.
        """
        ids = self.existing_runs()
        given = run_id_of(run)
        if given in ids:
            return given
        if run == "latest":
            return self._by_age(ids)[-1]
        matching = [run_id for run_id in ids if run_id.startswith(run)]
        matching = matching or [i for i in ids if "/" in i and i.partition("/")[2].startswith(run)]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise TracerError(f"run {_quoted(run)} could be {_some(self._by_age(matching))}")
        raise TracerError(
            f"no run {_quoted(run)} in {self.place}: there are {_some(self._by_age(ids))}"
        )

    def ingest(self, run_id: str | None = None, progress: Progress | None = None) -> IngestResult:
        """Turn the spools that are final into Parquet, of one run (its whole id) or of all.

        Safe to kill, and to run twice at once. A store that can't be written is a warning.
        """
        chosen = None if run_id is None else run_id_of(run_id)
        return Ingest(self._layout, self._rules, self._warn, progress).run(chosen)

    def compact(self, run_id: str | None = None, progress: Progress | None = None) -> int:
        """Merge small parts and resolve overlaps; returns by how many files the store shrank.

        Raises TracerError if the store can't be written; nothing is lost then.
        """
        chosen = None if run_id is None else run_id_of(run_id)
        folders = [
            (name, folder)
            for name in TABLES
            for run, folder in self._layout.partitions(name, self._warn).items()
            if chosen in (None, run)
        ]
        removed = 0
        for done, (name, folder) in enumerate(folders, 1):
            try:
                remove_stale(folder)
                removed += compact_table(folder, name, self._warn)
            except OSError as error:
                raise TracerError(
                    f"cannot compact {folder}: {error.strerror or error}; nothing is lost"
                ) from error
            if progress:
                progress(done, len(folders))
        return removed

    def _table_frame(
        self, name: str, run: str | None, order: list[str] | None = None
    ) -> pd.DataFrame:
        columns = [column for column in TABLES[name].names if column != "spool"]
        ids = self.existing_runs() if run is None else [self.resolve(run)]
        table = self._reader.read(name, ids, columns)
        if order:
            table = table.sort_by([(c, "ascending") for c in ("run_id", *order)])
        return _frame(table)

    def _scanner(self, name: str) -> TableScanner:
        from tracer_hooks.store.scanning import TableScanner

        if name not in TABLES:
            raise TracerError(f"no table {name}: there are {', '.join(TABLES)}")
        return TableScanner(self._layout, self._pending, self._reader, self._warn)

    def _ids(self, run_id: str | None) -> list[str]:
        return self.existing_runs() if run_id is None else [run_id_of(run_id)]

    def _by_age(self, ids: list[str]) -> list[str]:
        """Run ids by when they were last started, or resumed; unknown first."""
        latest: dict[str, datetime] = {}
        for name in ("tasks", "runs"):
            starts = self._reader.read(name, ids, ["started_at"])
            starts = starts.filter(pc.is_valid(starts["started_at"]))
            newest = starts.group_by("run_id").aggregate([("started_at", "max")])
            for row in newest.to_pylist():
                latest[row["run_id"]] = max(
                    row["started_at_max"], latest.get(row["run_id"], row["started_at_max"])
                )
        return sorted(ids, key=lambda run_id: (run_id in latest, latest.get(run_id), run_id))

    def _rules(self) -> ToolRules:
        """How tools are named; looked up when there is something to name."""
        if self._tool_rules is None:
            from tracer_hooks.plugins import tool_rules

            self._tool_rules = tool_rules()
            own_rules = self.path / OWN_RULES
            if own_rules.is_file():
                self._tool_rules = self._tool_rules.extended([load_rules(own_rules)])
        return self._tool_rules

    def _warn(self, text: str) -> None:
        if text in self.warnings:
            return
        self.warnings.append(text)
        if self._on_warning:
            self._on_warning(text)
        else:
            warnings.warn(text, StoreWarning, stacklevel=4)


def _frame(table: pa.Table) -> pd.DataFrame:
    import pandas as pd

    nullable = {
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable.get, maps_as_pydicts="lossy")
    return frame


def _some(ids: list[str]) -> str:
    """The newest few, for a message of one line."""
    shown = [_quoted(run_id) for run_id in reversed(ids[-_SHOWN:])]
    if len(ids) > _SHOWN:
        shown.append(f"{len(ids) - _SHOWN} more")
    return ", ".join(shown)


def _quoted(run_id: str) -> str:
    """A run id in a message: on one line, and not too long for it."""
    shown = run_id if run_id.isprintable() else ascii(run_id)[1:-1]
    return shown if len(shown) <= 80 else shown[:79] + "…"
