"""`run` as a user who is not root and owns nothing."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import tracer_hooks

PACKAGE = Path(tracer_hooks.__file__).parent
START = (
    f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); "
    "sys.argv = ['tracer-hooks', *sys.argv[1:]]; from tracer_hooks.cli import main; main()"
)


def as_nobody(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `command` as the user nobody, in no group."""
    nobody = pwd.getpwnam("nobody")
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60,
        user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that belongs to nobody."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user; as that user all other tests show it")
    made = Path(tempfile.mkdtemp(prefix="tracer-hooks-nobody-"))
    shutil.chown(made, "nobody")
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def python(folder: Path) -> str:
    """A Python that nobody may execute and that can read the package."""
    for candidate in ("/usr/bin/python3", "/usr/local/bin/python3"):
        if Path(candidate).exists():
            program = START.replace("main(); ", "").replace("; main()", "; print('fits')")
            probe = f"import sys; assert sys.version_info >= (3, 10); {program}"
            if as_nobody(candidate, "-c", probe, cwd=folder).stdout == "fits\n":
                return candidate
    pytest.skip("no Python 3.10 or newer that the user nobody may run with this package")


def test_a_command_and_its_record(python: str, folder: Path) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; id -un; exit 3"
    done = as_nobody(python, "-c", START, "run", "--run", "R", "sh", "-c", script, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (3, "nobody\n", "")
    (spool,) = folder.glob(".tracer/spool/R/sh-*.jsonl")
    first, *_, last = [json.loads(line) for line in spool.read_text().splitlines()]
    assert first["user"] == "nobody"
    assert (last["t"], last["exit_code"], last["status"]) == ("sealed", 3, "failed")
    assert last["cpu_s"] > 0


def test_a_store_that_belongs_to_root_does_not_matter(python: str, folder: Path) -> None:
    mine = Path(tempfile.mkdtemp(prefix="tracer-hooks-root-"))
    try:
        done = as_nobody(
            *(python, "-c", START, "run", "--store", str(mine), "--verbose", "echo", "fine"),
            cwd=folder,
        )
        assert (done.returncode, done.stdout) == (0, "fine\n")
        assert done.stderr.startswith("tracer-hooks:")
        assert done.stderr.count("\n") == 1
        assert list(mine.iterdir()) == []
    finally:
        mine.rmdir()
