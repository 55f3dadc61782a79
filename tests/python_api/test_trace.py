"""`th.trace`: real processes, watched from outside; nothing of it shows in the process itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import tracer_hooks as th
from tests.cli.command import children
from tracer_hooks import monitor
from tracer_hooks.reading import open_run

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def burn(seconds: float) -> None:
    """Use so much CPU in this thread."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def tasks(store: Path, run: str) -> dict[str, dict[str, Any]]:
    """The attempts of a run, by task id."""
    opened, run_id = open_run(run, store)
    return {row["task_id"]: row for row in opened.table("tasks", run_id).to_pylist()}


def descriptors() -> set[str]:
    """Every open descriptor of this process, and what it is."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            found.add(f"{entry.name} {entry.readlink()}")
    return found


def script(text: str, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run a program of its own that may die."""
    return subprocess.run(
        [sys.executable, "-c", text, *arguments],
        capture_output=True, text=True, check=False, timeout=60, **how,
    )  # fmt: skip


def test_the_block_alone_is_measured(tmp_path: Path) -> None:
    burn(0.3)
    with th.trace(store=tmp_path, run="R", step="S", task="T", cpus=1, tags={"a": "b"}) as traced:
        burn(0.4)
        subprocess.run([sys.executable, "-c", "x = sum(range(4_000_000))"], check=True)
    row = tasks(tmp_path, "R")["T"]
    assert (row["status"], row["step"], row["cpus_requested"]) == ("succeeded", "S", 1)
    assert 0.38 < row["cpu_s"] < 1.5
    lasted = (row["ended_at"] - row["started_at"]).total_seconds()
    assert row["wall_s"] == pytest.approx(lasted, abs=1e-4)
    assert (traced.run_id, traced.task_id, traced.store) == ("R", "T", tmp_path)
    assert list(traced.report().tasks["task_id"]) == ["T"]


CONTENDED = """
import os, sys, time
import tracer_hooks as th
def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end: pass
def waited_s(): return int(open("/proc/self/schedstat").read().split()[1]) / 1e9
everywhere = os.sched_getaffinity(0)
os.sched_setaffinity(0, {min(everywhere)})
rival = os.fork()
if not rival:
    burn(30)
    os._exit(0)
burn(0.3)
os.kill(rival, 9)
os.waitpid(rival, 0)
os.sched_setaffinity(0, everywhere)
before_s = waited_s()
with th.trace(store=sys.argv[1], run="R", task="T"):
    burn(0.3)
    within_s = waited_s() - before_s
print(before_s, within_s)
"""


def test_what_the_process_waited_for_a_core_before_is_not_counted(tmp_path: Path) -> None:
    done = script(CONTENDED, str(tmp_path))
    assert done.returncode == 0, done.stderr
    before_s, within_s = map(float, done.stdout.split())
    assert before_s > 0.15
    row = tasks(tmp_path, "R")["T"]
    # what it waits between the last look, a tenth of a second ago, and the block's end no look sees
    assert within_s - 0.12 <= row["wall_runnable_s"] <= within_s + 0.05


def test_nothing_is_left_in_the_process(tmp_path: Path) -> None:
    before = descriptors(), threading.active_count(), signal.getsignal(signal.SIGCHLD)
    had = children()
    with th.trace(store=tmp_path):
        assert children() <= had  # the monitor is no child of ours
    assert children() <= had
    assert (descriptors(), threading.active_count(), signal.getsignal(signal.SIGCHLD)) == before


