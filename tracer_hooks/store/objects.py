"""Parquet files in an object store: what parts need of a path, for S3, Google Cloud and Azure.

An object appears whole when its upload is complete, so nothing is renamed. Listings are consistent
in all three, which `part_paths` relies on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.fs as fs

from tracer_hooks.errors import TracerError
from tracer_hooks.staging import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PIECE_BYTES = 8 << 20


class ObjectStoreError(TracerError, OSError):
    """An object store did not do what it was asked: unreachable, no such bucket, not permitted."""


@dataclass(frozen=True)
class ObjectPath:
    """An object, or a common beginning of objects' names, as if it were a path.

    `path` is bucket and key, `url` what messages show. Methods raise ObjectStoreError, or
    FileNotFoundError where there is no such object.
    """

    path: str
    url: str = field(compare=False)
    filesystem: fs.FileSystem = field(compare=False, repr=False)

    @classmethod
    def of(cls, url: str) -> ObjectPath:
        """Where a URL leads; its options (`?endpoint_override=…`) are Arrow's."""
        try:
            filesystem, path = fs.FileSystem.from_uri(url)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ObjectStoreError(
                f"{shown(url)}: no store that can be used ({_first_line(error)}): give a folder, "
                "or a URL like s3://bucket/folder, gs://bucket/folder, abfs://container/folder"
            ) from error
        return cls(path.rstrip("/"), shown(url).rstrip("/"), filesystem)

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> ObjectPath:
        return ObjectPath(f"{self.path}/{name}", f"{self.url}/{name}", self.filesystem)

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.rpartition("/")[2]

    def iterdir(self) -> Iterator[ObjectPath]:
        """What lies directly below; nothing if there is nothing."""
        return (self / info.base_name for info in self._list())

    def folders(self) -> list[ObjectPath]:
        """The folders directly below, by name."""
        found = [info.base_name for info in self._list() if info.type == fs.FileType.Directory]
        return [self / name for name in sorted(found)]

    def size(self) -> int:
        """In bytes."""
        info = self._info()
        if info.type != fs.FileType.File:
            raise FileNotFoundError(f"{self} is gone")
        return int(info.size)

    def open(self) -> pa.NativeFile:
        """For reading at any place."""
        try:
            return self.filesystem.open_input_file(self.path)
        except OSError as error:
            raise self.problem(error) from error

    def put(self, source: Path) -> None:
        """Upload a file under this name, which has it whole or not at all."""
        try:
            with (
                source.open("rb") as file,
                self.filesystem.open_output_stream(self.path, compression=None) as sink,
            ):
                while piece := file.read(_PIECE_BYTES):
                    sink.write(piece)
        except (OSError, pa.ArrowException) as error:
            raise self._failed("write", error) from error
        if self.size() != source.stat().st_size:
            self.unlink(missing_ok=True)
            raise ObjectStoreError(f"cannot write {self}: it came out shorter than it should be")

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Delete the object."""
        try:
            self.filesystem.delete_file(self.path)
        except FileNotFoundError:
            if not missing_ok:
                raise
        except (OSError, pa.ArrowException) as error:
            raise self._failed("delete", error) from error

    def problem(self, error: Exception) -> OSError:
        """What reading it failed of: it is gone by now, or the store could not be asked."""
        if self._info().type == fs.FileType.NotFound:
            return FileNotFoundError(f"{self} is gone")
        return self._failed("read", error)

    def _list(self) -> list[fs.FileInfo]:
        try:
            listed: list[fs.FileInfo] = self.filesystem.get_file_info(
                fs.FileSelector(self.path, allow_not_found=True)
            )
        except (OSError, pa.ArrowException) as error:
            raise self._failed("list", error) from error
        return listed

    def _info(self) -> fs.FileInfo:
        try:
            return self.filesystem.get_file_info(self.path)
        except (OSError, pa.ArrowException) as error:
            raise self._failed("read", error) from error

    def _failed(self, what: str, error: Exception) -> ObjectStoreError:
        return ObjectStoreError(f"cannot {what} {self}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
