"""Who the processes of a task are: real pools, daemons and chains of programs, by their names."""

from __future__ import annotations

import collections
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.harness import PYTHON, Observed, observe
from tracer_hooks.tools import tool_name

CAPTURES = ["auto", "poll"]
Row = dict[str, Any]


def tool(row: Row) -> str:
    return tool_name(row["exe"], row["argv"], row["comm"])


def named(observed: Observed, name: str) -> list[Row]:
    return [row for row in observed.processes().values() if tool(row) == name]


def workers(observed: Observed, name: str) -> list[Row]:
    """The forks without exec of the program of that name that forked the most."""
    rows = observed.processes()
    forks = [row for row in named(observed, name) if row["forked"]]
    ((main, _),) = collections.Counter(row["parent"] for row in forks).most_common(1)
    assert not rows[main]["forked"]
    assert tool(rows[main]) == name
    return [row for row in forks if row["parent"] == main]


POOL = """
import multiprocessing, time
def work(number):
    end = time.process_time() + 0.1
    while time.process_time() < end: pass
    time.sleep(0.2)
if __name__ == "__main__":
    with multiprocessing.get_context("{how}").Pool(3) as pool: pool.map(work, range(6), 1)
"""


@pytest.mark.parametrize("capture", CAPTURES)
def test_a_multiprocessing_pool(tmp_path: Path, capture: str) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL.format(how="fork"))
    observed = observe(tmp_path, [PYTHON, str(script)], "--capture", capture)
    forks = workers(observed, "python pool.py")
    assert len(forks) == 3
    assert sum(row["cpu_s"] for row in forks) == pytest.approx(0.6, abs=0.15)
    # none is counted twice: what is named is what there was, as far as switches tell (4 %)
    named_s = sum(row["cpu_s"] for row in observed.processes().values())
    assert named_s <= 1.05 * observed.sealed["cpu_s"]


def test_a_pool_that_spawns_runs_the_interpreter_anew(tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL.format(how="spawn"))
    observed = observe(tmp_path, [PYTHON, str(script)])
    rows = list(observed.processes().values())
    assert len([row for row in rows if "--multiprocessing-fork" in row["argv"]]) == 3
    assert not [row for row in rows if row["forked"] and tool(row) == "python pool.py"]


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no R here (Debian: r-base-core)")
def test_forks_of_r(tmp_path: Path) -> None:
    script = tmp_path / "fit.R"
    script.write_text("invisible(parallel::mclapply(1:3, \\(i) Sys.sleep(0.4), mc.cores = 3))\n")
    observed = observe(tmp_path, ["Rscript", str(script)])
    assert observed.returncode == 0
    assert len(workers(observed, "Rscript fit.R")) == 3


OPENMP = """
#include <omp.h>
int main(void) {
    double sum = 0, begin = omp_get_wtime();
    #pragma omp parallel num_threads(6) reduction(+:sum)
    while (omp_get_wtime() - begin < 0.5) sum += 1;
    return sum < 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
@pytest.mark.parametrize("capture", CAPTURES)
def test_threads_of_openmp(tmp_path: Path, capture: str) -> None:
    source = tmp_path / "loop.c"
    source.write_text(OPENMP)
    program = tmp_path / "loop"
    made = subprocess.run(["cc", "-fopenmp", "-o", program, source], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no OpenMP here: {made.stderr.strip()[-200:]}")
    observed = observe(tmp_path, [str(program)], "--capture", capture)
    (row,) = observed.processes().values()
    assert tool(row) == "loop"
    assert row["threads_peak"] == 6
    assert observed.sealed["threads_peak"] == 6
    assert row["cpu_s"] == pytest.approx(observed.sealed["cpu_s"], rel=0.1)


DAEMON = """
import os, signal, sys, time
how, done = sys.argv[1:]
if os.fork(): os._exit(0)
if how == "daemon":
    os.setsid()
    if os.fork(): os._exit(0)
    os.chdir("/")
