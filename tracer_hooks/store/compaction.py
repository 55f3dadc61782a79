"""Compaction: many small parts of a run's table become few, and overlaps are resolved.

Safe without a lock, for one reason: a part is deleted only when another part, already published
and durable, holds all its spools and more. Whatever two compactions and any number of ingests do at
once, following such parts from larger to larger ends at one that exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from tracer_hooks.store.layout import part_paths
from tracer_hooks.store.parts import (
    ROW_GROUP_ROWS,
    Part,
    UnreadablePartError,
    open_part,
    overlapping,
    without,
    write_part,
)
from tracer_hooks.store.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer_hooks.store.layout import Place, Warn

# Parts smaller than the first are merged into parts of up to the second.
SMALL_BYTES = 16 << 20
TARGET_BYTES = 64 << 20
# The footer names every spool, and whoever opens the part reads it all.
TARGET_SPOOLS = 100_000
WORTH_IT_PARTS = 8


def compact_table(folder: Place, table: str, warn: Warn, *, only_if_worth_it: bool = False) -> int:
    """Compact one run's parts of one table; returns how many parts went.

    With `only_if_worth_it` nothing happens below nine small parts, unless parts overlap. Raises
    OSError if the folder can't be written; every row is then where it was.
    """
    paths = part_paths(folder)
    if len(paths) < 2:
        return 0
    parts = _open_all(paths, warn)
    try:
        small = [part for part in parts if _small(part)]
        if only_if_worth_it and len(small) <= WORTH_IT_PARTS and not overlapping(parts):
            return 0
        kept = _drop_covered(parts)
        removed = len(parts) - len(kept)
        for group in _groups(kept):
            removed += _merge(folder, table, group, warn)
        return removed
    finally:
        for part in parts:
            part.close()


def _small(part: Part) -> bool:
    return part.size < SMALL_BYTES and len(part.spools) < TARGET_SPOOLS


def _open_all(paths: list[Place], warn: Warn) -> list[Part]:
    parts = []
    for path in paths:
        try:
            parts.append(open_part(path))
        except FileNotFoundError:  # noqa: PERF203 (opening a file costs a thousand times more)
            continue  # another compaction took it
        except UnreadablePartError as error:
            warn(str(error))
    return parts


def _drop_covered(parts: list[Part]) -> list[Part]:
    """Delete parts whose spools another part holds, and more."""
    kept = []
    for part in parts:
        if any(part.spools < other.spools for other in parts):
            part.path.unlink(missing_ok=True)
        else:
            kept.append(part)
    return kept


def _groups(parts: list[Part]) -> Iterator[list[Part]]:
    """Parts to merge into one: those that overlap, and small ones up to the target."""
    group: list[Part] = []
    size = spools = 0
    for cluster in _clusters(parts):
        cluster_size = sum(part.size for part in cluster)
        cluster_spools = sum(len(part.spools) for part in cluster)
        if len(cluster) == 1 and not _small(cluster[0]):
            continue
        if group and (
            size + cluster_size > TARGET_BYTES or spools + cluster_spools > TARGET_SPOOLS
        ):
            yield group
            group, size, spools = [], 0, 0
        group += cluster
        size += cluster_size
        spools += cluster_spools
    if group:
        yield group


def _clusters(parts: list[Part]) -> list[list[Part]]:
    """Parts that overlap, directly or through others, together."""
    cluster_of: dict[str, list[Part]] = {}
    clusters: list[list[Part]] = []
    for part in parts:
        joined = [part]
        for other in {id(c): c for s in part.spools if (c := cluster_of.get(s))}.values():
            joined = other + joined
            clusters.remove(other)
        clusters.append(joined)
        for member in joined:
            cluster_of.update(dict.fromkeys(member.spools, joined))
    return clusters


def _merge(folder: Place, table: str, group: list[Part], warn: Warn) -> int:
    """Merge parts into one; returns by how many files there are fewer."""
    # What this release doesn't know in a part would be lost by rewriting it.
    group = [part for part in group if part.columns <= set(TABLES[table].names)]
    while len(group) > 1:
        spools = frozenset().union(*(part.spools for part in group))
        try:
            write_part(folder, table, _row_groups(group, TABLES[table]), spools)
        except UnreadablePartError as error:
            warn(str(error))
            group = [part for part in group if part.path != error.path]
            continue
        merged = [part for part in group if part.spools < spools]
        for part in merged:
            part.path.unlink(missing_ok=True)
        return len(merged) - (len(merged) == len(group))
    return 0


def _row_groups(group: list[Part], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of all parts, each spool once, in pieces of a row group's size."""
    waiting: list[pa.Table] = []
    rows = 0
    seen: set[str] = set()
    for part in group:
        repeated = part.spools & seen
        seen |= part.spools
        for raw in part.row_groups(schema.names):
            table = without(conform(raw, schema, raw.num_rows), repeated)
            waiting.append(table)
            rows += table.num_rows
            if rows >= ROW_GROUP_ROWS:
                yield pa.concat_tables(waiting)
                waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def conform(table: pa.Table, schema: pa.Schema, row_count: int) -> pa.Table:
    """`table` with exactly the schema's columns: one that it lacks, or whose type can't be
    brought over, is null. A table without columns still has `row_count` rows."""
    columns = []
    for field in schema:
        if field.name in table.column_names:
            found = table[field.name]
            if found.type == field.type:
                columns.append(found)
                continue
            try:
                columns.append(found.cast(field.type))
                continue
            except pa.ArrowException:
                pass
        columns.append(pa.nulls(row_count, field.type))
    return pa.table(columns, schema=schema)
