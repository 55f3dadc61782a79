"""Exit records: what every process used, however short it lived, against what wait4 says."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.supervisor.harness import PYTHON, Observed, by_name, command_for, observe, read_spools

STORM = """
import collections, json, os, sys
counts = json.loads(sys.argv[1])
spent = collections.Counter()
left = dict(counts)
while any(left.values()):
    for path in left:
        if left[path]:
            left[path] -= 1
            turns = {"alpha": 200, "beta": 600, "gamma_with_a_long_name": 1}
            turn = turns[os.path.basename(path)]
            loop = "i=0; while [ $i -lt %d ]; do i=$((i+1)); done" % turn
            pid = os.posix_spawn(path, [path, "-c", loop], os.environ)
            _, status, usage = os.wait4(pid, 0)
            assert status == 0
            spent[os.path.basename(path)[:15]] += usage.ru_utime + usage.ru_stime
print(json.dumps(spent))
"""


def storm(folder: Path, **counts: int) -> list[str]:
    """A command that runs copies of the shell under these names, so many of each."""
    folder.mkdir(exist_ok=True)
    paths = {}
    for name, count in counts.items():
        shutil.copy(os.path.realpath("/bin/sh"), folder / name)
        paths[str(folder / name)] = count
    return [PYTHON, "-I", "-S", "-c", STORM, json.dumps(paths)]


@pytest.mark.parametrize("capture", ["taskstats", "auto"])
def test_every_process_of_a_storm_by_name(tmp_path: Path, permitted: None, capture: str) -> None:
    command = storm(tmp_path / "bin", alpha=1000, beta=600, gamma_with_a_long_name=400)
    observed = observe(tmp_path / "s", command, "--capture", capture)
    told = json.loads(observed.stdout)
    found = by_name(observed)
    sealed = observed.sealed
    counts = {name: found[name]["count"] for name in told}
    assert counts == {"alpha": 1000, "beta": 600, "gamma_with_a_lo": 400}
    for name, cpu_s in told.items():
        # beside perf it is perf's figure, whose own tests are stricter
        rel = 0.1 if capture == "taskstats" else 0.25
        assert found[name]["cpu_s"] == pytest.approx(cpu_s, rel=rel), name
    named_s = sum(row["cpu_s"] for row in found.values())
    assert named_s + sealed["cpu_unattributed_s"] == pytest.approx(sealed["cpu_s"], rel=0.01)
    assert sealed["process_count"] == 2001
    assert not sealed.get("events_lost")
    card = observed.lines[0]
    if capture == "taskstats":
        assert card["capture"] == sealed["process_count_source"] == "taskstats"
    else:
        assert sealed["capture"] == "perf+taskstats"
    (delays,) = [line["detail"] for line in observed.of_type("e") if line["kind"] == "delays"]
    assert delays["processes"] == 2001
    assert delays["cpu_s"] > 0


def test_the_tree_held_what_one_of_it_held(tmp_path: Path, permitted: None) -> None:
    # waited for by a daemon that lives on: in nobody's account but its own exit record's
    done = shlex.quote(str(tmp_path / "done"))
    burst = f"{PYTHON} -I -S -c \"b'x' * (160 << 20)\""
    daemon = shlex.quote(f"{burst}; : > {done}; exec sleep 5")
    wait = f"until [ -e {done} ]; do sleep 0.1; done"
    command = ["bash", "-c", f"sleep 3; setsid sh -c {daemon} > /dev/null 2>&1 & {wait}"]
    observed = observe(tmp_path / "s", command, "--capture", "taskstats", "--interval", "5")
    peak = max(row.get("memory_peak_bytes") or 0 for row in observed.processes().values())
    assert peak > 160 << 20
    assert observed.sealed["memory_peak_bytes"] >= peak


def test_program_found_by_its_inode(tmp_path: Path, permitted: None) -> None:
    shutil.copy("/bin/true", tmp_path / "a-name-longer-than-fifteen")
    path = f"{tmp_path}:{os.environ['PATH']}"
    command = ["sh", "-c", "for i in 1 2 3 4 5; do a-name-longer-than-fifteen; done; sleep 0.05"]
    observed = observe(
        tmp_path / "s", command, "--capture", "taskstats", env={**os.environ, "PATH": path}
    )
    rows = [row for row in observed.processes().values() if row["comm"] == "a-name-longer-t"]
    assert len(rows) == 5
    assert {row["exe"] for row in rows} == {str(tmp_path / "a-name-longer-than-fifteen")}


@pytest.mark.parametrize("capture", ["taskstats", "auto"])
def test_bytes_of_short_writers(tmp_path: Path, permitted: None, capture: str) -> None:
    write = f"dd if=/dev/zero of={tmp_path}/out bs=64k count=16 conv=fsync 2>/dev/null"
    # beside perf they are heard from the first look on
    command = ["sh", "-c", f"sleep 0.1; for i in $(seq 20); do {write}; done; true"]
    observed = observe(tmp_path / "s", command, "--capture", capture)
    found = by_name(observed)["dd"]
    assert found["count"] == 20
    assert found["io_write_chars"] == 20 << 20
    if observed.sealed["disk_write_bytes"] == 0:
        pytest.skip("the folder for tests is not on a disk")
    assert found["disk_write_bytes"] == pytest.approx(20 << 20, rel=0.02)


@pytest.mark.parametrize("capture", ["taskstats", "auto"])
def test_how_short_processes_ended(tmp_path: Path, permitted: None, capture: str) -> None:
    script = (
        "sleep 0.1; sh -c 'exit 7'; sh -c 'kill -9 $$'; sh -c 'kill -15 $$'; "
        "/bin/true; /bin/false; exit 3"
    )
    observed = observe(tmp_path / "s", ["bash", "-c", script], "--capture", capture)
    assert observed.returncode == 3
    ends = [
        (row["comm"], row["exit_code"], row["signal"])
        for row in observed.processes().values()
        if row["end"] is not None and not row["forked"] and row["comm"] != "sleep"
    ]
    right = [("bash", 3, None), ("false", 1, None), ("sh", 7, None), ("sh", None, 9)]
    assert sorted(ends, key=str) == sorted([*right, ("sh", None, 15), ("true", 0, None)], key=str)


THREADS = """
import os, resource, threading, time
def burn():
    os.write(out, b"x" * 10240)
    while time.thread_time() < 0.02: pass
