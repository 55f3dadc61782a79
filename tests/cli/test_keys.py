"""Keys of a terminal: none is lost to who types quickly, none is made of half a sequence."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from tracer_hooks.cli import keys as keys_module
from tracer_hooks.cli.keys import Keys


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def test_keys_that_come_together_are_told_one_by_one(pipe: tuple[int, int]) -> None:
    keys = Keys(pipe[0])
    os.write(pipe[1], b"jj\x1b[B\x1b[A\x1bOBm\r\x1b[1;5Aq")
    typed = [keys.next(1) for _ in range(9)]
    assert typed == ["down", "down", "down", "up", "down", "m", "enter", "\x1b", "q"]
    assert keys.next(0.01) is None
    os.close(pipe[1])
    assert keys.next(1) == "q"


def test_a_sequence_may_come_in_parts_and_escape_alone(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(pipe[0])
    os.write(pipe[1], b"\x1b")
    assert keys.next(1) == "escape"
    monkeypatch.setattr(keys_module, "_REST_S", 20.0)
    os.write(pipe[1], b"\x1b")
    later = threading.Timer(0.02, os.write, (pipe[1], b"[B"))
    later.start()
    assert keys.next(1) == "down"
    later.join()
    os.write(pipe[1], b"\x1b[")
    os.close(pipe[1])
    assert [keys.next(1) for _ in range(3)] == ["escape", "[", "q"]
