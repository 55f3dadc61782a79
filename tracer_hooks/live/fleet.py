"""Everything that runs in a store: its runs and attempts, brought up to date by looking again."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracer_hooks.live.attempt import Attempt
from tracer_hooks.live.runs import Record, Run
from tracer_hooks.live.spoolfile import SpoolFile
from tracer_hooks.store.layout import SUFFIX, Layout, stored_run_id
from tracer_hooks.store.liveness import SILENT_S, observer_life

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tracer_hooks.alert.rules import Measure

# A folder whose time of change is as young may have changed again within its clock's tick.
_TICK_S = 3.0
_LIFE_EVERY_S = 5.0


@dataclass
class Followed:
    """An attempt with its open spool. `life`: whether its supervisor was seen to live."""

    attempt: Attempt
    file: SpoolFile
    life: str = "unknown"
    life_at: float = 0.0


@dataclass
class _Folder:
    """A run's spool folder, as it was last listed."""

    run_id: str
    changed_ns: int = 0
    listed_at: float = 0.0
    names: set[str] = field(default_factory=set)


class Fleet:
    """The runs and attempts of a store. `look` reads what was written since the last time."""

    def __init__(
        self, root: Path, measure: Measure, skip: Callable[[str, str], bool] | None = None
    ) -> None:
        """`skip(run_id, stem)` says which spools are of no interest any more."""
        self._layout = Layout(root)
        self._measure = measure
        self._skip = skip or (lambda _run, _stem: False)
        self._folders: dict[str, _Folder] = {}
        self.attempts: dict[tuple[str, str], Followed] = {}
        self.runs: dict[str, Run] = {}
        self.missed = 0  # spools that were gone before they could be opened

    def look(self, now: float | None = None) -> Iterator[Followed]:
        """Bring everything up to date; the attempts that are over since the last look.

        Each is handed out once, still open, and forgotten when the caller goes on. An attempt whose
        spool is deleted before its end was seen is handed out too, with the status `running`.
        """
        now = time.time() if now is None else now
        self._drop_runs()
        self._list_folders(now)
        for key, followed in list(self.attempts.items()):
            if self._update(followed, now):
                yield followed
                self._forget(key)
        running = Counter(f.attempt.run_id for f in self.attempts.values() if _runs(f))
        for followed in self.attempts.values():
            self.runs[followed.attempt.run_id].describe(followed.attempt)
        for run in self.runs.values():
            run.running = running[run.run_id]
            run.update(now)

    def close(self) -> None:
        """Let go of all files."""
        for followed in self.attempts.values():
            followed.file.close()
        for run in self.runs.values():
            run.close()
        self.attempts.clear()
        self.runs.clear()

    def running(self) -> list[Attempt]:
        """The attempts that run."""
        return [f.attempt for f in self.attempts.values() if _runs(f)]

    def active(self) -> list[Run]:
        """The runs that go on."""
        return [run for run in self.runs.values() if run.active]

    # --- files -----------------------------------------------------------------------------------
    def _list_folders(self, now: float) -> None:
        present = set()
        try:
            with os.scandir(self._layout.spools) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                        present.add(entry.name)
        except (FileNotFoundError, NotADirectoryError):
            pass
        for name in [name for name in self._folders if name not in present]:
            del self._folders[name]
        for name in present:
            folder = self._folders.setdefault(name, _Folder(stored_run_id(name)))
            path = self._layout.spools / name
            try:
                changed_ns = path.stat().st_mtime_ns
            except OSError:
                continue
            settled = folder.listed_at - changed_ns / 1e9 > _TICK_S
            if changed_ns != folder.changed_ns or not settled:
                folder.changed_ns, folder.listed_at = changed_ns, now
                self._list(folder, path)

    def _list(self, folder: _Folder, path: Path) -> None:
        try:
            names = {entry.name for entry in path.iterdir() if entry.name.endswith(SUFFIX)}
        except OSError:
            return
        for name in sorted(names - folder.names):
            self._open(folder.run_id, str(path / name), name.removesuffix(SUFFIX))
        folder.names = names

    def _open(self, run_id: str, path: str, stem: str) -> None:
        if stem.startswith(("@host.", ".")):
            return
        run = self.runs.setdefault(run_id, Run(run_id))
        if self._skip(run_id, stem):
            return
        try:
            file = SpoolFile(path)
        except OSError:
            self.missed += 1
            return
        if stem.startswith("@run."):
            run.records[stem] = Record(stem, file)
        elif (run_id, stem) in self.attempts:
            file.close()
        else:
            self.attempts[run_id, stem] = Followed(Attempt(run_id, stem), file)

    # --- what they say ---------------------------------------------------------------------------
    def _update(self, followed: Followed, now: float) -> bool:
        """Read on; whether the attempt is over."""
        attempt, file = followed.attempt, followed.file
        gone = file.gone()  # asked first, so that what is read then is all
        for line in file.new_lines():
            attempt.take(line, self._measure)
        if attempt.sealed is not None:
            return True
        if now - followed.life_at >= _LIFE_EVERY_S:
            followed.life_at = now
            age = now - file.modified_at()
            observer = attempt.head.get("observer")
            observer = observer if isinstance(observer, dict) else {}
            followed.life = observer_life(observer, attempt.host or None, age)
            if followed.life == "gone":
                # Its last words may have come between the reading and the look at its life.
                for line in file.new_lines():
                    attempt.take(line, self._measure)
                if attempt.sealed is not None:
                    return True
                if attempt.head:
                    attempt.status = "lost"
                    return True
            silent = followed.life == "unknown" and age > SILENT_S
            attempt.status = "lost" if silent else "running"
        return gone

    def _forget(self, key: tuple[str, str]) -> None:
        followed = self.attempts.pop(key)
        followed.file.close()
        run = self.runs.get(key[0])
        if run is not None:
            run.describe(followed.attempt)
            run.ended[followed.attempt.status] += 1

    def _drop_runs(self) -> None:
        """Forget the runs that are over and of which nothing is left to read."""
        present = {folder.run_id for folder in self._folders.values()}
        present.update(run_id for run_id, _ in self.attempts)
        for run_id in [name for name in self.runs if name not in present]:
            self.runs.pop(run_id).close()


def _runs(followed: Followed) -> bool:
    return followed.attempt.status == "running"
