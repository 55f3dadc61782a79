"""Runs commands under the real supervisor and reads back what it recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUPERVISOR = Path(__file__).parents[2] / "tracer_hooks" / "supervisor" / "__main__.py"
PYTHON = os.path.realpath(sys.executable)


@dataclass
class Observed:
    """What came out of one supervised command."""

    returncode: int
    stdout: bytes
    stderr: bytes
    lines: list[dict[str, Any]]

    @property
    def sealed(self) -> dict[str, Any]:
        (line,) = [line for line in self.lines if line["t"] == "sealed"]
        return line

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["t"] == kind]

    def processes(self) -> dict[int, dict[str, Any]]:
        """Identity and last figures of each process image, by id."""
        rows = {line["id"]: dict(line) for line in self.of_type("p")}
        for line in self.of_type("q"):
            rows[line["id"]].update(line)
        return rows


def command_for(
    store: Path, command: list[str], *options: str, task: str = "task", python: str = PYTHON
) -> list[str]:
    card = json.dumps({"run_id": "run", "task_id": task})
    head = [python, "-I", "-S", str(SUPERVISOR), "run", "--store", str(store), "--run", "run"]
    return [*head, "--task", task, "--card", card, *options, "--", *command]


def read_spools(store: Path, task: str = "task") -> list[list[dict[str, Any]]]:
    files = sorted((store / "spool" / "run").glob(f"{task}.*.jsonl"))
    return [[json.loads(line) for line in file.read_text().splitlines()] for file in files]


def observe(
    store: Path, command: list[str], *options: str, python: str = PYTHON, **popen: Any
) -> Observed:
    """Run `command` supervised; every invariant of a sealed record is checked on the way."""
    popen.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(
        command_for(store, command, *options, python=python),
        check=False,
        capture_output=True,
        timeout=120,
        **popen,
    )
    lines = read_spools(store)[-1] if (store / "spool").exists() else []
    observed = Observed(done.returncode, done.stdout, done.stderr, lines)
    if observed.of_type("sealed"):
        check_invariants(observed.sealed)
    return observed


def check_invariants(sealed: dict[str, Any]) -> None:
    parts = ["wall_cpu_s", "wall_runnable_s", "wall_disk_s", "wall_network_s", "wall_idle_s"]
    values = [sealed[name] or 0.0 for name in parts]
    assert all(value >= 0 for value in values), values
    assert abs(sum(values) - sealed["wall_s"]) < 1e-3
    assert abs(sealed["cpu_user_s"] + sealed["cpu_system_s"] - sealed["cpu_s"]) < 1e-6
    assert sealed["cpu_unattributed_s"] >= 0
    assert sealed["observer_cpu_s"] > 0
    assert sealed["observer_memory_bytes"] < 20 * 2**20


def by_name(observed: Observed) -> dict[str, dict[str, float]]:
    """Count, CPU and bytes of what ended, by name; rows and folded groups together."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    groups = {line["n"]: line for line in observed.of_type("fold")}
    rows = [dict(row, count=1) for row in observed.processes().values()]
    for row in [*rows, *groups.values()]:
        for key in ("count", "cpu_s", "disk_write_bytes", "io_write_chars"):
            found[row["comm"]][key] += row.get(key) or 0
    return found
