"""How the tests call the command line: the installed console script, as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tracer_hooks.cli import application

# Variables that change what the command line does or shows.
CHANGING = (
    *("TRACER_HOOKS_STORE", "TRACER_HOOKS_DEBUG", "TRACER_HOOKS_REDACT"),
    *("COLUMNS", "FORCE_COLOR", "NO_COLOR"),
)
SCRIPT = str(Path(sys.executable).with_name("tracer-hooks"))


def children() -> set[str]:
    """The pids of this process's children; of other tests too, which run in the same process."""
    threads = Path("/proc/self/task").iterdir()
    return {pid for thread in threads for pid in (thread / "children").read_text().split()}


def environment(**changes: str) -> dict[str, str]:
    """This environment without what would change the outcome, and with `changes`."""
    return {k: v for k, v in os.environ.items() if k not in CHANGING} | changes


def tracer_hooks(
    *arguments: str | bytes | Path, cwd: Any = None, env: dict[str, str] | None = None, **how: Any
) -> subprocess.CompletedProcess[str]:
    """Run `tracer-hooks ARGUMENTS`; output is captured as text."""
    how.setdefault("stdin", subprocess.DEVNULL)
    how.setdefault("stdout", subprocess.PIPE)
    how.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(
        [SCRIPT, *arguments],
        cwd=cwd,
        env=environment() if env is None else env,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
        check=False,
        **how,
    )


class Answer(NamedTuple):
    """What a command gave back."""

    returncode: int
    stdout: str
    stderr: str


def one_error(done: Answer | subprocess.CompletedProcess[str], code: int) -> str:
    """The one line of the error that `done` must be; fails if it is anything else."""
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("tracer-hooks: error: ")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")
    return done.stderr.removeprefix("tracer-hooks: error: ").rstrip("\n")


def here(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Answer:
    """The same command inside this process, which has what is slow to import already."""
    capsys.readouterr()
    returncode = application.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return Answer(returncode, said.out, said.err)
