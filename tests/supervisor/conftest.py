"""What the tests of the supervisor share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.supervisor.connections import INTERPRETER, Nobody
from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.sockets_created import Created
from tracer_hooks.supervisor.sources import Refused
from tracer_hooks.supervisor.taskstats_open import ExitMessages


@pytest.fixture
def bpf() -> None:
    """Skip where the kernel does not tell who opens sockets."""
    try:
        Created(Proc(), "self").close()
    except (OSError, Refused) as refused:
        pytest.skip(str(refused))


@pytest.fixture
def nobody() -> Iterator[Nobody]:
    """Runs supervised programs without privileges, whoever runs the tests."""
    if not INTERPRETER.exists():
        pytest.skip(f"needs {INTERPRETER}, which everybody may run")
    unprivileged = Nobody()
    yield unprivileged
    unprivileged.close()


@pytest.fixture
def messages() -> Iterator[ExitMessages]:
    """An open socket for exit records; the test is skipped where this user may not have one."""
    try:
        opened = ExitMessages()
    except Refused as error:
        pytest.skip(f"no exit records here: {error}")
    yield opened
    opened.close()


@pytest.fixture
def permitted(messages: ExitMessages) -> None:
    """Only where exit records are permitted."""
