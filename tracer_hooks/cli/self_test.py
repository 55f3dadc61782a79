"""The live test of `doctor`: a small real process tree, recorded, and held to what it did."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from tracer_hooks.cli.checks import Check

# A child of a child burns CPU and touches memory, three tiny helpers come and go, and the whole
# ends with a status of its own.
_BURN_S, _TOUCHED_BYTES, _STATUS = 0.3, 64 * 1024**2, 7
_GRANDCHILD = f"""
import time
held = bytearray({_TOUCHED_BYTES})
while time.process_time() < {_BURN_S}:
    pass
"""
_SCRIPT = '"$0" -I -S -c "$1" & for i in 1 2 3; do /bin/echo $i >/dev/null; done; wait; exit "$2"'


def run() -> list[Check]:
    """Record the tree in a store of its own, and say what was seen. Never raises."""
    try:
        return list(_run())
    except Exception as error:
        finding = f"the test itself failed: {type(error).__name__}: {error}"
        return [Check("live test", "failed", finding, "report this, it is a defect")]


def _run() -> list[Check]:
    from tracer_hooks.analysis.tables import records
    from tracer_hooks.report.units import duration, size
    from tracer_hooks.running import run as run_supervised
    from tracer_hooks.store import Store

    command = ["/bin/sh", "-c", _SCRIPT, sys.executable, _GRANDCHILD, str(_STATUS)]
    with tempfile.TemporaryDirectory(prefix="tracer-hooks-doctor-") as folder:
        done = run_supervised(command, store=folder, run="doctor", step="live test", task="tree")
        rows = records(Store(folder).tasks("doctor"))
    if done.returncode != _STATUS:
        finding = f"the command's exit status {_STATUS} became {done.returncode}"
        return [Check("live test", "failed", finding, "report this, it is a defect")]
    if len(rows) != 1 or rows[0]["status"] != "failed" or rows[0]["exit_code"] != _STATUS:
        return [Check("live test", "failed", "the command ran, but no complete record was written")]
    task = rows[0]
    seen = (
        f"recorded {_processes(task)}, {duration(task['cpu_s'])} of CPU, "
        f"{size(task['memory_peak_bytes'])} of memory at the peak; capture: {task['capture']}; "
        f"watching cost {duration(task['observer_cpu_s'])} of CPU"
    )
    missed = _missed(task)
    if missed:
        return [Check("live test", "failed", f"{seen}; but missed {missed}")]
    return [Check("live test", "ok", seen)]


def _processes(task: dict[str, Any]) -> str:
    count = task["process_count"]
    return "an unknown number of processes" if count is None else f"{count} processes"


def _missed(task: dict[str, Any]) -> str | None:
    """What the tree certainly did and the record does not show."""
    if task["cpu_s"] is None or task["cpu_s"] < 0.9 * _BURN_S:
        return f"CPU: the tree used at least {_BURN_S} s"
    if task["memory_peak_bytes"] is None or task["memory_peak_bytes"] < _TOUCHED_BYTES:
        return f"memory: the tree touched {_TOUCHED_BYTES // 1024**2} MiB"
    return None
