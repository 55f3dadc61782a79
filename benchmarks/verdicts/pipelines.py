"""Two pipelines beside what a dashboard shows of their host: one that it misleads about, a control.

The first runs on a host that others keep busy: its tasks hardly compute, are blocked on the disk
most of the time, and short helpers are alive for most of it. The control computes.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

from places import PYTHON, beside, big_file, program
from programs import MIB

_TASKS = 3
# 64 MiB at a time past the page cache, each by a helper of its own.
_HELPERS = """end=$((SECONDS + 4)); n=0; while [ $SECONDS -lt $end ]; do
  dd if={input} of=/dev/null bs=1M count=64 skip=$((n % 4 * 64)) iflag=direct status=none
  n=$((n + 1))
done"""


def seed_case(scratch: Path) -> dict[str, Any]:
    """The report's `run`, of tasks that wait for the disk on a host that others keep busy."""
    command = ["bash", "-c", _HELPERS.format(input=big_file(scratch / "input", 256 * MIB))]
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            # They yield to everybody: the host is busy, and yet the tasks get their cores.
            others = ["nice", "-n", "19", "env", "VERDICTS_SECONDS=60", *program("busy")]
            stack.enter_context(beside(others))
        return _pipeline(scratch / "busy-host", command)


def control(scratch: Path) -> dict[str, Any]:
    """The report's `run`, of tasks that compute."""
    return _pipeline(scratch / "control", program("busy"))


def _pipeline(store: Path, command: list[str]) -> dict[str, Any]:
    for number in range(_TASKS):
        options = ["--store", str(store), "--run", "r", "--step", "s", "--task", f"s/{number}"]
        tracer = [PYTHON, "-m", "tracer_hooks"]
        subprocess.run([*tracer, "run", *options, "--", *command], check=True)
    report = [PYTHON, "-m", "tracer_hooks", "report", "--store", str(store), "--format", "json"]
    done = subprocess.run(report, check=True, capture_output=True, text=True)
    run: dict[str, Any] = json.loads(done.stdout)["run"]
    return run


def check(scratch: Path) -> list[str]:
    """Run both and print what is said of them; what is not as it should be, in words."""
    misled, honest = seed_case(scratch), control(scratch)
    for name, run in (("on a busy host, waiting for the disk", misled), ("control", honest)):
        print(f"{name}: {run['verdict']['label']}")
        for line in [*run["verdict"]["sentences"], run["dashboard"]["sentence"]]:
            print("  ", line)
    seen = misled["dashboard"]
    wanted = {
        "the host is shown as busy": seen["host_busy_share"] > 0.7,
        "its tasks are low on CPU": seen["tasks_cpu_share"] < 0.4,
        "they are blocked on disk most of the time": seen["tasks_disk_share"] > 0.5,
        "short helpers dominate": seen["helper_share"] > 0.5,
        "the pipeline is disk-bound": misled["verdict"]["label"] == "disk_bound",
        "the control is CPU-bound": honest["verdict"]["label"] == "cpu_bound",
    }
    return [f"not so: {what}" for what, so in wanted.items() if not so]
