"""Where things lie in a store's folder. The only module that knows.

    <store>/spool/<run>/<task>.<attempt>.<unique>.jsonl      written by supervisors and adapters
    <store>/<table>/run_id=<run>/part-<hash>.parquet         written by ingest and compaction

A store behind a URL has its tables there and its spools in a folder here (`tracer_hooks.staging`).

A name that starts with a dot is being written; a spool that ends in `.unreadable` was set aside
because nothing in it can be read.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tracer_hooks.staging import is_url, url_of
from tracer_hooks.store.text import clean
from tracer_hooks.supervisor.identifiers import MAX_RUN_ID, escape, unescape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from tracer_hooks.store.objects import ObjectPath

    Place: TypeAlias = Path | ObjectPath

SUFFIX = ".jsonl"
UNREADABLE = ".unreadable"
# Rules of the store's owner for naming tools.
OWN_RULES = "tools.toml"
_PARTITION = "run_id="
_MAX_PARTITION = 240  # with `run_id=` it stays below NAME_MAX (255)
# What identifiers.escape can produce, and the @ of the files that belong to the run as a whole.
_STEM = re.compile(r"[A-Za-z0-9_\-.+,%~@]+")

Kind = Literal["attempt", "run", "host"]
Warn = Callable[[str], None]


@dataclass(frozen=True)
class SpoolFile:
    """A spool as the folder shows it; `size` in bytes, `mtime` in UNIX seconds."""

    path: Path
    stem: str
    kind: Kind
    size: int
    mtime: float


class Layout:
    """The paths of one store. Raises ObjectStoreError if its URL is none that can be used."""

    def __init__(self, root: Path, url: str | None = None) -> None:
        self.root = root
        self.spools = root / "spool"
        url = url if url and is_url(url) and not url.startswith("file:") else url_of(root)
        self.tables = _objects(url) if url else root

    def spool_folders(self, warn: Warn | None = None) -> dict[str, list[Path]]:
        """The spool folders of every run that has one, by run id."""
        folders: dict[str, list[Path]] = {}
        for path in _folders(self.spools, warn):
            folders.setdefault(stored_run_id(path.name), []).append(path)
        return folders

    def partition(self, table: str, run_id: str) -> Place:
        """The folder of one run's parts of one table."""
        return self.tables / table / (_PARTITION + escape(run_id, _MAX_PARTITION))

    def partitions(self, table: str, warn: Warn | None = None) -> dict[str, Place]:
        """The folders of a table's parts, by run id."""
        return {
            unescape(path.name[len(_PARTITION) :]): path
            for path in _subfolders(self.tables / table, warn)
            if path.name.startswith(_PARTITION)
        }


def run_id_of(given: str) -> str:
    """The id under which the store keeps a run that an adapter or a user calls `given`."""
    return stored_run_id(escape(given, MAX_RUN_ID))


def stored_run_id(folder: str) -> str:
    """The run id that a spool folder's name stands for: valid text, not too long for a partition.

    For every name of ordinary length this is what the adapter gave.
    """
    text = clean(unescape(folder))
    if _escaped_length(text) <= _MAX_PARTITION:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    head = text
    while _escaped_length(head) > _MAX_PARTITION - 19:  # %7E and the digest
        head = head[:-1]
    return f"{head}~{digest}"


def unread(path: object, error: OSError) -> str:
    """One line about a file or folder that we may not read, or can't."""
    return f"{path} cannot be read and is left as it is: {error.strerror or error}"


def spool_files(folder: Path, warn: Warn | None = None) -> list[SpoolFile]:
    """The spools in a run's folder, by name; none if the folder is gone, or cannot be read."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                stem = entry.name.removesuffix(SUFFIX)
                if stem == entry.name or not _STEM.fullmatch(stem):
                    continue
                try:
                    stat = entry.stat()
                except FileNotFoundError:  # ingested meanwhile
                    continue
                except OSError as error:
                    _tell(warn, folder / entry.name, error)
                    continue
                found.append(
                    SpoolFile(folder / entry.name, stem, _kind(stem), stat.st_size, stat.st_mtime)
                )
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        _tell(warn, folder, error)
    return sorted(found, key=lambda file: file.stem)


def part_paths(folder: Place) -> list[Place]:
    """The parts in a partition, by name.

    One listing may miss a part that compaction publishes and also the parts that it then deletes.
    What was published before a deletion is in every listing that begins later, so two listings in
    a row that agree have missed nothing.
    """
    before = _part_names(folder)
    for _ in range(50):
        after = _part_names(folder)
        if after == before:
            break
        before = after
    return [folder / name for name in before]


def _part_names(folder: Place) -> list[str]:
    try:
        names = [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(n for n in names if n.endswith(".parquet") and not n.startswith("."))


def _objects(url: str) -> ObjectPath:
    from tracer_hooks.store.objects import ObjectPath

    return ObjectPath.of(url)


def _subfolders(root: Place, warn: Warn | None) -> Sequence[Place]:
    return _folders(root, warn) if isinstance(root, Path) else root.folders()


def _folders(root: Path, warn: Warn | None) -> list[Path]:
    found = []
    try:
        with os.scandir(root) as entries:
            for entry in entries:
                try:
                    if entry.is_dir() and not entry.name.startswith("."):
                        found.append(root / entry.name)
                except OSError as error:  # noqa: PERF203 (one must not keep the others)
                    _tell(warn, root / entry.name, error)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        _tell(warn, root, error)
    return sorted(found)


def _tell(warn: Warn | None, path: Path, error: OSError) -> None:
    if warn is not None:
        warn(unread(path, error))


def _kind(stem: str) -> Kind:
    if stem.startswith("@run."):
        return "run"
    return "host" if stem.startswith("@host.") else "attempt"


def _escaped_length(text: str) -> int:
    return len(escape(text, 1 << 30))
