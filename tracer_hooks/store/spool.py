"""One spool file, read: its lines as objects, whatever state the file is in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracer_hooks.store.layout import SpoolFile

FORMAT_VERSION = 1

Line = dict[str, Any]

_RESUMED = b'\n{"t":"resumed",'


@dataclass(frozen=True)
class Spool:
    """What can be read of a spool: its whole lines, and how many lines could not be read.
    `unread` says why where the file is there and we can't read it."""

    file: SpoolFile
    lines: list[Line]
    garbage_lines: int
    unread: OSError | None = None

    @property
    def sealed(self) -> bool:
        """The attempt ended and was accounted for."""
        return any(line["t"] == "sealed" for line in reversed(self.lines))

    @property
    def paused(self) -> bool:
        """The attempt has let go of its process, and may go on in another one."""
        return bool(self.lines) and self.lines[-1]["t"] == "paused"

    @property
    def ended(self) -> bool:
        """The run's record was closed by its adapter."""
        return any(line["t"] == "run_end" for line in self.lines)

    @property
    def of_run(self) -> bool:
        """An adapter's record of the run as a whole, not only of something that happened to it."""
        return any(line["t"] == "run" for line in self.lines)

    @property
    def observer(self) -> dict[str, Any]:
        """Who writes the file; empty if its first line is not to be had."""
        return _dict(self._writer().get("observer"))

    @property
    def host(self) -> str | None:
        """The host that the file is written on."""
        host = self._writer().get("host")
        return host if isinstance(host, str) else None

    @property
    def newer(self) -> bool:
        """Written in a later version of the format, which this one does not claim to read."""
        version = self._head().get("v")
        return isinstance(version, int) and version > FORMAT_VERSION

    def _writer(self) -> Line:
        """The line that names who writes: the last that took over after a pause, or the first."""
        took_over = (line for line in reversed(self.lines) if line["t"] == "resumed")
        return next(took_over, None) or self._head()

    def _head(self) -> Line:
        return next((line for line in self.lines if line["t"] in ("card", "run")), {})


def read_spool(file: SpoolFile) -> Spool | None:
    """Read a spool; None if it is gone, because somebody ingested it."""
    try:
        data = read_bytes(file)
    except OSError as error:
        return Spool(file, [], 0, error)
    return None if data is None else parse_spool(file, data)


def read_bytes(file: SpoolFile) -> bytes | None:
    """A spool as it is now; None if it is gone. OSError if it is there and can't be read."""
    try:
        with open(file.path, "rb", buffering=0) as source:  # noqa: PTH123 (twice as fast, × 20,000)
            return source.readall()
    except FileNotFoundError:
        return None


def parse_spool(file: SpoolFile, data: bytes) -> Spool:
    """All of a spool."""
    lines, garbage = parse_lines(data)
    return Spool(file, lines, garbage)


def parse_ends(file: SpoolFile, data: bytes) -> Spool:
    """Only the first and the last whole line, and the last that says who took over the writing:
    enough to judge its state."""
    complete = data[: data.rfind(b"\n") + 1]
    first = complete[: complete.find(b"\n") + 1]
    start = complete.rfind(b"\n", 0, -1) + 1
    last = complete[start:]
    found = complete.rfind(_RESUMED, 0, start)
    resumed = complete[found + 1 : complete.find(b"\n", found + 1) + 1] if found >= 0 else b""
    lines, garbage = parse_lines(first if first == complete else first + resumed + last)
    return Spool(file, lines, garbage)


def looks_sealed(data: bytes) -> bool:
    """The last line says so (a quick look, for the many that are sealed)."""
    return data.endswith(b"\n") and b'"sealed"' in data[data.rfind(b"\n", 0, -1) + 1 :]


def parse_lines(data: bytes) -> tuple[list[Line], int]:
    """The objects of a spool's whole lines, and how many lines are not one.

    The last line is torn if it lacks its newline, and is not counted.
    """
    complete = data.decode("utf-8", "surrogateescape").split("\n")[:-1]
    try:
        # One call for the file is faster than one for each line.
        lines = json.loads("[" + ",".join(complete) + "]")
        if len(lines) == len(complete) and all(
            type(line) is dict and type(line.get("t")) is str for line in lines
        ):
            return lines, 0
    except (ValueError, RecursionError):
        pass
    lines = []
    garbage = 0
    for text in complete:
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            garbage += 1
            continue
        if isinstance(line, dict) and isinstance(line.get("t"), str):
            lines.append(line)
        else:
            garbage += 1
    return lines, garbage


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
