"""Where a labelled task runs: a control group with a limit, swap space, a server beside it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

PROGRAMS = str(Path(__file__).with_name("programs.py"))
PYTHON = sys.executable
_ROOT = Path("/sys/fs/cgroup")
_V2 = (_ROOT / "cgroup.controllers").exists()
_GROUP = f"tracer-verdicts-{os.getpid()}"
# Puts itself into each group that is named before `--`, then becomes the command.
_ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"'


class NotHereError(Exception):
    """This machine does not permit what a task needs; says what that is."""


def program(name: str, *arguments: object) -> list[str]:
    """The command that runs one of `programs`."""
    return [PYTHON, PROGRAMS, name, *map(str, arguments)]


@contextlib.contextmanager
def in_group(*, memory_bytes: int | None = None, cores: float | None = None) -> Iterator[list[str]]:
    """The head of a command that runs in a control group of its own with these limits."""
    made: list[Path] = []
    try:
        if memory_bytes is not None:
            name = "memory.max" if _V2 else "memory.limit_in_bytes"
            made.append(_limited("memory", {name: str(memory_bytes)}))
        if cores is not None:
            quota = str(int(100_000 * cores))
            made.append(_limited("cpu", {"cpu.max": f"{quota} 100000"} if _V2 else {
                "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": quota}))  # fmt: skip
        yield ["/bin/sh", "-c", _ENTER, "sh", *map(str, made), "--"]
    finally:
        for group in made:
            with contextlib.suppress(OSError):
                group.rmdir()


def _limited(controller: str, values: dict[str, str]) -> Path:
    group = (_ROOT if _V2 else _ROOT / controller) / f"{_GROUP}-{controller}"
    try:
        group.mkdir(exist_ok=True)
        for name, value in values.items():
            (group / name).write_text(value)
    except OSError as error:
        raise NotHereError(
            f"control groups for {controller} cannot be made here ({error})"
        ) from error
    return group


@contextlib.contextmanager
def swap(path: Path, size: int) -> Iterator[None]:
    """Swap space in a file, given back at the end."""
    try:
        subprocess.run(["fallocate", "-l", str(size), path], check=True, capture_output=True)
        path.chmod(0o600)
        subprocess.run(["mkswap", path], check=True, capture_output=True)
        subprocess.run(["swapon", path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        path.unlink(missing_ok=True)
        raise NotHereError(f"swap space cannot be added here ({error})") from error
    try:
        yield
    finally:
        subprocess.run(["swapoff", path], check=True)
        path.unlink()


@contextlib.contextmanager
def beside(command: Sequence[str], *, says: bool = False) -> Iterator[str]:
    """A program that runs meanwhile and is no part of the task; yields the line that it says."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip() if says else ""
    finally:
        process.kill()
        process.communicate()


def big_file(path: Path, size: int) -> Path:
    """A file of noise that is on the disk and not in memory."""
    with path.open("wb") as out:
        for _ in range(size >> 20):
            out.write(os.urandom(1 << 20))
        out.flush()
        os.fsync(out.fileno())
        os.posix_fadvise(out.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return path
