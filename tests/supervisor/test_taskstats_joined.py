"""Exit records and what looks found of the same processes, whichever comes first."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.supervisor.harness import PYTHON, Observed, by_name, command_for, read_spools

pytestmark = pytest.mark.usefixtures("permitted")
PATCHED = """
import os, sys, time
sys.path.insert(0, {root!r})
from tracer_hooks.supervisor import entry, observer, taskstats
{patch}
entry.main(sys.argv[1:])
"""


def observe_patched(
    folder: Path, patch: str, command: list[str], capture: str = "taskstats"
) -> Observed:
    """The record of `command`, of a supervisor in which `patch` was executed first."""
    script = folder / "patched.py"
    script.write_text(PATCHED.format(root=str(Path(__file__).parents[2]), patch=patch))
    head = command_for(folder / "s", command, "--capture", capture)
    subprocess.run([PYTHON, "-I", "-S", str(script), *head[4:]], check=True, timeout=60)
    (lines,) = read_spools(folder / "s")
    return Observed(0, b"", b"", lines)


ZOMBIES = """
import os, time
pids = [os.posix_spawn("/bin/true", ["true"], os.environ) for _ in range(5)]
for pid in pids: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
for _ in range(30): time.sleep(0.02)
for pid in pids: os.waitpid(pid, 0)
"""


def test_who_is_not_reaped_for_a_while_counts_once(tmp_path: Path) -> None:
    command = ["sh", "-c", 'sleep 0.3; "$0" -I -S -c "$1"; true', PYTHON, ZOMBIES]
    observed = observe_patched(tmp_path, "taskstats._REMEMBERED_S = 0.01", command)
    assert by_name(observed)["true"]["count"] == 5
    assert observed.sealed["process_count"] == 8


LATE_TO_EXEC = """
import os, sys, time
pid = os.fork()
if not pid:
    time.sleep(0.3)
    os.execv("/bin/true", ["true"])
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
time.sleep(0.15)
open(sys.argv[1], "w").close()
time.sleep(0.5)
os.waitpid(pid, 0)
"""
READ_LATE = """
read = observer.Observer._read
observer.reading_gap_s = lambda age_s: 0.05
observer.Observer._read = lambda self, now: os.path.exists({told!r}) and read(self, now)
"""


def test_a_zombie_that_was_met_before_its_exec_has_the_name_of_its_end(tmp_path: Path) -> None:
    told = str(tmp_path / "told")
    command = [PYTHON, "-I", "-S", "-c", LATE_TO_EXEC, told]
    observed = observe_patched(tmp_path, READ_LATE.format(told=told), command)
    named = sorted(line["comm"] for line in observed.of_type("p"))
    assert named == sorted(["true", Path(PYTHON).resolve().name])


FORKS = """
import os, time
for _ in range(30):
    pid = os.fork()
    if not pid:
        time.sleep(0.02)
        os.execv("/bin/true", ["true"])
    os.waitpid(pid, 0)
"""
DRAINED_LATE = """
drain = taskstats.TaskstatsSource._drain
taskstats.TaskstatsSource._drain = lambda self, now: time.sleep(0.06) or drain(self, now)
"""


def test_who_execs_and_ends_between_the_drains_of_two_sources_is_one_program(
    tmp_path: Path,
) -> None:
    command = [PYTHON, "-I", "-S", "-c", FORKS]
    observed = observe_patched(tmp_path, DRAINED_LATE, command, "auto")
    assert observed.sealed["capture"] == "perf+taskstats"
    assert by_name(observed)["true"]["count"] == 30
