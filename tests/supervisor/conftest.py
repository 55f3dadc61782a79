"""What the tests of the supervisor share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.supervisor.connections import INTERPRETER, Nobody
from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.sockets_created import Created
from tracer_hooks.supervisor.sources import Refused


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
