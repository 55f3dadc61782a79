"""What the tests of the supervisor share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.supervisor.connections import INTERPRETER, Nobody


@pytest.fixture
def quiet_machine() -> None:
    """Skip where others compete for the processors: the truth of the workload needs one free."""
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    if load > 0.6 * processors:
        pytest.skip(f"needs a quiet machine: load {load:.1f} on {processors} processors")


@pytest.fixture
def nobody() -> Iterator[Nobody]:
    """Runs supervised programs without privileges, whoever runs the tests."""
    if not INTERPRETER.exists():
        pytest.skip(f"needs {INTERPRETER}, which everybody may run")
    unprivileged = Nobody()
    yield unprivileged
    unprivileged.close()
