"""Keys of a terminal, one at a time and unseen."""

from __future__ import annotations

import os
import re
import select
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = {
    b"\x1b[A": "up", b"\x1bOA": "up", b"k": "up", b"\x1b[B": "down", b"\x1bOB": "down",
    b"j": "down", b"\r": "enter", b"\n": "enter", b"\x1b[C": "enter", b"\x1bOC": "enter",
    b"\x1b": "escape", b"\x7f": "escape", b"\x1b[D": "escape", b"\x1bOD": "escape",
}  # fmt: skip
# The rest of a key that began with the escape character is there so soon, also from far away.
_REST_S = 0.1
_KEY = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)?|.", re.DOTALL)
_BEGUN = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|O)?")


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
        self._typed = b""  # and not taken yet: who holds a key down is faster than a screen

    def next(self, seconds: float) -> str | None:
        """The next key by its name or letter, or None if there is none for so long; `q` at the
        end of the input."""
        if not self._typed:
            if not self._ready(seconds):
                return None
            self._typed = os.read(self._descriptor, 64)
            if not self._typed:
                return "q"
        while _BEGUN.fullmatch(self._typed) and self._ready(_REST_S):
            more = os.read(self._descriptor, 64)
            if not more:
                break
            self._typed += more
        key = _KEY.match(self._typed)
        data = key.group() if key else self._typed
        self._typed = self._typed[len(data) :]
        return _NAMES.get(data, data[:1].decode("latin-1"))

    def _ready(self, seconds: float) -> bool:
        return bool(select.select([self._descriptor], [], [], seconds)[0])
