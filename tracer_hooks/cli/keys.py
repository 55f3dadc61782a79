"""Keys of a terminal, one at a time and unseen."""

from __future__ import annotations

import os
import select
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = {
    b"\x1b[A": "up", b"\x1bOA": "up", b"k": "up", b"\x1b[B": "down", b"\x1bOB": "down",
    b"j": "down", b"\r": "enter", b"\n": "enter", b"\x1b[C": "enter", b"\x1b": "escape",
    b"\x7f": "escape", b"\x1b[D": "escape",
}  # fmt: skip


@contextmanager
def keys() -> Iterator[Keys]:
    """The terminal gives keys without a newline, and none to the screen, until this is left."""
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class Keys:
    """What is typed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def next(self, seconds: float) -> str | None:
        """The next key by its name or letter, or None if there is none for so long; `q` at the
        end of the input."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return None
        data = os.read(self._descriptor, 8)
        if not data:
            return "q"
        return _NAMES.get(data, data[:1].decode("latin-1"))
