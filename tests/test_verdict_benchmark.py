"""The benchmark of verdicts can fail: what was not recorded is not passed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "verdicts"


def benchmark(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BENCHMARK, *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, **variables},
    )  # fmt: skip


def test_where_nothing_was_kept_nothing_was_judged(tmp_path: Path) -> None:
    done = benchmark("--again", tmp_path)
    assert done.returncode == 1
    assert "only 0 of" in done.stderr


def test_a_task_that_ran_and_left_no_record_is_bad(tmp_path: Path) -> None:
    """The store is where a file is, so that the supervisor can write nothing, and the task runs."""
    (tmp_path / "true").symlink_to(tmp_path / "nowhere" / "at all")
    done = benchmark("--only", "too_short/true", "--keep", tmp_path)
    assert done.returncode == 1
    assert "BAD   too_short/true" in done.stderr
    assert "no record of it" in done.stderr
