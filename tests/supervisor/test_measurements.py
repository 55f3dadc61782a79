"""The figures are right: each against a workload whose truth is known."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.harness import PYTHON, observe


def python(program: str, *arguments: str) -> list[str]:
    return [PYTHON, "-I", "-S", "-c", program, *arguments]


TWO_THREADS = """
import hashlib, threading, time
data = b"x" * (1 << 20)
def burn():
    while time.thread_time() < 1.5:
        hashlib.sha256(data).digest()
threads = [threading.Thread(target=burn) for _ in range(2)]
[t.start() for t in threads]; [t.join() for t in threads]
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime)
"""


def test_cpu_of_a_grandchild_on_two_threads(tmp_path: Path) -> None:
    script = tmp_path / "burn.py"
    script.write_text(TWO_THREADS)
    observed = observe(tmp_path / "s", ["sh", "-c", f"sh -c '{PYTHON} -I {script}; true'; true"])
    told = float(observed.stdout)
    assert told >= 3.0
    assert observed.sealed["cpu_s"] == pytest.approx(told, rel=0.01, abs=0.02)
    assert observed.sealed["threads_peak"] >= 5
    burner = max(observed.processes().values(), key=lambda row: row["cpu_s"])
    assert burner["cpu_s"] == pytest.approx(told, rel=0.1)
    assert burner["argv"][-1] == str(script)


def test_named_processes_and_the_rest_make_the_total(tmp_path: Path) -> None:
    script = "for i in $(seq 300); do /bin/true; done; sleep 0.3"
    observed = observe(tmp_path, ["bash", "-c", script], "--capture", "poll")
    named = sum(row["cpu_s"] for row in observed.processes().values())
    sealed = observed.sealed
    assert named + sealed["cpu_unattributed_s"] == pytest.approx(sealed["cpu_s"], abs=0.012)
    assert sealed["process_count_source"] == "estimated"
    assert sealed["process_count"] > 250


@pytest.mark.parametrize("where", ["child", "grandchild"])
def test_bytes_of_a_helper_that_is_gone_at_once(tmp_path: Path, where: str) -> None:
    write = f"dd if=/dev/zero of={tmp_path}/out bs=1M count=60 conv=fsync 2>/dev/null"
    command = f"{write}; true" if where == "child" else f"sh -c '{write}; true'; true"
    observed = observe(tmp_path / "store", ["sh", "-c", command])
    if observed.sealed["disk_write_bytes"] == 0:
        pytest.skip("the folder for tests is not on a disk")
    assert observed.sealed["disk_write_bytes"] == pytest.approx(60 * 2**20, rel=0.01)
    assert observed.sealed["io_write_chars"] == pytest.approx(60 * 2**20, rel=0.01)


SPIKE = """
import mmap, sys, time
before, held, after, size = map(float, sys.argv[1:])
time.sleep(before)
block = mmap.mmap(-1, int(size) << 20)
for page in range(0, len(block), 4096): block[page] = 1
time.sleep(held)
block.close()
time.sleep(after)
"""


@pytest.mark.parametrize("before", ["0", "0.13", "0.71", "1.37"])
def test_peak_that_lasts_a_moment(tmp_path: Path, before: str) -> None:
    observed = observe(tmp_path, python(SPIKE, before, "0.05", "1.5", "250"))
    peak = observed.sealed["memory_peak_bytes"]
    assert peak == pytest.approx(258 * 2**20, rel=0.05)


def test_peak_of_a_process_that_dies_at_its_peak(tmp_path: Path) -> None:
    observed = observe(
        tmp_path, ["sh", "-c", '"$@"; sleep 0.2', "-", *python(SPIKE, "0", "0", "0", "200")]
    )
    assert observed.sealed["memory_peak_bytes"] == pytest.approx(208 * 2**20, rel=0.05)


SHARED = """
import mmap, os, time
size = 100 << 20
block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(0, size, 4096): block[page] = 1
for _ in range(4):
    if os.fork() == 0:
        time.sleep(0.8)
        os._exit(0)
