"""What the supervisor promises is shown once more by a user who is not root: the tests of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.nobody.user import REPOSITORY, Nobody

pytestmark = pytest.mark.engine  # a suite of its own

SHOWN = (
    "tests/supervisor/test_measurements.py",
    "tests/supervisor/test_fail_open.py",
    "tests/supervisor/test_transparency.py",
    "tests/cli/test_run.py",
)


def test_the_figures_and_the_promises(nobody: Nobody, folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("this user is not root: the tests themselves show it")
    # One after the other: they measure, and another worker has its own tests beside them.
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir")
    done = nobody.run(
        *(sys.executable, *arguments, str(REPOSITORY), "-c", str(REPOSITORY / "pyproject.toml")),
        *(str(REPOSITORY / path) for path in SHOWN),
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY), "TRACER_TEST_KILLS": "10"},
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
