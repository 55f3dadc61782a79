"""When observing fails, the command runs all the same, and the record says what is missing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supervisor.harness import PYTHON, SUPERVISOR, command_for, observe, read_spools
from tracer_hooks.supervisor.spool import Spool

WORK = ["sh", "-c", "echo out; sleep 0.3; exit 7"]


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    store.write_text("a file where the folder should be")
    return store


def test_unwritable_store_is_silent(unwritable: Path) -> None:
    done = subprocess.run(command_for(unwritable, WORK), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"")


def test_unwritable_store_is_one_line_with_verbose(unwritable: Path) -> None:
    done = subprocess.run(command_for(unwritable, WORK, "--verbose"), capture_output=True)
    assert (done.returncode, done.stdout) == (7, b"out\n")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("tracer-hooks: ")
    assert str(unwritable) in line


def test_store_that_becomes_writable_late_has_it_all(unwritable: Path) -> None:
    process = subprocess.Popen(command_for(unwritable, ["sleep", "1.5"]))
    time.sleep(0.5)
    unwritable.unlink()
    assert process.wait(20) == 0
    (lines,) = read_spools(unwritable)
    assert (lines[0]["t"], lines[-1]["t"]) == ("card", "sealed")


def test_full_disk_keeps_lines_until_there_is_room() -> None:
    spool = Spool("/dev/full")
    spool.add({"t": "card"})
    assert not spool.flush()
    assert spool.problem is not None
    assert "No space left" in spool.problem
    for number in range(3):
        spool.add({"t": "r", "n": number})
        assert not spool.flush()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)], capture_output=True
    )
    if made.returncode:
        pytest.skip("not permitted to mount a small filesystem: " + made.stderr.decode().strip())
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 512)


def test_disk_that_fills_and_empties(tiny_disk: Path) -> None:
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(b"x" * (3 * 4096))
    process = subprocess.Popen(command_for(tiny_disk, ["sh", "-c", "sleep 2.5; exit 7"]))
    time.sleep(0.3)
    fill(ballast)
    time.sleep(1.4)
    ballast.unlink()
    assert process.wait(20) == 7
    (lines,) = read_spools(tiny_disk)
    assert (lines[0]["t"], lines[-1]["t"], lines[-1]["exit_code"]) == ("card", "sealed", 7)


def test_full_disk_to_the_end_changes_nothing(tiny_disk: Path) -> None:
    fill(tiny_disk / "ballast")
    done = subprocess.run(command_for(tiny_disk, WORK), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"")


@pytest.mark.parametrize(
    "module", ["record", "observer", "tree", "totals", "memory", "brief", "redact"]
)
def test_missing_or_broken_module(tmp_path: Path, module: str) -> None:
    """Whatever part of ours is broken, the command runs and ends as it would."""
    copy = tmp_path / "tracer_hooks"
    shutil.copytree(SUPERVISOR.parent.parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "supervisor" / f"{module}.py").write_text("raise RuntimeError('broken')\n")
    argv = command_for(tmp_path / "store", WORK)
    argv[argv.index(str(SUPERVISOR))] = str(copy / "supervisor" / "__main__.py")
    done = subprocess.run(argv, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"")
    if module in ("tree", "memory", "observer"):  # the outcome is known and told
        (lines,) = read_spools(tmp_path / "store")
        assert lines[-1]["t"] == "sealed"
        assert lines[-1]["exit_code"] == 7
        assert any(line["t"] == "e" and line["kind"] == "degraded" for line in lines)


def test_killed_at_any_moment_what_was_flushed_is_whole(tmp_path: Path) -> None:
    rounds = int(os.environ.get("TRACER_TEST_KILLS", "25"))
    script = "for i in 1 2 3 4 5 6 7 8; do sleep 0.05; done; sleep 30"
    for number in range(rounds):
        store = tmp_path / str(number)
        process = subprocess.Popen(command_for(store, ["sh", "-c", script]))
        time.sleep(0.01 + 0.9 * number / rounds)
        process.kill()
        process.wait()
        for file in (store / "spool" / "run").glob("task.*") if store.exists() else ():
            text = file.read_bytes()
            whole = text[: text.rfind(b"\n") + 1]
            lines = [json.loads(line) for line in whole.splitlines()]
            assert not lines or lines[0]["t"] == "card"
            assert len(whole) == len(text), "one write(2) is never torn by a kill"


def test_proc_out_of_reach(tmp_path: Path) -> None:
    """In a mount namespace where /proc is an empty folder nothing can be looked at."""
    argv = command_for(tmp_path, WORK)
    script = 'mount -t tmpfs none /proc && exec "$@"'
    wrapped = ["unshare", "--mount", "sh", "-c", script, "-", *argv]
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("not permitted to make a mount namespace")
    done = subprocess.run(wrapped, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"")
    (lines,) = read_spools(tmp_path)
    sealed = lines[-1]
    assert sealed["t"] == "sealed"
    assert sealed["disk_write_bytes"] is None  # unknown, not zero
    assert sealed["cpu_s"] is not None  # rusage needs no /proc
    assert any(line["t"] == "e" and line["kind"] == "degraded" for line in lines)


def test_no_process_left_to_fork(tmp_path: Path) -> None:
    """The command takes the place of the supervisor, and meets the lack of processes itself."""
    if os.getuid() == 0:
        pytest.skip("root has no limit of processes")
    for work in (WORK, ["sh", "-c", "echo alone; exit 5"]):
        results = []
        for argv in (work, command_for(tmp_path, work)):
            script = ["bash", "-c", 'ulimit -u 0; exec "$@"', "-", *argv]
            done = subprocess.run(script, capture_output=True, check=False)
            results.append((done.returncode, done.stdout, done.stderr))
        assert results[0] == results[1]
    assert results[0] == (5, b"alone\n", b"")


def test_no_descriptor_left(tmp_path: Path) -> None:
    """As with no process left; and this also where root runs the tests."""
    argv = command_for(tmp_path, ["sh", "-c", "echo alone; exit 5"], "--capture", "poll")
    script = ["bash", "-c", 'ulimit -n 4; exec "$@"', "-", *argv]
    done = subprocess.run(script, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (5, b"alone\n", b"")


def test_as_a_user_who_is_not_root(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("already the case")
    python = "/usr/bin/python3"
    if not Path(python).exists():
        pytest.skip("no interpreter that every user may run")
    copy = Path(tempfile.gettempdir()) / f"tracer-nobody-{os.getpid()}"
    try:
        shutil.copytree(SUPERVISOR.parent.parent, copy / "tracer_hooks")
        store = copy / "store"
        store.mkdir(mode=0o777)
        store.chmod(0o777)
        argv = command_for(store, ["sh", "-c", "id -un; sleep 0.6; exit 3"], python=python)
        argv[argv.index(str(SUPERVISOR))] = str(
            copy / "tracer_hooks" / "supervisor" / "__main__.py"
        )
        done = subprocess.run(argv, capture_output=True, user="nobody", group="nogroup", cwd="/")
        assert (done.returncode, done.stdout, done.stderr) == (3, b"nobody\n", b"")
        (lines,) = read_spools(store)
        assert lines[0]["user"] == "nobody"
        sealed = lines[-1]
        for name in (
            "cpu_s",
            "memory_peak_bytes",
            "disk_write_bytes",
            "wall_disk_s",
            "wall_network_s",
        ):
            assert sealed[name] is not None, name
    finally:
        shutil.rmtree(copy)


def test_unknown_option_is_one_line() -> None:
    done = subprocess.run(
        [PYTHON, "-I", "-S", str(SUPERVISOR), "run", "--no-such", "x", "--", "true"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "tracer-hooks: error: unknown option --no-such\n"


def test_a_killed_command_is_not_our_failure(tmp_path: Path) -> None:
    observed = observe(tmp_path, ["sh", "-c", f"kill -{int(signal.SIGKILL)} $$"])
    kinds = [line["kind"] for line in observed.of_type("e")]
    # on a busy host the kernel's exit records may be there in time, with delays to tell
    assert [kind for kind in kinds if kind != "delays"] == ["failure"]


def test_a_monitor_whose_looks_fail_still_records_the_end(tmp_path: Path) -> None:
    copy = tmp_path / "tracer_hooks"
    shutil.copytree(SUPERVISOR.parent.parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "supervisor" / "memory.py").write_text("raise RuntimeError('broken')\n")
    ready, control = os.pipe(), os.pipe()
    card = '{"run_id": "run", "task_id": "task"}'
    head = [PYTHON, "-I", "-S", str(copy / "supervisor" / "__main__.py"), "attach"]
    monitor = subprocess.Popen(
        [*head, "--store", str(tmp_path), "--run", "run", "--task", "task", "--card", card,
         "--pid", str(os.getpid()), "--ready-fd", str(ready[1]), "--control-fd", str(control[0])],
        pass_fds=(ready[1], control[0]), stderr=subprocess.PIPE,
    )  # fmt: skip
    assert os.read(ready[0], 16) == b"ready\n"
    os.write(control[1], b"end failed 3\n")
    _, complaints = monitor.communicate(timeout=20)
    for fd in (*ready, *control):
        os.close(fd)
    assert (monitor.returncode, complaints) == (0, b"")
    (lines,) = read_spools(tmp_path)
    assert (lines[-1]["t"], lines[-1]["exit_code"]) == ("sealed", 3)
    assert any(line["t"] == "e" and line["kind"] == "degraded" for line in lines)
