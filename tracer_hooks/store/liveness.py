"""Does the writer of a spool still live? Decides between `running` and `lost`.

Only proof counts as gone: a spool that is taken away under a writer that lives would lose what it
writes from then on. Where nothing can be proved (another host, another pid namespace, no /proc)
the file's age decides what is shown, and only after a day what is ingested.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.store.spool import Spool

State = Literal["sealed", "running", "lost", "abandoned"]
Life = Literal["alive", "gone", "unknown"]

# A supervisor flushes at least every 10 s: after ten minutes of silence it is shown as lost …
SILENT_S = 600.0
# … and after a day it is taken as gone (a laptop may sleep for a night and go on).
ABANDONED_S = 86_400.0
# A task that waits holds no process: for so long it may still come back, unless its run is over.
PAUSED_S = 30 * 86_400.0
# A host that was rebooted took a while: guards against two hosts of one name on one filesystem.
_REBOOT_S = 60.0

_PROC = Path("/proc")


def attempt_state(spool: Spool, *, now: float | None = None, run_over: bool = False) -> State:
    """`sealed`; `running`; `lost`: nobody writes it, as far as can be seen; `abandoned`: nobody
    will ever write it again, so it may be ingested. `run_over`: its run is known to have ended."""
    if spool.paused:
        age = (time.time() if now is None else now) - spool.file.mtime
        return "abandoned" if run_over or age > PAUSED_S else "running"
    return "sealed" if spool.sealed else _unfinished(spool, SILENT_S, now)


def run_state(spool: Spool, last_activity: float, *, now: float | None = None) -> State:
    """The same for a run's record, which is silent while the run goes on: `last_activity` is when
    anything in the run's folder was last written (UNIX seconds)."""
    if spool.ended:
        return "sealed"
    return _unfinished(spool, ABANDONED_S, now, last_activity)


def _unfinished(
    spool: Spool, silent_s: float, now: float | None, last_activity: float = 0.0
) -> State:
    now = time.time() if now is None else now
    age = now - max(spool.file.mtime, last_activity)
    life = observer_life(spool.observer, spool.host, age)
    if life == "gone" or (life == "unknown" and age > ABANDONED_S):
        return "abandoned"
    return "lost" if life == "unknown" and age > silent_s else "running"


def observer_life(
    observer: Mapping[str, Any], host: str | None, age: float, proc: Path = _PROC
) -> Life:
    """Whether the process that `observer` names still lives.

    `host` is where it was started, `age` how long ago the file was touched in seconds.
    """
    pid, ticks = observer.get("pid"), observer.get("start_ticks")
    boot = observer.get("boot_id")
    if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid < 1 << 31:
        return "unknown"
    here = _read(proc / "sys/kernel/random/boot_id")
    if boot is None or here is None:
        return "unknown"
    if boot != here:
        return "gone" if host == os.uname().nodename and age > _REBOOT_S else "unknown"
    try:
        same_namespace = observer.get("pid_ns") == str((proc / "self/ns/pid").readlink())
    except OSError:
        same_namespace = False
    if not same_namespace or not isinstance(ticks, int):
        return "unknown"
    return _process_life(pid, ticks, proc)


def _process_life(pid: int, ticks: int, proc: Path) -> Life:
    stat = _read(proc / str(pid) / "stat")
    if stat is None:
        # /proc may be mounted so that other users' processes are not shown: ask the kernel.
        return "unknown" if _exists(pid) else "gone"
    fields = stat[stat.rindex(")") + 2 :].split()
    if int(fields[19]) != ticks:
        return "gone"  # the pid belongs to somebody else by now
    if fields[0] in "ZX":
        try:
            threads = len(list((proc / str(pid) / "task").iterdir()))
        except OSError:
            threads = 0
        return "alive" if threads > 1 else "gone"
    return "alive"


def pid_is_gone(pid: int) -> bool:
    """No process of this number is seen from here."""
    return not _exists(pid)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
