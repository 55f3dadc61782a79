"""Reading a table: ingested and pending rows alike, each spool once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracer_hooks.errors import TracerError
from tracer_hooks.store.compaction import conform
from tracer_hooks.store.layout import Layout, part_paths, unread
from tracer_hooks.store.parts import (
    Part,
    UnreadablePartError,
    open_part,
    overlapping,
    without,
)
from tracer_hooks.store.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tracer_hooks.store.layout import Place, Warn
    from tracer_hooks.store.pending import PendingReader

_ATTEMPTS = 100


class TableReader:
    """Reads the tables of one store."""

    def __init__(self, layout: Layout, pending: PendingReader, warn: Warn) -> None:
        self._layout = layout
        self._pending = pending
        self._warn = warn

    def read(self, name: str, run_ids: Iterable[str], columns: list[str] | None) -> pa.Table:
        """The rows of these runs; `run_id` comes first, then `columns`, or all with `spool`."""
        schema = TABLES[name]
        wanted = [c for c in (columns or schema.names) if c != "run_id"]
        unknown = [c for c in wanted if c not in schema.names]
        if unknown:
            raise TracerError(f"table {name} has no column {', '.join(unknown)}")
        result = pa.schema([pa.field("run_id", pa.string()), *(schema.field(c) for c in wanted)])
        read = wanted or ["spool"]  # without a column there would be no rows
        pieces = [result.empty_table()]
        waiting = self._layout.spool_folders(self._warn)
        for run_id in run_ids:
            for piece in self._read_run(name, run_id, read, waiting.get(run_id, [])):
                if piece.num_rows:
                    ids = pa.repeat(pa.scalar(run_id, pa.string()), piece.num_rows)
                    pieces.append(piece.add_column(0, result.field(0), ids).select(result.names))
        return pa.concat_tables(pieces)

    def _read_run(
        self, name: str, run_id: str, wanted: list[str], folders: list[Path]
    ) -> list[pa.Table]:
        # First what is pending, then the parts: a spool that is ingested in between is in both,
        # the other way round it would be in neither.
        pending = self._pending.tables(run_id, folders).get(name)
        folder = self._layout.partition(name, run_id)
        extra = ["host", "at"] if name == "hosts" else []
        needed = [*wanted, *(c for c in extra if c not in wanted)]
        pieces, ingested = self._read_parts(folder, name, needed)
        if pending is not None:
            pending = without(pending, ingested)
            pieces.append(pending.select(needed))
        if name == "hosts" and len(pieces) > 1:
            pieces = [_one_a_second(pa.concat_tables(pieces))]
        return [piece.select(wanted) for piece in pieces]

    def _read_parts(
        self, folder: Place, name: str, wanted: list[str]
    ) -> tuple[list[pa.Table], set[str]]:
        """The rows of all parts that can be read, and the names of their spools."""
        damaged: set[Place] = set()
        for _ in range(_ATTEMPTS):
            parts: list[Part] = []
            try:
                for path in part_paths(folder):
                    if path in damaged:
                        continue
                    try:
                        parts.append(open_part(path))
                    except UnreadablePartError as error:
                        damaged.add(path)
                        self._warn(str(error))
                return self._rows(parts, name, wanted), {s for p in parts for s in p.spools}
            except FileNotFoundError:
                continue  # compaction took a part away: what replaces it is there already
            except UnreadablePartError as error:
                damaged.add(error.path)
                self._warn(str(error))
            except OSError as error:
                self._warn(unread(folder, error))
                return [], set()
            finally:
                for part in parts:
                    part.close()
        raise TracerError(f"{folder} changes faster than it can be read: try again")

    def _rows(self, parts: list[Part], name: str, wanted: list[str]) -> list[pa.Table]:
        overlap = overlapping(parts) and "spool" not in wanted
        columns = [*wanted, "spool"] if overlap else wanted
        schema = pa.schema([TABLES[name].field(column) for column in columns])

        tables = []
        seen: set[str] = set()
        for part in parts:
            table = conform(part.read(columns), schema, part.row_count)
            repeated = part.spools & seen
            seen |= part.spools
            tables.append((without(table, repeated) if repeated else table).select(wanted))
        return tables


def _one_a_second(hosts: pa.Table) -> pa.Table:
    """Two writers may have read a host in the same second, in two files: keep one reading."""
    key = pa.table(
        {
            "host": hosts["host"],
            "second": pc.floor_temporal(hosts["at"], unit="second"),
            "row": pa.array(np.arange(hosts.num_rows)),
        }
    )
    first = key.group_by(["host", "second"]).aggregate([("row", "min")])["row_min"]
    return hosts.take(first.combine_chunks().sort())
