"""The Python interface as a user who is not root."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.nobody.user import Nobody

PROGRAM = """
import json, subprocess, sys
import tracer_hooks as th

with th.trace(run="R", step="traced", task="traced"):
    subprocess.run(["sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"], check=True)
th.run(["true"], run="R", step="ran", task="ran")
tasks = th.Store().tasks()
print(json.dumps({row.task_id: [row.status, row.cpu_s] for row in tasks.itertuples()}))
"""


def test_trace_and_run(nobody: Nobody, folder: Path) -> None:
    done = nobody.run(sys.executable, "-c", PROGRAM, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    tasks = json.loads(done.stdout)
    assert set(tasks) == {"traced", "ran"}
    assert tasks["traced"][0] == tasks["ran"][0] == "succeeded"
    assert tasks["traced"][1] > 0.02
