"""The command line as a user who is not root and owns nothing but the working directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.nobody.user import Nobody


def test_a_command_its_record_and_what_reads_it(nobody: Nobody, folder: Path) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; id -un; exit 3"
    done = nobody.run("tracer-hooks", "run", "--run", "R", "sh", "-c", script, cwd=folder)
    assert (done.returncode, done.stderr) == (3, "")
    user = done.stdout.strip()
    assert user != "root"
    report = nobody.run("tracer-hooks", "report", "R", "--format", "json", cwd=folder)
    assert (report.returncode, report.stderr) == (0, "")
    (task,) = json.loads(report.stdout)["tasks"]
    assert task["user"] == user
    assert (task["status"], task["exit_code"]) == ("failed", 3)
    assert task["cpu_s"] > 0
    assert task["process_count"] == 2  # sh and id
    assert list(folder.glob(".tracer/tasks/run_id=R/*.parquet"))
    for command in (("runs",), ("show", "R", "sh"), ("compact",), ("doctor",)):
        done = nobody.run("tracer-hooks", *command, cwd=folder)
        assert done.returncode == 0, (command, done.stderr)
        assert "Traceback" not in done.stderr


def test_a_store_that_belongs_to_root_does_not_matter(nobody: Nobody, folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder that is closed to this user")
    mine = Path(tempfile.mkdtemp(prefix="tracer-hooks-root-"))
    try:
        done = nobody.run(
            *("tracer-hooks", "run", "--store", str(mine), "--verbose", "echo", "fine"), cwd=folder
        )
        assert (done.returncode, done.stdout) == (0, "fine\n")
        assert done.stderr.startswith("tracer-hooks:")
        assert done.stderr.count("\n") == 1
        assert list(mine.iterdir()) == []
    finally:
        shutil.rmtree(mine)


def test_a_store_that_may_only_be_read(nobody: Nobody, folder: Path) -> None:
    """Somebody else's runs: recorded by root, not ingested, and reported by nobody."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder that this user may read and not write")
    store = nobody.folder("root", owner="root") / "store"
    script = Path(sys.executable).with_name("tracer-hooks")
    subprocess.run([script, "run", "--store", store, "true"], check=True)
    report = nobody.run(
        "tracer-hooks", "report", "--store", str(store), "--format", "json", cwd=folder
    )
    assert report.returncode == 0, report.stderr
    assert json.loads(report.stdout)["tasks"][0]["status"] == "succeeded"
    assert "Traceback" not in report.stderr
    assert not list(store.glob("tasks/*"))
