"""The single checks of `doctor`: each tries the real thing as this user, and changes nothing."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

State = Literal["ok", "limited", "failed"]
_LOW_DISK_BYTES = 100 * 1024**2
_GET_CHILD_SUBREAPER, _GET_PDEATHSIG = 37, 2


@dataclass(frozen=True)
class Check:
    """One thing that was tried: how it went, what was found, and what would make it better."""

    name: str
    state: State
    finding: str
    remedy: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def machine() -> Iterator[Check]:
    """What the kernel and its settings let this user see."""
    uname = os.uname()
    user = f"uid {os.geteuid()}"
    linux = uname.sysname == "Linux"
    yield Check(
        "system",
        "ok" if linux else "limited",
        f"{uname.sysname} {uname.release} {uname.machine}, {_cpus()}, {user}",
        None if linux else "record on Linux: elsewhere only the kernel's totals are known",
    )
    yield Check("python", "ok", f"{platform.python_version()} at {sys.executable}")
    if not linux:
        return
    yield _other_users()
    yield _children_files()
    yield from _own_files()
    yield _prctl("subreaper", _GET_CHILD_SUBREAPER, "orphans are adopted, so totals are exact")
    yield _prctl("parent-death signal", _GET_PDEATHSIG, "a task dies with its supervisor")


def _cpus() -> str:
    allowed, present = len(os.sched_getaffinity(0)), os.cpu_count()
    return f"{allowed} of {present} CPUs" if present and allowed < present else f"{allowed} CPUs"


def _other_users() -> Check:
    """Is /proc restricted (hidepid)? A task's processes are the user's own, except after setuid."""
    option = ""
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text(errors="replace").splitlines():
            fields = line.split()
            if len(fields) > 3 and fields[1] == "/proc":
                option = next((o for o in fields[3].split(",") if o.startswith("hidepid=")), "")
    if option in ("", "hidepid=0", "hidepid=off"):
        return Check("/proc", "ok", "processes of every user are visible")
    return Check(
        "/proc",
        "limited",
        f"mounted with {option}: helpers that run as another user (sudo, setuid) stay unseen; "
        "their CPU is still in the totals",
        "mount -o remount,hidepid=0 /proc (as root)",
    )


def _children_files() -> Check:
    try:
        Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError as error:
        return Check(
            "process tree",
            "limited",
            f"/proc/PID/task/TID/children: {error.strerror}; all of /proc is searched instead, "
            "which costs more on a busy host",
            "a kernel with CONFIG_PROC_CHILDREN",
        )
    return Check("process tree", "ok", "/proc/PID/task/TID/children is there")


# file of /proc/self: what it tells, what is missing without it, what would bring it
_FILES = {
    "stat": ("CPU time, faults, threads", "no per-process figures", "mount /proc"),
    "schedstat": (
        "CPU and run-queue wait in nanoseconds",
        "waiting for a CPU is not told from sleeping",
        "a kernel with CONFIG_SCHED_INFO",
    ),
    "io": (
        "bytes read and written",
        "no disk figures",
        "a kernel with CONFIG_TASK_IO_ACCOUNTING; in a container, one without a /proc mask",
    ),
    "smaps_rollup": (
        "memory with shared pages counted once",
        "memory of forks that share pages is counted once per process",
        "Linux 4.14 or newer",
    ),
    "wchan": (
        "what a sleeper sleeps on",
        "waiting for the network is not told from sleeping",
        "a kernel with CONFIG_KALLSYMS",
    ),
    "syscall": (
        "the system call that a sleeper is in",
        "waiting for the network is guessed from open sockets only",
        "a kernel with CONFIG_HAVE_ARCH_TRACEHOOK",
    ),
}


def _own_files() -> Iterator[Check]:
    """The files that polling reads, of a child of ours: of oneself more is permitted."""
    read, write = os.pipe()
    child = os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", "read _"],
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, read, 0), (os.POSIX_SPAWN_CLOSE, write)],
    )
    os.close(read)
    try:
        _await_sleep(child)
        for name, (tells, without, remedy) in _FILES.items():
            why = None
            try:
                content = Path(f"/proc/{child}/{name}").read_bytes()
            except OSError as error:
                why = error.strerror
            else:
                if name == "wchan" and content.strip() in (b"", b"0"):
                    why = "the kernel does not say"
            if why is None:
                yield Check(name, "ok", tells)
            else:
                yield Check(name, "limited", f"/proc/PID/{name}: {why}; {without}", remedy)
    finally:
        os.close(write)
        with suppress(ChildProcessError):
            os.waitpid(child, 0)


def _await_sleep(pid: int) -> None:
    """Until the child waits for its input, or a moment has passed."""
    deadline = time.monotonic() + 1
    with suppress(OSError):
        while time.monotonic() < deadline:
            if b") S " in Path(f"/proc/{pid}/stat").read_bytes():
                return
            time.sleep(0.001)


def _prctl(name: str, option: int, meaning: str) -> Check:
    """Whether prctl answers; a seccomp filter or an old kernel may refuse it. Only asks."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        value = ctypes.c_int()
        done = libc.prctl(option, ctypes.byref(value), 0, 0, 0)
        error = os.strerror(ctypes.get_errno()) if done else None
    except (OSError, AttributeError) as problem:
        error = str(problem)
    if error is None:
        return Check(name, "ok", meaning)
    return Check(
        name,
        "limited",
        f"prctl refuses: {error}",
        "allow prctl in the container's seccomp profile",
    )


def store(path: Path) -> Iterator[Check]:
    """Whether the store, or the folder it would be made in, takes a record and has room for it."""
    folder = path
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    made = "" if folder == path else " (it will be made)"
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".tracer-hooks-"):
            pass
    except OSError as error:
        yield Check(
            "store",
            "failed",
            f"cannot write to {folder}: {error.strerror or error}; nothing can be recorded",
            "choose another with --store DIR or TRACER_HOOKS_STORE, or change who may write there",
        )
    else:
        yield Check("store", "ok", f"{path} is writable{made}")
    free = shutil.disk_usage(folder).free
    yield Check(
        "disk space",
        "ok" if free > _LOW_DISK_BYTES else "failed" if free < 1024**2 else "limited",
        f"{free / 1024**3:.1f} GiB free for the store",
        None if free > _LOW_DISK_BYTES else "make room, or choose another store with --store",
    )