signal.signal(signal.SIGHUP, signal.SIG_IGN)
end = time.process_time() + 0.2
while time.process_time() < end: pass
time.sleep(0.3)
os.execv("/bin/sh", ["sh", "-c", "echo > " + done])
"""


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("how", ["orphan", "daemon"])
def test_whoever_leaves_is_the_tasks_and_known_by_name(
    tmp_path: Path, how: str, capture: str
) -> None:
    script, done = tmp_path / "serve.py", tmp_path / "done"
    script.write_text(DAEMON)
    os.mkfifo(done)
    shell = f"{PYTHON} -I -S {script} {how} {done}; read x < {done}"
    observed = observe(tmp_path, ["bash", "-c", shell], "--capture", capture)
    assert observed.returncode == 0
    left = max(named(observed, "python serve.py"), key=lambda row: row["cpu_s"])
    assert left["cpu_s"] == pytest.approx(0.2, abs=0.1)
    if observed.lines[0]["capture"] == "poll":
        return  # whose it was shows only if a look caught its parent, and its end if it lasts
    assert left["forked"]
    (heir,) = [r for r in observed.processes().values() if r.get("exec_of") == left["id"]]
    assert heir["comm"] == "sh"
    assert heir["pid"] == left["pid"]


@pytest.mark.parametrize("wrap", [["nohup"], ["setsid", "--wait"]], ids=["nohup", "setsid"])
def test_wrappers_are_programs_of_their_own_and_hide_nobody(
    tmp_path: Path, wrap: list[str]
) -> None:
    observed = observe(tmp_path, [*wrap, "env", "A=b", "sh", "-c", "sleep 0.3; exit 3"])
    assert observed.returncode == 3
    names = [tool(row) for row in observed.processes().values()]
    assert {"sh", "sleep"} <= set(names)


def test_a_chain_of_programs_each_by_its_name(tmp_path: Path) -> None:
    script = tmp_path / "step.sh"
    script.write_text(f"#!/usr/bin/env bash\nexec env nice {PYTHON} {tmp_path}/train.py\n")
    script.chmod(stat.S_IRWXU)
    (tmp_path / "train.py").write_text("import time; time.sleep(0.3)\n")
    observed = observe(tmp_path, ["bash", "-c", f"{script}; true"], "--capture", "perf")
    if observed.lines[0]["capture"] == "poll":
        pytest.skip("perf events are refused here")
    rows = sorted(observed.processes().values(), key=lambda row: row["id"])
    chain = [row for row in rows if row["pid"] != rows[0]["pid"] and tool(row) != "true"]
    assert len({row["pid"] for row in chain}) == 1
    assert [row["exec_of"] for row in chain[1:]] == [row["id"] for row in chain[:-1]]
    assert tool(chain[-1]) == "python train.py"


def fake(folder: Path, name: str) -> None:
    """A compiled program of that name that sleeps, whatever it is told."""
    source = folder / "tool.c"
    source.write_text("#include <unistd.h>\nint main(void) { usleep(600000); return 0; }\n")
    subprocess.run(["cc", "-o", folder / name, source], check=True)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
def test_tools_with_subcommands(tmp_path: Path) -> None:
    for name in ("samtools", "bwa", "mystery"):
        fake(tmp_path, name)
    script = (
        "samtools sort -@ 2 x.bam & samtools view x.bam & bwa mem ref.fa r.fq & mystery go &"
        " samtools sort y.bam; wait"
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    observed = observe(tmp_path, ["bash", "-c", script], env=environment)
    counts = collections.Counter(tool(row) for row in observed.processes().values())
    assert counts == {
        "bash": 1, "samtools sort": 2, "samtools view": 1, "bwa mem": 1, "mystery": 1,
    }  # fmt: skip


def test_a_pid_that_is_used_again_is_somebody_else(tmp_path: Path) -> None:
    """Pids come round within the task: each process has a row and a lifetime of its own."""
    script = (
        "echo 300 > /proc/sys/kernel/ns_last_pid; n=0\n"
        "while [ $n -lt 40 ]; do /bin/true; echo 300 > /proc/sys/kernel/ns_last_pid;"
        " /bin/sync --version > /dev/null; echo 300 > /proc/sys/kernel/ns_last_pid;"
        " n=$((n + 1)); done"
    )
    wrapped = ["unshare", "--pid", "--fork", "--mount-proc", "bash", "-c", script]
    if subprocess.run([*wrapped[:-3], "true"], capture_output=True, check=False).returncode:
        pytest.skip("not permitted to make a pid namespace")
    # the same number inside is another one outside, so what is used again are the inner ones
    observed = observe(tmp_path, wrapped, "--capture", "perf")
    if observed.lines[0]["capture"] == "poll":
        pytest.skip("perf events are refused here")
    counts = collections.Counter(row["comm"] for row in observed.processes().values())
    assert (counts["true"], counts["sync"]) == (40, 40)
