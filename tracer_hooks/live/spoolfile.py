"""A spool read while it is written: whole lines, each once, also if it is deleted meanwhile."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from tracer_hooks.store.processes import process_rows
from tracer_hooks.store.text import clean
from tracer_hooks.store.tool_totals import tool_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer_hooks.tools import ToolRules

Line = dict[str, Any]

_CHUNK = 1 << 20
# Lines of processes are most of a spool, and of no interest before the end.
_TOLD = re.compile(rb'\{"t": ?"(?:p|q|fold|e)"')
_PROCESSES = re.compile(rb'\{"t": ?"(?:p|q|fold)"')

# A name may hold bytes that are no UTF-8, or half of a pair.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class SpoolFile:
    """An open spool. The descriptor is kept: what was ingested can still be read to its end."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._offset = 0

    def close(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def gone(self) -> bool:
        """Whether it was deleted: all that it has is what can be read of it now."""
        return os.fstat(self._fd).st_nlink == 0

    def modified_at(self) -> float:
        """When it was last written (UNIX seconds)."""
        return os.fstat(self._fd).st_mtime

    def new_lines(self) -> Iterator[Line]:
        """The whole lines since the last call, but for those of processes."""
        for text in self._lines():
            if not _PROCESSES.match(text) and (line := _parsed(text)) is not None:
                yield line

    def tools(self, interval_s: Any, rules: ToolRules) -> list[Line]:
        """What each tool took, from the whole file; see `tool_rows`."""
        kinds = self.process_lines()
        rows = process_rows(kinds["p"], kinds["q"], rules)
        return tool_rows(rows, kinds["fold"], interval_s, rules)

    def process_lines(self) -> dict[str, list[Line]]:
        """The lines `p`, `q`, `fold` and `e` of the whole file."""
        kinds: dict[str, list[Line]] = {"p": [], "q": [], "fold": [], "e": []}
        offset, self._offset = self._offset, 0
        for text in self._lines():
            if _TOLD.match(text) and (line := _parsed(text)) is not None:
                kinds[line["t"]].append(line)
        self._offset = max(offset, self._offset)
        return kinds

    def _lines(self) -> Iterator[bytes]:
        want = _CHUNK
        while data := os.pread(self._fd, want, self._offset):
            end = data.rfind(b"\n") + 1
            if not end:
                if len(data) < want:
                    return  # torn: its rest is still to be written
                want *= 2
                continue
            self._offset += end
            yield from data[:end].split(b"\n")[:-1]
            want = _CHUNK


def _parsed(text: bytes) -> Line | None:
    try:
        line = json.loads(text)
        if _SURROGATE.search(text):
            line = _valid(line)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and isinstance(line.get("t"), str) else None


def _valid(value: Any) -> Any:
    """The value with text that can be written everywhere, as the tables have it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _valid(item) for key, item in value.items()}
    return [_valid(item) for item in value] if isinstance(value, list) else value
