"""Every process by name, however short, from perf events."""

from __future__ import annotations

import collections
import os
import resource
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.harness import PYTHON, SUPERVISOR, Observed, command_for, observe, read_spools


def permitted() -> str:
    """Why perf events are refused here, empty if they are not."""
    with tempfile.TemporaryDirectory() as folder:
        observed = observe(Path(folder), ["true"], "--capture", "perf")
        if observed.lines[0]["capture"].startswith("perf"):
            return ""
        return str([line for line in observed.lines if line["t"] == "e"])


pytestmark = pytest.mark.skipif(bool(permitted()), reason=f"perf events: {permitted()}")

PERF = ("--capture", "perf")  # and nothing else, as for who is not root
STORM = (
    "for i in $(seq {rounds}); do /bin/true; /bin/true; /bin/true; "
    "/usr/bin/printf ''; /usr/bin/printf ''; /bin/sync --version >/dev/null; done"
)


def perf(store: Path, command: list[str]) -> Observed:
    return observe(store, command, *PERF)


def by_comm(observed: Observed) -> tuple[collections.Counter[str], collections.Counter[str]]:
    """(count, CPU seconds) of the processes by name, rows and folded groups alike."""
    counts: collections.Counter[str] = collections.Counter()
    cpu: collections.Counter[str] = collections.Counter()
    for row in observed.processes().values():
        counts[row["comm"]] += 1
        cpu[row["comm"]] += row["cpu_s"]
    groups: dict[int, dict[str, Any]] = {line["n"]: line for line in observed.of_type("fold")}
    for group in groups.values():
        counts[group["comm"]] += group["count"]
        cpu[group["comm"]] += group["cpu_s"]
    return counts, cpu


