"""A table as an Arrow dataset: whoever queries it reads only the columns and rows that it needs.

Where rows must be compared before they can be handed out (parts that overlap, a host that was read
twice in a second) that run's rows are read into memory; everything else stays in its files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs

from tracer_hooks.store.layout import part_paths
from tracer_hooks.store.parts import Part, UnreadablePartError, open_part, overlapping
from tracer_hooks.store.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer_hooks.store.layout import Layout, Place, Warn
    from tracer_hooks.store.pending import PendingReader
    from tracer_hooks.store.reading import TableReader


@dataclass(frozen=True)
class Located:
    """A table in two parts: Parquet files, each with the run whose rows it holds, and rows that
    are in no such file, with `run_id` and all columns of the schema."""

    files: tuple[tuple[Place, str], ...]
    rows: pa.Table

    def dataset(self) -> ds.Dataset:
        """Both together."""
        schema, pieces = self.rows.schema, []
        if self.files:
            pieces.append(
                ds.FileSystemDataset.from_paths(
                    [str(p) if isinstance(p, Path) else p.path for p, _ in self.files],
                    schema=schema,
                    format=ds.ParquetFileFormat(),
                    filesystem=_filesystem(self.files[0][0]),
                    partitions=[ds.field("run_id") == run_id for _, run_id in self.files],
                )
            )
        if self.rows.num_rows or not pieces:
            pieces.append(ds.InMemoryDataset(self.rows))
        return pieces[0] if len(pieces) == 1 else ds.UnionDataset(schema, pieces)


class TableScanner:
    """Hands out the tables of one store as datasets.

    Files may be compacted away or be found to be damaged while they are read: who gets an error
    then asks again, or reads the table by way of `TableReader`, which copes.
    """

    def __init__(
        self, layout: Layout, pending: PendingReader, reader: TableReader, warn: Warn
    ) -> None:
        self._layout = layout
        self._pending = pending
        self._reader = reader
        self._warn = warn

    def locate(self, name: str, run_ids: Iterable[str]) -> Located:
        """Where the rows of these runs are."""
        files: list[tuple[Place, str]] = []
        loaded: list[str] = []
        waiting = self._layout.spool_folders(self._warn)
        for run_id in run_ids:
            paths = self._files(name, run_id, waiting.get(run_id, []))
            if paths is None:
                loaded.append(run_id)
            else:
                files += [(path, run_id) for path in paths]
        schema = TABLES[name].insert(0, pa.field("run_id", pa.string()))
        rows = self._reader.read(name, loaded, None)
        return Located(tuple(files), rows.select(schema.names).cast(schema))

    def scan(self, name: str, run_ids: Iterable[str]) -> ds.Dataset:
        """The rows of these runs: `run_id`, then the schema's columns, with their types."""
        return self.locate(name, run_ids).dataset()

    def _files(self, name: str, run_id: str, folders: list[Path]) -> list[Place] | None:
        """The run's parts, if all their rows as they are make up the table; else None."""
        # First what is pending, as in TableReader.
        if name in self._pending.tables(run_id, folders):
            return None
        parts: list[Part] = []
        try:
            paths = part_paths(self._layout.partition(name, run_id))
            if len(paths) > 1 and name == "hosts":
                return None
            parts.extend(open_part(path, with_spools=len(paths) > 1) for path in paths)
            return None if overlapping(parts) else paths
        except (OSError, UnreadablePartError):
            return None  # TableReader copes, and warns
        finally:
            for part in parts:
                part.close()


def _filesystem(place: Place) -> fs.FileSystem:
    return fs.LocalFileSystem() if isinstance(place, Path) else place.filesystem
