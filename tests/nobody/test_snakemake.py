"""A whole workflow under `--executor tracer` as a user who is not root."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.nobody.user import REPOSITORY, Nobody

pytestmark = [pytest.mark.engine, pytest.mark.snakemake]
WORKFLOWS = REPOSITORY / "tests" / "snakemake" / "workflows"


def test_every_kind_of_job(nobody: Nobody, folder: Path) -> None:
    work = folder / "work"
    shutil.copytree(WORKFLOWS / "every_kind", work)
    done = nobody.run("chmod", "-R", "u+rwX", str(work), cwd=folder)
    for path in (work, *work.rglob("*")):
        shutil.chown(path, folder.owner())
    arguments = ("--executor", "tracer", "--cores", "2", "--config", "notebook=1")
    done = nobody.run(sys.executable, "-m", "snakemake", *arguments, cwd=work)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Full report: tracer-hooks report" in done.stdout + done.stderr
    report = nobody.run("tracer-hooks", "report", "--format", "json", cwd=work)
    assert (report.returncode, report.stderr) == (0, "")
    tasks = json.loads(report.stdout)["tasks"]
    assert len(tasks) > 20
    assert {task["user"] for task in tasks} == {folder.owner()}
    by_step = {task["step"]: task for task in tasks}
    for step in ("map", "scripted", "run_python", "shadowed", "pipe_from", "benchmarked"):
        assert by_step[step]["status"] == "succeeded"
        assert by_step[step]["cpu_s"] > 0
        assert by_step[step]["process_count"] >= 1
