"""Tasks that alerts are about, where a command alone does not make one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cli.command import SCRIPT, environment
from tests.servers.daemon import require

BUSY = "while true; do head -c 200000 /dev/urandom | md5sum > /dev/null; done"
# Arguments: MiB at the start, MiB more each half second, MiB at most.
GROW = """
import hashlib, sys, time
start, step, most = (int(word) << 20 for word in sys.argv[1:])
kept = [b"x" * start]
while True:
    hashlib.sha256(bytes(10_000_000)).digest()
    time.sleep(0.5)
    if sum(map(len, kept)) < most:
        kept.append(b"x" * step)
"""


def _command(store: Path, flags: dict[str, str], command: tuple[str, ...]) -> list[str]:
    words = [word for name, value in flags.items() for word in (f"--{name}", value)]
    return [SCRIPT, "run", "--store", str(store), *words, "--", *command]


def confined(store: Path, group: Path, *command: str, **flags: str) -> None:
    """A task in a cgroup, to its end. `flags`: as of `tracer-hooks run`."""

    def enter() -> None:
        (group / "cgroup.procs").write_text(str(os.getpid()))

    subprocess.run(
        _command(store, flags, command), env=environment(), preexec_fn=enter, check=False,
        timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def without_net_admin(store: Path, *command: str, **flags: str) -> subprocess.Popen[bytes]:
    """A task that asks for what it may not have: the kernel's account of exits."""
    require("setpriv")
    drop = ["--bounding-set", "-net_admin"] if os.geteuid() == 0 else ["--no-new-privs"]
    return subprocess.Popen(
        ["setpriv", *drop, *_command(store, {"capture": "taskstats", **flags}, command)],
        env=environment(), start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
