"""The conditions of a storm: another user, a stricter kernel setting, a seccomp filter.

Each is put on the benchmark's own process before anything is measured, and the kernel's setting
is put back whatever comes.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import platform
import pwd
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_SYSTEM_PYTHON = "/usr/bin/python3"  # a virtual environment may be closed to other users
_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "riscv64": 241}
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38


def options(parser: argparse.ArgumentParser) -> None:
    """The options that choose a condition."""
    parser.add_argument("--user", help="run as this user (root may), for example nobody")
    parser.add_argument(
        "--paranoid", type=int, help="set kernel.perf_event_paranoid meanwhile (root may)"
    )
    parser.add_argument("--seccomp", action="store_true", help="perf_event_open fails with EPERM")


def under_conditions(arguments: argparse.Namespace) -> bool:
    """Put on what was asked for. True if the benchmark was run elsewhere, as another user."""
    if arguments.paranoid is not None or arguments.user:
        with _paranoid(arguments.paranoid):
            _again_as(arguments.user or "root", arguments.json)
        return True
    if arguments.seccomp:
        _refuse_perf_events()
    return False


@contextlib.contextmanager
def _paranoid(level: int | None) -> Iterator[None]:
    before = _PARANOID.read_text()
    if level is None:
        yield
        return

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    _PARANOID.write_text(str(level))
    try:
        yield
    finally:
        _PARANOID.write_text(before)


def _again_as(user: str, json: Path | None) -> None:
    """The same command line as `user`, from a copy that everybody may read. Exits on failure."""
    entry = pwd.getpwnam(user)
    home = Path(tempfile.mkdtemp(prefix="tracer-bench-"))
    try:
        home.chmod(0o755)
        for name in ("tracer_hooks", "benchmarks"):
            shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
        compile_all = [_SYSTEM_PYTHON, "-I", "-m", "compileall", "-q", home / "tracer_hooks"]
        subprocess.run(compile_all, check=True)  # as an installation has it
        words = _without(sys.argv[1:], ("--user", "--paranoid", "--json"))
        out = home / "out"
        out.mkdir()
        os.chown(out, entry.pw_uid, entry.pw_gid)
        script = home / "benchmarks" / Path(sys.argv[0]).name
        done = subprocess.run(
            [_SYSTEM_PYTHON, script, *words, "--json", out / "figures"],
            check=False,
            user=entry.pw_uid,
            group=entry.pw_gid,
            extra_groups=[],
            cwd=out,
            env={"PATH": os.environ["PATH"], "TMPDIR": str(out)},
        )
        if json is not None and (out / "figures").exists():
            shutil.copyfile(out / "figures", json)
        if done.returncode:
            raise SystemExit(done.returncode)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _without(words: list[str], names: tuple[str, ...]) -> list[str]:
    kept = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in names:
            skip = True
        elif word.partition("=")[0] not in names:
            kept.append(word)
    return kept


def _refuse_perf_events() -> None:
    """A seccomp filter for this process and all that it starts, as containers have one."""
    number = _PERF_EVENT_OPEN[platform.machine()]
    steps = (
        struct.pack("HBBI", 0x20, 0, 0, 0),  # load the system call's number
        struct.pack("HBBI", 0x15, 0, 1, number),  # skip the next unless it is this one
        struct.pack("HBBI", 0x06, 0, 0, 0x00050001),  # return EPERM
        struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000),  # allow
    )
    program = ctypes.create_string_buffer(b"".join(steps))
    head = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, 2, head, 0, 0):
        raise OSError(ctypes.get_errno(), "the seccomp filter is refused")
