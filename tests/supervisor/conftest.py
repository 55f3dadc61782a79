"""What the tests of the supervisor share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def quiet_machine() -> None:
    """Skip where others compete for the processors: the truth of the workload needs one free."""
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    if load > 0.6 * processors:
        pytest.skip(f"needs a quiet machine: load {load:.1f} on {processors} processors")