out = os.open(os.devnull, os.O_WRONLY)
block = bytearray(60 << 20)
threads = [threading.Thread(target=burn) for _ in range(5)]
[t.start() for t in threads]; [t.join() for t in threads]
used = resource.getrusage(resource.RUSAGE_SELF)
os.write(1, b"%f\\n" % (used.ru_utime + used.ru_stime))
os._exit(9)
"""


def test_threads_are_one_process(tmp_path: Path, permitted: None) -> None:
    script = tmp_path / "threads.py"
    script.write_text(THREADS)
    command = ["sh", "-c", f"for i in 1 2 3; do {PYTHON} -I -S {script}; done; true"]
    observed = observe(tmp_path / "s", command, "--capture", "taskstats")
    told = [float(word) for word in observed.stdout.split()]
    rows = [row for row in observed.processes().values() if row["comm"].startswith("python")]
    assert len(rows) == len(told) == 3
    assert observed.sealed["process_count"] == 4
    for row, cpu_s in zip(sorted(rows, key=lambda row: row["start"]), told, strict=True):
        assert row["cpu_s"] == pytest.approx(cpu_s, rel=0.1)
        assert row["exit_code"] == 9
        assert row["io_write_chars"] == 5 * 10240  # whole KiB of each thread
        assert 60 << 20 < row["memory_peak_bytes"] < 90 << 20


def test_orphans_and_their_parents(tmp_path: Path, permitted: None) -> None:
    script = "for i in $(seq 10); do (setsid sh -c 'sleep 0.02; /bin/true; :' &) ; done; sleep 0.5"
    observed = observe(tmp_path / "s", ["bash", "-c", script], "--capture", "taskstats")
    found = by_name(observed)
    assert found["true"]["count"] == 10
    assert found["sleep"]["count"] == 11
    rows = observed.processes()
    parents = [rows.get(row["parent"]) for row in rows.values() if row["comm"] == "true"]
    assert any(parent is not None and parent["comm"] == "sh" for parent in parents)


def test_two_tasks_at_once_are_not_confused(tmp_path: Path, permitted: None) -> None:
    first = storm(tmp_path / "a", alpha=300, beta=100)
    second = storm(tmp_path / "b", beta=300, gamma_with_a_long_name=100)
    store = tmp_path / "s"
    running = [
        subprocess.Popen(
            command_for(store, command, "--capture", "taskstats", task=task),
            stdout=subprocess.DEVNULL,
        )
        for task, command in (("one", first), ("two", second))
    ]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    counts = {}
    for task in ("one", "two"):
        (lines,) = read_spools(store, task)
        observed = Observed(0, b"", b"", lines)
        counts[task] = {name: row["count"] for name, row in by_name(observed).items()}
        assert observed.sealed["process_count"] == 401
        assert observed.sealed["process_count_source"] == "taskstats"
    name = Path(PYTHON).name[:15]
    assert counts["one"] == {name: 1, "alpha": 300, "beta": 100}
    assert counts["two"] == {name: 1, "beta": 300, "gamma_with_a_lo": 100}


def test_attached_to_a_running_process(tmp_path: Path, permitted: None) -> None:
    program = "import subprocess\nfor _ in range(20): subprocess.run(['/bin/true'])\ninput()"
    target = subprocess.Popen(
        [PYTHON, "-I", "-c", "input()\n" + program], stdin=subprocess.PIPE, text=True
    )
    assert target.stdin is not None
    head = command_for(tmp_path, [], "--capture", "taskstats", "--pid", str(target.pid))
    head[head.index("run", 4)] = "attach"
    monitor = subprocess.Popen([*head[:-1], "--ready-fd", "1"], stdout=subprocess.PIPE)
    assert monitor.stdout is not None
    assert monitor.stdout.readline() == b"ready\n"
    target.communicate("\n\n", timeout=30)
    assert monitor.wait(timeout=30) == 0
    (lines,) = read_spools(tmp_path)
    found = by_name(Observed(0, b"", b"", lines))
    assert found["true"]["count"] == 20


def test_lost_records_are_said_to_be_lost(tmp_path: Path, permitted: None) -> None:
    tiny = tmp_path / "tiny.py"
    root = Path(__file__).parents[2]
    tiny.write_text(
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from tracer_hooks.supervisor import entry, taskstats, taskstats_open\n"
        "taskstats_open._RECEIVE_BUFFER_BYTES = 2304\n"
        "taskstats._DRAIN_S = taskstats._IDLE_DRAIN_S = 5.0\n"
        "entry.main(sys.argv[1:])\n"
    )
    command = storm(tmp_path / "bin", alpha=300)
    head = command_for(tmp_path / "s", command, "--capture", "taskstats")
    subprocess.run([PYTHON, "-I", "-S", str(tiny), *head[4:]], check=True, timeout=60)
    (lines,) = read_spools(tmp_path / "s")
    sealed = lines[-1]
    assert sealed["events_lost"] > 0
    assert sealed["process_count_source"] == "estimated"


def test_without_the_capability_it_is_polling_and_said(tmp_path: Path) -> None:
    if os.geteuid():
        prefix = []
    elif shutil.which("setpriv"):
        prefix = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    else:
        pytest.skip("no setpriv to drop CAP_NET_ADMIN with")
    head = command_for(tmp_path, ["/bin/true"], "--capture", "taskstats")
    subprocess.run([*prefix, *head], check=True, timeout=60)
    (lines,) = read_spools(tmp_path)
    assert lines[0]["capture"] == "poll"
    (event,) = [line["detail"] for line in lines if line["t"] == "e"]
    assert "CAP_NET_ADMIN" in event["why"] or "taskstats" in event["why"]


def test_a_storm_of_others_is_not_read(tmp_path: Path, permitted: None) -> None:
    other = tmp_path / "bin"
    command = storm(other, alpha=1500)
    store = tmp_path / "s"
    watching = subprocess.Popen(
        command_for(store, ["sh", "-c", "cat; /bin/true"], "--capture", "taskstats"),
        stdin=subprocess.PIPE,
    )
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    watching.communicate(b"", timeout=60)
    (lines,) = read_spools(store)
    found = by_name(Observed(0, b"", b"", lines))
    assert {name: row["count"] for name, row in found.items()} == {"sh": 1, "cat": 1, "true": 1}
    assert lines[-1]["process_count_source"] == "taskstats"


PAUSED = """
import sys
sys.path.insert(0, {root!r})
from tracer_hooks.supervisor import entry, taskstats_filter
taskstats_filter._MOST_OTHERS_PER_S = -1
taskstats_filter._WINDOW_S = 0.2
taskstats_filter._PAUSE_S = 0.2
entry.main(sys.argv[1:])
"""


def test_too_much_of_others_and_it_pauses_and_says_so(tmp_path: Path, permitted: None) -> None:
    script = tmp_path / "paused.py"
    script.write_text(PAUSED.format(root=str(Path(__file__).parents[2])))
    command = storm(tmp_path / "bin", alpha=400)
    head = command_for(tmp_path / "s", command, "--capture", "taskstats")
    subprocess.run([PYTHON, "-I", "-S", str(script), *head[4:]], check=True, timeout=60)
    (lines,) = read_spools(tmp_path / "s")
    said = [
        line["detail"]["what"] for line in lines if line["t"] == "e" and "what" in line["detail"]
    ]
    assert "short processes, for a while" in said
    assert lines[-1]["process_count_source"] == "estimated"
    assert lines[-1]["status"] == "succeeded"


COUNTED = """
import sys
sys.path.insert(0, {root!r})
from tracer_hooks.supervisor import entry, taskstats_open
taken = []
take = taskstats_open.ExitMessages.take
def count(self, most):
    found = take(self, most)
    taken.extend(data for data in found if b"alpha\\0" in data)
    with open({told!r}, "w") as file: file.write(str(len(taken)))
    return found
taskstats_open.ExitMessages.take = count
entry.main(sys.argv[1:])
"""


def test_the_kernel_drops_what_a_busy_process_of_others_starts(
    tmp_path: Path, permitted: None
) -> None:
    told = tmp_path / "told"
    script = tmp_path / "counted.py"
    script.write_text(COUNTED.format(root=str(Path(__file__).parents[2]), told=str(told)))
    head = command_for(tmp_path / "s", ["cat"], "--capture", "taskstats")
    watching = subprocess.Popen([PYTHON, "-I", "-S", str(script), *head[4:]], stdin=subprocess.PIPE)
    subprocess.run(storm(tmp_path / "bin", alpha=1500), check=True, stdout=subprocess.DEVNULL)
    watching.communicate(b"", timeout=60)
    assert 0 < int(told.read_text()) < 1000
