"""Real Snakemake runs: `TRACER_HOOKS_SNAKEMAKE_PYTHON` names the Python whose Snakemake is tested.

Default: the Python that runs the tests. Snakemake and the plugin have to be installed there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PYTHON = os.environ.get("TRACER_HOOKS_SNAKEMAKE_PYTHON", sys.executable)
WORKFLOWS = Path(__file__).parent / "workflows"
TIMEOUT_S = 200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here that starts Snakemake is an engine test."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and "snakemake" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.snakemake)


@dataclass
class Attempt:
    """What a spool says of one task attempt."""

    card: dict[str, Any]
    head: dict[str, Any]
    sealed: dict[str, Any]

    @property
    def name(self) -> tuple[str, int]:
        return self.card["task_id"], self.card["attempt"]


class Workdir:
    """A copy of a workflow, and Snakemake in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / ".tracer"

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """An environment in which the tested Python's scripts come first."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRACER_HOOKS")}
        path = f"{Path(PYTHON).parent}:{os.environ.get('PATH', '')}"
        return {**clean, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **(extra or {})}

    def command(self, *arguments: str) -> list[str]:
        return [PYTHON, "-m", "snakemake", *arguments]

    def run(
        self, *arguments: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Snakemake to its end; stdout and stderr are one text, as on a terminal."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def files(self) -> dict[str, str]:
        """Every file of the workflow with its content, but for Snakemake's and the store's own."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if path.is_file() and not name.startswith((".snakemake", ".tracer", "bench/")):
                found[name] = path.read_text(errors="replace")
        return found

    def _spools(self) -> list[tuple[str, list[dict[str, Any]]]]:
        return [
            (path.name, [json.loads(line) for line in path.read_text().splitlines()])
            for path in sorted(self.store.glob("spool/*/*.jsonl"))
        ]

    def attempts(self) -> dict[tuple[str, int], Attempt]:
        """The recorded attempts, by task id and attempt; each has exactly one spool."""
        found: dict[tuple[str, int], Attempt] = {}
        for name, lines in self._spools():
            if name.startswith("@"):
                continue
            assert lines[-1]["t"] == "sealed", f"{name} is not sealed"
            attempt = Attempt(lines[0]["card"], lines[0], lines[-1])
            assert attempt.name not in found, f"{attempt.name} is recorded twice"
            found[attempt.name] = attempt
        return found

    def run_record(self) -> list[dict[str, Any]]:
        """The lines of the run's own record."""
        (lines,) = [lines for name, lines in self._spools() if name.startswith("@run")]
        return lines


@pytest.fixture(scope="session")
def workdirs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes copies of a workflow: `workdirs("every_kind")`."""

    def make(workflow: str) -> Workdir:
        folder = tmp_path_factory.mktemp(workflow) / "work"
        shutil.copytree(WORKFLOWS / workflow, folder)
        return Workdir(folder)

    return make


@pytest.fixture(scope="session")
def snakemake(workdirs: Any) -> Any:
    """As `workdirs`, for tests that start Snakemake."""
    return workdirs
