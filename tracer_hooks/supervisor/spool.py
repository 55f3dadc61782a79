"""The spool writer: one append-only file, complete up to the last flush whatever dies.

A line is handed to the kernel in one write(2) per flush, so nothing of a flushed line depends on
this process. When the file can't be written (no space, no folder, no permission) the lines wait
in memory, bounded, and every later flush tries again.
"""

import posix

from tracer_hooks.supervisor import jsonl

_FLAGS = posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC
# While the disk is full lines wait here; past this the middle of the record is given up.
_MAX_WAITING_BYTES = 4 << 20


class Spool:
    """Lines for one attempt. No method raises OSError: `problem` says what went wrong last."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problem = None  # type: str | None
        self.dropped_lines = 0
        self._fd = -1
        self._waiting = []  # type: list[bytes]
        self._waiting_bytes = 0
        self._torn = b""  # the rest of a line that the kernel took only half of

    def add(self, line: "dict[str, object]") -> None:
        """Put a line in the buffer; `flush` hands it to the kernel."""
        data = jsonl.encode(line).encode("ascii") + b"\n"
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _MAX_WAITING_BYTES:
            self._drop()

    def flush(self) -> bool:
        """Append all that waits to the file; False if it could not be (it is kept and retried)."""
        if not self._waiting and not self._torn:
            return True
        try:
            if self._fd < 0:
                self._fd = self._open()
            data = self._torn + b"".join(self._waiting)
            self._waiting = []
            self._waiting_bytes = 0
            self._torn = data
            while self._torn:
                written = posix.write(self._fd, self._torn)
                self._torn = self._torn[written:]
        except OSError as error:
            self.problem = "%s: %s" % (self.path, error.strerror)
            return False
        self.problem = None
        return True

    def close(self) -> None:
        """Close the file; what could not be written by now is lost."""
        if self._fd >= 0:
            try:
                posix.close(self._fd)
            except OSError as error:  # NFS reports a full disk here
                self.problem = "%s: %s" % (self.path, error.strerror)
            self._fd = -1

    def _open(self) -> int:
        try:
            return posix.open(self.path, _FLAGS, 0o666)
        except FileNotFoundError:
            make_folders(self.path.rpartition("/")[0])
            return posix.open(self.path, _FLAGS, 0o666)

    def _drop(self) -> None:
        # The first line says who this is and the newest say how it went: drop what is between.
        keep = len(self._waiting) // 2
        first = self._waiting[:1] if self._fd < 0 else []
        dropped = self._waiting[len(first) : keep]
        self._waiting = first + self._waiting[keep:]
        self.dropped_lines += len(dropped)
        self._waiting_bytes = sum([len(line) for line in self._waiting])


def make_folders(path: str) -> None:
    """mkdir -p."""
    try:
        posix.mkdir(path, 0o777)
    except FileExistsError:
        pass
    except FileNotFoundError:
        parent = path.rpartition("/")[0]
        if not parent:
            raise
        make_folders(parent)
        try:
            posix.mkdir(path, 0o777)
        except FileExistsError:
            pass  # another task of the run was quicker
