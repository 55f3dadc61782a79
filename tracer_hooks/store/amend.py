"""What an adapter learns of its tasks only when the run is over, put on their cards."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from tracer_hooks.store.layout import Layout, SpoolFile, spool_files
from tracer_hooks.store.spool import looks_sealed, read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Known = dict[tuple[str, int], dict[str, Any]]


def amend_cards(store: Path, run_id: str, known: Known) -> int:
    """Add what is `known`, by task id and attempt, to the cards of a run's sealed spools that wait
    for their ingest; what a card says already stands. Returns how many were changed.

    A `submitted_at` after the attempt's start is that of a later stretch, and is left out. A spool
    is replaced whole, by a rename; one that is ingested meanwhile keeps what it had.
    """
    changed = 0
    for folder in Layout(store).spool_folders().get(run_id, []):
        for file in spool_files(folder):
            changed += file.kind == "attempt" and _amend(file, known)
    return changed


def _amend(file: SpoolFile, known: Mapping[tuple[str, int], dict[str, Any]]) -> bool:
    try:
        data = read_bytes(file)
    except OSError:  # another user's
        return False
    if data is None or not looks_sealed(data):
        return False
    first, newline, rest = data.partition(b"\n")
    try:
        line = json.loads(first)
        card = line["card"]
        more = dict(known[card["task_id"], card.get("attempt", 1)])
    except (ValueError, KeyError, TypeError):
        return False
    if more.get("submitted_at", 0) > line.get("started_at", 0):
        return False
    more["tags"] = {**more.get("tags", {}), **card.get("tags", {})}
    line["card"] = {**more, **card, "tags": more["tags"]}
    if line["card"] == card:
        return False
    new = file.path.with_name(f".{file.path.name}.{os.getpid()}")
    try:
        new.write_bytes(json.dumps(line).encode("ascii") + newline + rest)
        if not file.path.exists():  # ingested meanwhile
            return False
        new.replace(file.path)
    finally:
        new.unlink(missing_ok=True)
    return True