for _ in range(4): os.wait()
"""


def test_peak_of_forks_that_share_their_memory(tmp_path: Path) -> None:
    observed = observe(tmp_path, python(SHARED))
    assert 100 * 2**20 < observed.sealed["memory_peak_bytes"] < 130 * 2**20
    workers = [row for row in observed.processes().values() if row["forked"]]
    assert len(workers) == 4


def test_peak_is_of_one_moment_not_a_sum_of_peaks(tmp_path: Path) -> None:
    one = " ".join(f"'{word}'" for word in python(SPIKE, "0", "0.3", "0", "150"))
    observed = observe(tmp_path, ["sh", "-c", f"{one}; {one}; {one}"])
    assert 150 * 2**20 < observed.sealed["memory_peak_bytes"] < 175 * 2**20


def test_sleep_is_idle(tmp_path: Path) -> None:
    sealed = observe(tmp_path, ["sleep", "0.6"]).sealed
    assert sealed["wall_idle_s"] > 0.9 * sealed["wall_s"]


def test_busy_loop_is_never_called_waiting_for_input(tmp_path: Path) -> None:
    program = "import time\nwhile time.process_time() < 0.8: pass"
    sealed = observe(tmp_path, python(program)).sealed
    assert sealed["wall_cpu_s"] + sealed["wall_runnable_s"] > 0.9 * sealed["wall_s"]
    assert sealed["wall_disk_s"] + (sealed["wall_network_s"] or 0) < 0.05 * sealed["wall_s"]


def test_more_work_than_processors_is_runnable(tmp_path: Path) -> None:
    program = "import time\nwhile time.process_time() < 0.4: pass"
    one = f'{PYTHON} -I -S -c "{program}"'
    script = "; ".join([f"{one} &" for _ in range(4)]).replace("&;", "&") + " wait"
    observed = observe(tmp_path, ["taskset", "-c", "0", "bash", "-c", script])
    sealed = observed.sealed
    assert sealed["wall_runnable_s"] > 2 * sealed["wall_cpu_s"]


def test_fsync_is_disk(tmp_path: Path) -> None:
    program = (
        "import os, sys, time\n"
        "fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
        "end = time.monotonic() + 2.0\n"
        "while time.monotonic() < end: os.pwrite(fd, b'x' * 4096, 0); os.fsync(fd)\n"
    )
    observed = observe(tmp_path / "store", python(program, str(tmp_path / "out")))
    sealed = observed.sealed
    if sealed["disk_write_bytes"] == 0:
        pytest.skip("the folder for tests is not on a disk")
    blocked = sealed["wall_s"] - sealed["wall_cpu_s"] - sealed["wall_runnable_s"]
    assert sealed["wall_disk_s"] > 0.8 * blocked


@pytest.mark.parametrize("how", ["recv", "poll"])
def test_waiting_for_a_peer_is_network(tmp_path: Path, how: str) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]

    def answer() -> None:
        peer, _ = server.accept()
        peer.recv(1)  # it is about to wait
        threading.Event().wait(0.8)
        peer.sendall(b"x")
        peer.close()

    thread = threading.Thread(target=answer)
    thread.start()
    timeout = "None" if how == "recv" else "30"  # with a timeout Python polls
    program = (
        "import socket, sys\n"
        f"s = socket.create_connection(('127.0.0.1', {port}))\n"
        f"s.settimeout({timeout}); s.sendall(b'x'); s.recv(1)"
    )
    sealed = observe(tmp_path, [PYTHON, "-c", program]).sealed
    thread.join()
    server.close()
    assert sealed["wall_network_s"] > 0.6


def test_tree_as_it_was(tmp_path: Path) -> None:
    script = "sh -c 'sleep 0.5; true' & setsid sleep 0.4 & wait"
    rows = observe(tmp_path, ["bash", "-c", script]).processes()
    by_words = {tuple(row["argv"]): row for row in rows.values()}
    bash = by_words["bash", "-c", script]
    shell = by_words["sh", "-c", "sleep 0.5; true"]
    assert shell["parent"] == bash["id"]
    assert by_words["sleep", "0.5"]["parent"] == shell["id"]
    assert by_words["sleep", "0.4"]["parent"] == bash["id"]
    assert all(row["end"] is not None and row["end"] > row["start"] - 0.02 for row in rows.values())
    assert by_words["sleep", "0.5"]["exe"].endswith("/sleep")


def test_each_exec_is_an_image_of_its_own(tmp_path: Path) -> None:
    script = "sleep 0.5; exec env sh -c 'sleep 0.5; exec sleep 0.4'"
    rows = observe(tmp_path, ["bash", "-c", script]).processes()
    words = [row["argv"] for row in sorted(rows.values(), key=lambda row: row["id"])]
    assert ["bash", "-c", script] in words
    assert ["sh", "-c", "sleep 0.5; exec sleep 0.4"] in words
    last = next(row for row in rows.values() if row["argv"] == ["sleep", "0.4"])
    assert rows[last["exec_of"]]["argv"][0] == "sh"
    assert last["pid"] == rows[last["exec_of"]]["pid"]


def test_a_large_tree_is_looked_at_less_often(tmp_path: Path) -> None:
    # what it costs is measured in benchmarks/tree.py; here: the interval stretches with the tree
    small = observe(tmp_path / "small", ["sleep", "4"]).sealed
    # ends when it was seen whole, however long a busy host needs for that
    script = """
    for i in {1..500}; do sleep 60 & done
    for i in {1..30}; do
        sleep 1
        grep -Eq '"processes": ?(4..|5..)' "$0"/spool/run/task.*.jsonl && break
    done
    kill $(jobs -p)
    """
    large = observe(tmp_path / "large", ["bash", "-c", script, str(tmp_path / "large")])
    assert [line for line in large.of_type("r") if line["processes"] >= 400]
    assert large.sealed["process_count"] >= 501
    assert looks_per_second(large.sealed) < 0.7 * looks_per_second(small)


def looks_per_second(sealed: dict[str, Any]) -> float:
    return float(sealed["reading_count"] / sealed["wall_s"])


def test_host_readings_are_shared(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=observe, args=(tmp_path / "store", ["sleep", "2.4"]))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (file,) = (tmp_path / "store" / "spool" / "run").glob("@host.*")
    assert 1 <= len(file.read_text().splitlines()) <= 5
