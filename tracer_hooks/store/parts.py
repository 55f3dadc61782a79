"""Parts: the Parquet files of a table. Each says in its footer which spools it holds.

A part appears by rename (in an object store, when its upload is complete) and never changes. Its
name follows from the spools in it, so that two writers with the same spools write the same file.
What a set of parts holds is their union by spool: parts may overlap (two ingests at once, a
compaction that was killed), and whoever reads them takes each spool from one part only.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tracer_hooks.errors import TracerError
from tracer_hooks.store.liveness import pid_is_gone
from tracer_hooks.store.schema import SCHEMA_VERSION, TABLES
from tracer_hooks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracer_hooks.store.layout import Place

ROW_GROUP_ROWS = 131_072
_TEMPORARY = ".tmp"
_STALE_S = 3600.0
_GRACE_S = 60.0

_VERSION = b"tracer_hooks.schema_version"
_TABLE = b"tracer_hooks.table"
_WRITER = b"tracer_hooks.writer"
_SPOOLS = b"tracer_hooks.spools"  # names joined by newlines, zlib, base64


class UnreadablePartError(Exception):
    """A part that can't be read: damaged, or not ours. Its text says which and why."""

    def __init__(self, path: Place, message: str) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True)
class Part:
    """A part that is open for reading, even if compaction deletes it meanwhile."""

    path: Place
    file: pq.ParquetFile
    spools: frozenset[str]
    size: int

    @property
    def row_count(self) -> int:
        """How many rows it holds."""
        return int(self.file.metadata.num_rows)

    @property
    def columns(self) -> set[str]:
        """The names of its columns."""
        return set(self.file.schema_arrow.names)

    def read(self, columns: list[str]) -> pa.Table:
        """These of its columns that it has."""
        try:
            return self.file.read(columns=self._known(columns))
        except (OSError, pa.ArrowException) as error:
            raise _problem(self.path, error) from error

    def row_groups(self, columns: list[str]) -> Iterator[pa.Table]:
        """The same, one row group at a time."""
        try:
            for index in range(self.file.num_row_groups):
                yield self.file.read_row_group(index, columns=self._known(columns))
        except (OSError, pa.ArrowException) as error:
            raise _problem(self.path, error) from error

    def _known(self, columns: list[str]) -> list[str]:
        return [name for name in columns if name in self.columns]

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()


def open_part(path: Place, *, with_spools: bool = True) -> Part:
    """Open a part; without its spools, which take longer to read than the rest of the footer.

    Raises FileNotFoundError if it is gone, UnreadablePartError if it is damaged, TracerError if a
    newer release wrote it.
    """
    size = path.stat().st_size if isinstance(path, Path) else path.size()
    try:
        file = pq.ParquetFile(path if isinstance(path, Path) else path.open())
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise _problem(path, error) from error
    try:
        footer = file.metadata.metadata or {}
        version = int(footer[_VERSION])
        spools = _spools(footer[_SPOOLS]) if with_spools else frozenset()
    except (KeyError, ValueError, zlib.error) as error:
        file.close()
        raise UnreadablePartError(
            path, f"{path} was not written by tracer-hooks and is ignored"
        ) from error
    if version > SCHEMA_VERSION:
        file.close()
        raise TracerError(
            f"{path} was written by a newer tracer-hooks (schema {version}, this one reads up to "
            f"{SCHEMA_VERSION}): upgrade tracer-hooks"
        )
    return Part(path, file, spools, size)


def write_part(
    folder: Place, table: str, batches: Iterable[pa.Table], spools: Iterable[str]
) -> Place:
    """Write a part that holds `spools`, durably, and return its path. OSError if it can't be."""
    names = sorted(spools)
    text = "\n".join(names).encode()
    digest = hashlib.sha256(table.encode() + b"\0" + text).hexdigest()[:24]
    target = folder / f"part-{digest}.parquet"
    footer = {
        _VERSION: str(SCHEMA_VERSION).encode(),
        _TABLE: table.encode(),
        _WRITER: __version__.encode(),
        _SPOOLS: base64.b64encode(zlib.compress(text)),
    }
    if not isinstance(target, Path):
        with tempfile.TemporaryDirectory(prefix="tracer-hooks-") as scratch:
            temporary = Path(scratch) / target.name
            _write_checked(temporary, TABLES[table], batches, footer, names)
            target.put(temporary)
        return target
    _make_folder(target.parent)
    name = f".{target.stem}.{os.getpid()}-{time.time_ns():x}{_TEMPORARY}"
    temporary = target.with_name(name)
    try:
        _write_checked(temporary, TABLES[table], batches, footer, names)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(target.parent)
    return target


def remove_stale(folder: Place) -> None:
    """Delete temporary files that their writer can't finish any more."""
    if not isinstance(folder, Path):
        return  # an object store has none
    try:
        paths = [p for p in folder.iterdir() if p.suffix == _TEMPORARY and p.name[0] == "."]
    except OSError:
        return
    for path in paths:
        try:
            age = time.time() - path.stat().st_mtime
            pid = int(path.name.split(".")[-2].split("-")[0])
            # A pid that is not here may be another host's: leave it time to go on writing.
            if age > _STALE_S or (age > _GRACE_S and pid_is_gone(pid)):
                path.unlink()
        except (OSError, ValueError, IndexError):  # noqa: PERF203 (one must not keep the others)
            continue


def without(table: pa.Table, spools: Iterable[str]) -> pa.Table:
    """The rows of `table` that belong to none of `spools`."""
    import pyarrow.compute as pc

    unwanted = pa.array(list(spools), pa.string())
    if not len(unwanted):
        return table
    return table.filter(pc.invert(pc.is_in(table["spool"], value_set=unwanted)))


def overlapping(parts: Iterable[Part]) -> bool:
    """Some spool is in more than one of the parts."""
    seen: set[str] = set()
    for part in parts:
        if not seen.isdisjoint(part.spools):
            return True
        seen |= part.spools
    return False


def _write_checked(
    path: Path,
    schema: pa.Schema,
    batches: Iterable[pa.Table],
    footer: dict[bytes, bytes],
    names: list[str],
) -> None:
    """Write a file, and look: spools and smaller parts are deleted on the strength of it."""
    _write(path, schema, batches, footer)
    written = open_part(path)
    written.close()
    if written.spools != frozenset(names):
        raise OSError(errno.EIO, f"{path} is not what was written")


def _write(
    path: Path, schema: pa.Schema, batches: Iterable[pa.Table], footer: dict[bytes, bytes]
) -> None:
    with path.open("xb") as sink:
        with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_table(batch, row_group_size=ROW_GROUP_ROWS)
            # Not in the schema's metadata, which the file would hold twice.
            writer.add_key_value_metadata(footer)
        sink.flush()
        os.fsync(sink.fileno())


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Make the names in a folder durable; a filesystem that can't, does so in its own time."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _spools(footer: bytes) -> frozenset[str]:
    return frozenset(zlib.decompress(base64.b64decode(footer)).decode().split("\n"))


def _problem(path: Place, error: Exception) -> Exception:
    """A damaged part; or one that is gone by now, or an object store that can't be asked."""
    if not isinstance(path, Path) and isinstance(error, OSError):
        return path.problem(error)
    return _unreadable(path, error)


def _unreadable(path: Place, error: Exception) -> UnreadablePartError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UnreadablePartError(
        path, f"{path} cannot be read and is ignored ({reason[:120]}): delete it or restore it"
    )