def test_every_short_process_by_name(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    observed = perf(tmp_path, ["bash", "-c", STORM.format(rounds=400)])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    counts, cpu = by_comm(observed)
    sealed = observed.sealed
    assert sealed["events_lost"] == 0
    assert (counts["true"], counts["printf"], counts["sync"]) == (1200, 800, 400)
    assert sealed["process_count"] == sum(counts.values())
    assert sealed["process_count_source"] == "perf"
    # wait4 of the supervisor has the task's CPU and the supervisor's own
    waited = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert sealed["cpu_s"] == pytest.approx(waited - sealed["observer_cpu_s"], rel=0.02)
    assert sum(cpu.values()) == pytest.approx(sealed["cpu_s"], rel=0.03)
    each = {name: cpu[name] / counts[name] for name in ("true", "printf", "sync")}
    assert max(each.values()) < 3 * min(each.values())


def test_two_halves_on_two_processors(tmp_path: Path) -> None:
    half = STORM.format(rounds=200)
    observed = perf(tmp_path, ["bash", "-c", f"({half}) & ({half}) & wait"])
    counts, _ = by_comm(observed)
    assert (counts["true"], counts["printf"], counts["sync"]) == (1200, 800, 400)
    assert observed.sealed["events_lost"] == 0


def test_storms_at_once_are_not_confused(tmp_path: Path) -> None:
    results: dict[int, Observed] = {}

    def storm(number: int) -> None:
        script = STORM.format(rounds=50 + 10 * number)
        results[number] = perf(tmp_path / str(number), ["bash", "-c", script])

    threads = [threading.Thread(target=storm, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, observed in results.items():
        counts, _ = by_comm(observed)
        assert counts["true"] == 3 * (50 + 10 * number)


def test_forks_without_exec_are_workers(tmp_path: Path) -> None:
    program = "import os\nfor _ in range(50):\n    if os.fork() == 0: os._exit(0)\n    os.wait()\n"
    observed = perf(tmp_path, [PYTHON, "-I", "-S", "-c", program])
    rows = observed.processes().values()
    workers = [row for row in rows if row["forked"]]
    assert len(workers) == 50
    (main,) = [row for row in rows if not row["forked"]]
    assert {row["parent"] for row in workers} == {main["id"]}
    assert {row["comm"] for row in workers} == {main["comm"]}


def test_threads_are_no_processes(tmp_path: Path) -> None:
    program = (
        "import threading\n"
        "for _ in range(30):\n"
        "    t = threading.Thread(target=lambda: None); t.start(); t.join()\n"
    )
    observed = perf(tmp_path, [PYTHON, "-I", "-S", "-c", program])
    assert observed.sealed["process_count"] == 1


def test_exec_chain_has_an_image_for_each(tmp_path: Path) -> None:
    script = "exec env nice sh -c 'exec true'"
    observed = perf(tmp_path, ["bash", "-c", "true; " + script])
    rows = sorted(observed.processes().values(), key=lambda row: row["id"])
    names = [row["comm"] for row in rows]
    assert names == ["bash", "env", "nice", "sh", "true"]
    assert len({row["pid"] for row in rows}) == 1
    assert [row["exec_of"] for row in rows[1:]] == [row["id"] for row in rows[:-1]]


def test_pids_used_again_within_a_task(tmp_path: Path) -> None:
    # with a small pid space of its own the same pids come round several times
    script = f"echo 400 > /proc/sys/kernel/ns_last_pid; {STORM.format(rounds=150)}"
    wrapped = ["unshare", "--pid", "--fork", "--mount-proc", "bash", "-c", script]
    if subprocess.run([*wrapped[:-3], "true"], capture_output=True, check=False).returncode:
        pytest.skip("not permitted to make a pid namespace")
    observed = perf(tmp_path, wrapped)
    counts, _ = by_comm(observed)
    assert counts["true"] >= 450


def test_a_storm_that_switches_too_much_is_apportioned(tmp_path: Path) -> None:
    program = (
        "import os, threading\n"
        "r, w = os.pipe(); r2, w2 = os.pipe()\n"
        "def pong():\n"
        "    while os.read(r, 1) == b'x': os.write(w2, b'x')\n"
        "t = threading.Thread(target=pong, daemon=True); t.start()\n"
        "import time; end = time.monotonic() + 1.0\n"
        "while time.monotonic() < end: os.write(w, b'x'); os.read(r2, 1)\n"
        "for _ in range(20):\n"
        "    if os.fork() == 0:\n"
        "        for _ in range(20000): pass\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )
    observed = perf(tmp_path, ["sh", "-c", f'{PYTHON} -I -S -c "$0"; true', program])
    reasons = [line["detail"] for line in observed.of_type("e") if line["kind"] == "stepped_down"]
    assert any("switches a second" in reason["why"] for reason in reasons)
    assert observed.sealed["process_count"] >= 21
    sources = {row.get("cpu_src") for row in observed.processes().values()}
    assert "apportioned" in sources


def test_a_seccomp_filter_refuses_and_polling_serves(tmp_path: Path) -> None:
    argv = command_for(tmp_path, ["bash", "-c", STORM.format(rounds=300)], *PERF)
    filtered = [PYTHON, str(Path(__file__).with_name("without_perf.py")), *argv]
    pid = os.posix_spawn(filtered[0], filtered, os.environ)
    _, status, used = os.wait4(pid, 0)
    assert status == 0
    (lines,) = read_spools(tmp_path)
    assert lines[0]["capture"] == "poll"
    told = [line["detail"] for line in lines if line.get("kind") == "degraded"]
    (why,) = [detail["why"] for detail in told if detail["what"] == "capture"]
    assert "seccomp" in why
    sealed = lines[-1]
    # what was waited for is the task and the supervisor
    waited_s = used.ru_utime + used.ru_stime - sealed["observer_cpu_s"]
    assert sealed["cpu_s"] == pytest.approx(waited_s, rel=0.01)
    assert sealed["cpu_unattributed_s"] > 0.5 * sealed["cpu_s"]
    assert sealed["process_count_source"] == "estimated"
    # other forks of the host are in it, but no more than the CPU time can have paid for
    assert 1700 <= sealed["process_count"] <= sealed["cpu_s"] / 0.0002 + 50


def test_as_nobody(tmp_path: Path) -> None:
    python = "/usr/bin/python3"
    if os.getuid() != 0 or not Path(python).exists():
        pytest.skip("needs root, to become somebody else, and an interpreter for everybody")
    level = int(Path("/proc/sys/kernel/perf_event_paranoid").read_text())
    if level > 2:
        pytest.skip(f"kernel.perf_event_paranoid is {level}")
    copy = Path(tempfile.mkdtemp(prefix="tracer-nobody-"))
    try:
        copy.chmod(0o755)
        shutil.copytree(SUPERVISOR.parent.parent, copy / "tracer_hooks")
        store = copy / "store"
        store.mkdir()
        store.chmod(0o777)
        script = STORM.format(rounds=200)
        argv = command_for(store, ["bash", "-c", script], *PERF, python=python)
        argv[argv.index(str(SUPERVISOR))] = str(copy / "tracer_hooks/supervisor/__main__.py")
        subprocess.run(argv, check=True, user="nobody", group="nogroup", cwd="/")
        (lines,) = read_spools(store)
        counts, _ = by_comm(Observed(0, b"", b"", lines))
        assert (counts["true"], counts["printf"], counts["sync"]) == (600, 400, 200)
    finally:
        shutil.rmtree(copy)


def test_how_the_main_process_of_a_very_short_task_ended(tmp_path: Path) -> None:
    """It ends, with a helper, before the first look: only its parent knows how."""
    observed = observe(tmp_path, ["sh", "-c", "/bin/true; exit 3"], "--capture", "perf")
    (main,) = [row for row in observed.processes().values() if row["comm"] == "sh"]
    assert main["exit_code"] == 3
