"""What became Parquet while nobody looked: between two looks, or between two lives."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.live.ingested import uncounted
from tracer_hooks.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracer_hooks.live.attempt import Attempt, Line
    from tracer_hooks.live.state import State

# Parquet is looked through at most so often: a process of its own, about a second of CPU.
_EVERY_S = 15.0
_LISTED_EVERY_S = 5.0
# A spool that vanished unsealed, and is in no Parquet either, is given up after so long.
_VANISHED_S = 900.0


class CatchUp:
    """Finds the attempts and runs of a store's Parquet that are in no counter yet."""

    def __init__(self, store: Path, state: State, warn: Callable[[str], None]) -> None:
        self._store, self._state, self._warn = store, state, warn
        self._layout = Layout(store)
        self._vanished: dict[tuple[str, str], tuple[float, Attempt]] = {}
        self._listed_at = self._read_at = 0.0

    def begin(self) -> None:
        """What is there before anybody counts is the past."""
        for run_id, changed in self._partitions().items():
            self._state.saw_partition(run_id, changed)

    def vanish(self, attempt: Attempt, now: float) -> None:
        """The attempt's spool was deleted, and it had no end: Parquet is to know it."""
        self._vanished[attempt.run_id, attempt.stem] = (now, attempt)

    def vanished(self) -> list[Attempt]:
        """The attempts of which that is still so."""
        return [attempt for _, attempt in self._vanished.values()]

    def given_up(self, now: float) -> list[Attempt]:
        """Those that no Parquet knew for so long that none will; they are forgotten here."""
        old = [key for key, (since, _) in self._vanished.items() if now - since > _VANISHED_S]
        return [self._vanished.pop(key)[1] for key in old]

    def look(self, now: float) -> Iterator[dict[str, Line]]:
        """What was ingested and is not counted: `{"attempt": row}` or `{"run": row}`."""
        changed = self._changed(now)
        if not changed or (self._read_at and now - self._read_at < _EVERY_S):
            return
        self._read_at = now
        self._state.commit()  # the other process reads it
        try:
            yield from uncounted(self._store, self._state.path, changed)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._warn(f"what was ingested could not be looked through: {error}")
            return
        for run_id, at in changed.items():
            if at:
                self._state.saw_partition(run_id, at)
        for key in [key for key in self._vanished if self._state.counted(*key)]:
            del self._vanished[key]

    def _changed(self, now: float) -> dict[str, int]:
        """The runs to look through, with when their Parquet changed (ns; 0: it did not)."""
        if now - self._listed_at < _LISTED_EVERY_S and not self._vanished:
            return {}
        self._listed_at = now
        seen = self._state.partitions()
        changed = {r: at for r, at in self._partitions().items() if seen.get(r) != at}
        return dict.fromkeys((run_id for run_id, _ in self._vanished), 0) | changed

    def _partitions(self) -> dict[str, int]:
        return {run_id: int(at * 1e9) for run_id, at in ingested_at(self._layout).items()}


def ingested_at(layout: Layout) -> dict[str, float]:
    """When the Parquet of each run changed last (UNIX seconds). Empty for object storage: listing
    it again and again would cost money, so there what is ingested unseen is not counted."""
    found: dict[str, float] = {}
    if not isinstance(layout.tables, Path):
        return found
    for run_id, path in layout.partitions("tasks").items():
        try:
            found[run_id] = Path(str(path)).stat().st_mtime_ns / 1e9
        except OSError:  # noqa: PERF203 (compaction may take it away meanwhile)
            continue
    return found