def test_the_monitor_holds_none_of_our_descriptors(tmp_path: Path) -> None:
    """Else a reader of a pipe that we close would wait for ever."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    with th.trace(store=tmp_path):
        os.close(write)
        assert select.select([read], [], [], 10)[0], "somebody still holds the other end"
        assert os.read(read, 1) == b""
    os.close(read)


def test_the_record_is_complete_when_the_block_is_left(tmp_path: Path) -> None:
    for number in range(5):
        with th.trace(store=tmp_path, run="R", task=f"t{number}"):
            pass
        (spool,) = tmp_path.glob(f"spool/R/t{number}.*.jsonl")
        assert '"t":"sealed"' in spool.read_text().splitlines()[-1]


def test_an_exception_goes_on_and_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), th.trace(store=tmp_path, run="R", task="error"):
        _ = 1 / 0
    with pytest.raises(KeyboardInterrupt), th.trace(store=tmp_path, run="R", task="interrupt"):
        raise KeyboardInterrupt
    with pytest.raises(SystemExit), th.trace(store=tmp_path, run="R", task="exit3"):
        sys.exit(3)
    with pytest.raises(SystemExit), th.trace(store=tmp_path, run="R", task="exit0"):
        sys.exit(0)
    found = {name: (row["status"], row["exit_code"]) for name, row in tasks(tmp_path, "R").items()}
    assert found == {
        "error": ("failed", None), "interrupt": ("cancelled", None),
        "exit3": ("failed", 3), "exit0": ("succeeded", 0),
    }  # fmt: skip


@pytest.mark.parametrize(
    "death", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)", "os.abort()"]
)
def test_sudden_death_is_recorded(death: str, tmp_path: Path) -> None:
    done = script(
        "import os, signal, sys, time, tracer_hooks as th\n"
        "th.trace(store=sys.argv[1], run='R', task='T').__enter__()\n"
        "end = time.process_time() + 0.6\n"
        "while time.process_time() < end: pass\n" + death,
        str(tmp_path),
    )
    assert done.stderr == ""
    row = wait_for_seal(tmp_path, "R")["T"]
    assert row["status"] != "running"
    assert 0.1 < row["cpu_s"] < 0.8


def wait_for_seal(store: Path, run: str) -> dict[str, dict[str, Any]]:
    """The tasks once the monitor, which nobody waits for any more, has written its last line."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        spools = list(store.glob("spool/*/[!@]*.jsonl"))
        if spools and all('"t":"sealed"' in spool.read_text() for spool in spools):
            break
        time.sleep(0.02)
    return tasks(store, run)


def test_blocks_nest(tmp_path: Path) -> None:
    with th.trace(store=tmp_path, run="R", task="outer"):
        burn(0.15)
        with th.trace(store=tmp_path, run="R", task="inner"):
            burn(0.15)
    found = tasks(tmp_path, "R")
    assert found["outer"]["cpu_s"] > found["inner"]["cpu_s"] > 0.1
    assert found["outer"]["wall_s"] > found["inner"]["wall_s"]


def test_blocks_overlap_in_threads(tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def work(number: int) -> None:
        together.wait()
        with th.trace(store=tmp_path, run="R", task=f"t{number}"):
            burn(0.05)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    before = descriptors()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {row["status"] for row in tasks(tmp_path, "R").values()} == {"succeeded"}
    assert len(tasks(tmp_path, "R")) == 4
    assert descriptors() == before


def test_a_forked_child_neither_ends_nor_prolongs_the_task(tmp_path: Path) -> None:
    """The child outlives the block, and leaves it on its own way: the task is its parent's."""
    done = script(
        "import os, sys, tracer_hooks as th\n"
        "read, write = os.pipe()\n"
        "before = os.listdir('/proc/self/fd')\n"
        "with th.trace(store=sys.argv[1], run='R', task='T'):\n"
        "    child = os.fork()\n"
        "    if child == 0: assert os.listdir('/proc/self/fd') == before\n"
        "if child == 0:\n"
        "    os.close(write)\n"
        "    os.read(read, 1)\n"  # until the parent is dead
        "    os._exit(0)\n"
        "spools = [os.path.join(d, f) for d, _, fs in os.walk(sys.argv[1]) for f in fs]\n"
        "print(sum('\"sealed\"' in open(s).read() for s in spools))\n"
        "with th.trace(store=sys.argv[1], run='R', task='U'):\n"
        "    if os.fork() == 0:\n"
        "        os.close(write)\n"
        "        os.read(read, 1)\n"
        "        os._exit(0)\n"
        "    os._exit(7)\n",
        str(tmp_path),
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "1\n", "")
    found = wait_for_seal(tmp_path, "R")
    assert {name: row["status"] for name, row in found.items()}["T"] == "succeeded"
    assert found["U"]["status"] != "running"
    assert found["U"]["ended_at"] is not None


def test_as_a_decorator_each_call_is_a_task(tmp_path: Path) -> None:
    @th.trace(store=tmp_path, run="R", tags={"kind": "fit"})
    def fit(x: int, *, y: int) -> int:
        """Docs stay."""
        return x + y if x else fit(1, y=y)

    assert fit(0, y=2) == 3
    assert (fit.__name__, fit.__doc__) == ("fit", "Docs stay.")
    found = tasks(tmp_path, "R")
    assert len(found) == 2
    assert {row["step"] for row in found.values()} == {"fit"}


def test_as_a_decorator_of_async_functions(tmp_path: Path) -> None:
    @th.trace(store=tmp_path, run="R")
    async def fetch(delay: float) -> float:
        await asyncio.sleep(delay)
        return delay

    async def both() -> list[float]:
        return list(await asyncio.gather(fetch(0.3), fetch(0.2)))

    assert asyncio.run(both()) == [0.3, 0.2]
    walls = sorted(row["wall_s"] for row in tasks(tmp_path, "R").values())
    assert walls[0] > 0.19
    assert walls[1] > 0.29


def test_a_trace_has_one_block(tmp_path: Path) -> None:
    traced = th.trace(store=tmp_path)
    with traced:
        pass
    with pytest.raises(th.UsageError, match="make a new one"), traced:
        pass


def test_arguments_that_make_no_sense_are_refused_before_the_block() -> None:
    with pytest.raises(th.UsageError, match="is not a size"):
        th.trace(memory="lots")


def test_the_block_runs_whatever_happens_to_the_monitor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = descriptors()
    for broken in ({"_SHELL": "/no/such/shell"}, {"SUPERVISOR": Path("/no/such/file.py")}):
        for name, value in broken.items():
            monkeypatch.setattr(monitor, name, value)
        ran = False
        with pytest.warns(RuntimeWarning, match="runs unobserved"), th.trace(store=tmp_path):
            ran = True
        assert ran
        monkeypatch.undo()
    assert descriptors() == before


def test_a_store_that_cannot_be_written_costs_the_block_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.warns(RuntimeWarning, match="not recorded: .*Not a directory"),
        th.trace(store=tmp_path / "file" / "store") as traced,
    ):
        pass
    with pytest.raises(th.TracerError):
        traced.report()


def observer_of(store: Path, run: str, task: str) -> int:
    """The pid of a task's monitor, once its record says it."""
    while True:
        for spool in store.glob(f"spool/{run}/{task}.*.jsonl"):
            if said := spool.read_text():
                return int(said.split('"observer":{"pid":')[1].split(",")[0])


def test_a_monitor_that_is_killed_costs_the_block_nothing(tmp_path: Path) -> None:
    traced = th.trace(store=tmp_path, run="R", task="T")
    with contextlib.ExitStack() as block:
        block.enter_context(traced)
        os.kill(observer_of(tmp_path, "R", "T"), signal.SIGKILL)
        burn(0.05)
        with pytest.warns(RuntimeWarning, match="end of this block was not recorded"):
            block.close()
    assert tasks(tmp_path, "R")["T"]["status"] == "lost"


LOSES_ITS_MONITOR = """
import os, pathlib, signal, sys, tracer_hooks as th
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as a filter like `head` wants it
with th.trace(store=sys.argv[1], run="R", task="T"):
    spool = None
    while spool is None or not spool.read_text():
        spool = next(pathlib.Path(sys.argv[1]).glob("spool/R/T.*.jsonl"), None)
    os.kill(int(spool.read_text().split('"observer":{"pid":')[1].split(",")[0]), signal.SIGKILL)
    while pathlib.Path("/proc", spool.read_text().split('"pid":')[1].split(",")[0]).exists():
        pass
print("lives")
"""


def test_a_killed_monitor_does_not_kill_who_takes_broken_pipes_seriously(tmp_path: Path) -> None:
    done = script(LOSES_ITS_MONITOR, str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "lives\n")
    assert done.stderr.count("RuntimeWarning") == 1


CLOSES_ALL = """
import os, sys, tracer_hooks as th
with th.trace(store=sys.argv[1] + "/store", run="R", task="T"):
    os.closerange(3, 300)
    own = [os.open(sys.argv[1] + "/own", os.O_CREAT | os.O_RDWR) for _ in range(200)]
for fd in own:
    os.fstat(fd)  # still open
assert os.stat(own[0]).st_size == 0
"""


def test_descriptors_that_the_block_closed_and_opened_anew_are_its_own(tmp_path: Path) -> None:
    done = script(CLOSES_ALL, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "end of this block was not recorded" in done.stderr
