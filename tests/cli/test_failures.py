"""Tasks that really die, each in its own way, and what is then said of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import SCRIPT, environment, here
from tests.supervisor.memory_group import LIMIT, make_group

Capsys = pytest.CaptureFixture[str]
RUN = "deaths"


def start(store: Path, task: str, *command: str, attempt: int = 1, **how: Any) -> Any:
    """A supervised task, begun."""
    arguments = ["run", "--store", str(store), "--run", RUN, "--step", task, "--task", task]
    words = [SCRIPT, *arguments, "--attempt", str(attempt), "--", *command]
    return subprocess.Popen(
        words, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, **how,
    )  # fmt: skip


def finish(store: Path, task: str, *command: str, **how: Any) -> int:
    code: int = start(store, task, *command, **how).wait(timeout=60)
    return code


def appears(path: Path) -> None:
    """Wait until the file is there."""
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never appeared"
        time.sleep(0.01)


def supervisor_of(store: Path, task: str) -> Path:
    """The spool of a task that has begun and has been read at least twice."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for spool in store.glob(f"spool/*/{task}.*.jsonl"):
            if spool.read_text().count('"t":"r"') >= 2 or spool.read_text().count('"r"') >= 2:
                return spool
        time.sleep(0.02)
    raise AssertionError("no readings were written")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which tasks died: by a sibling, the clock, themselves, Ctrl-C, and one that lost
    its supervisor; and one that failed twice before it went well."""
    folder = tmp_path_factory.mktemp("deaths")
    store = folder / "store"
    victim = f"{sys.executable} -c 'import time; time.sleep(60)' & echo $! > {folder}/pid"
    finish(store, "sibling", "bash", "-c", f"{victim}; sleep 0.3; kill -9 $!; wait $!")
    finish(store, "clock", "timeout", "0.4", "sleep", "60")
    finish(store, "itself", "bash", "-c", "sleep 0.2; exit 137")
    finish(store, "fault", sys.executable, "-c", "import os; os.kill(os.getpid(), 11)")

    ready = folder / "ready"
    waits = ("bash", "-c", f"touch {ready}; sleep 60")
    cancelled = start(store, "ctrl-c", *waits, start_new_session=True)
    appears(ready)
    os.killpg(cancelled.pid, signal.SIGINT)  # as a terminal does
    cancelled.wait(timeout=60)

    lost = start(store, "lost", "sleep", "60", start_new_session=True)
    supervisor_of(store, "lost")
    with contextlib.suppress(ProcessLookupError):
        os.killpg(lost.pid, signal.SIGKILL)
    lost.wait(timeout=60)

    for attempt, code in ((1, 3), (2, 3), (3, 0)):
        finish(store, "retried", "sh", "-c", f"sleep 0.1; exit {code}", attempt=attempt)
    return store


@pytest.fixture(scope="module")
def failed(store: Path) -> dict[str, list[dict[str, Any]]]:
    """What the report for programs says of the failures, by task."""
    done = subprocess.run(
        [SCRIPT, "report", RUN, "--store", str(store), "--format", "json"],
        capture_output=True, text=True, check=True, timeout=120, env=environment(),
    )  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(done.stdout)["failures"]:
        found.setdefault(row["task_id"], []).append(row)
    return found


def the(failed: dict[str, list[dict[str, Any]]], task: str) -> dict[str, Any]:
    (row,) = failed[task]
    return row


def test_killed_by_a_sibling(failed: dict[str, list[dict[str, Any]]], store: Path) -> None:
    row = the(failed, "sibling")
    assert (row["status"], row["exit_code"]) == ("failed", 137)
    shown = row["evidence"]
    assert shown["oom"] is None
    if shown["killed"] is not None:  # polling does not see how a process ended
        assert (shown["signal"], shown["signal_by"]) == (9, "shell")
        assert shown["killed"]["pid"] == int((store.parent / "pid").read_text())
        # The kill of a shell is no program of its own: nobody is accused.
        assert shown["sender"]["certainty"] != "seen"


def test_ended_by_the_clock(failed: dict[str, list[dict[str, Any]]]) -> None:
    row = the(failed, "clock")
    assert row["failure_cause"] == "timeout"
    assert row["evidence"]["timeout"]["by"] == "timeout"
    assert row["evidence"]["timeout"]["limit_s"] == 0.4


def test_an_exit_status_is_no_signal(failed: dict[str, list[dict[str, Any]]]) -> None:
    row = the(failed, "itself")
    assert (row["failure_cause"], row["exit_code"]) == ("exit_code", 137)
    assert row["evidence"]["signal"] is None
    assert row["evidence"]["sender"] is None


def test_a_fault_is_most_likely_the_programs_own(failed: dict[str, list[dict[str, Any]]]) -> None:
    row = the(failed, "fault")
    assert row["signal"] == signal.SIGSEGV
    assert row["evidence"]["sender"]["who"] == "kernel_fault"
    assert row["evidence"]["sender"]["certainty"] == "likely"


def test_cancelled(failed: dict[str, list[dict[str, Any]]]) -> None:
    row = the(failed, "ctrl-c")
    assert (row["status"], row["failure_cause"]) == ("cancelled", "cancelled")
    assert row["evidence"]["sender"] is not None
    assert row["evidence"]["sender"]["received"] == signal.SIGINT


def test_lost(failed: dict[str, list[dict[str, Any]]]) -> None:
    row = the(failed, "lost")
    assert (row["status"], row["exit_code"], row["signal"]) == ("lost", None, None)
    assert row["evidence"]["cause"] == "lost"
    assert row["evidence"]["lost"]["last_at"] is not None
    assert row["evidence"]["last_reading"]["memory_bytes"] > 0
    assert 1 <= len(row["last_readings"]) <= 5


def test_a_retried_task_is_one_story(
    failed: dict[str, list[dict[str, Any]]], store: Path, capsys: Capsys
) -> None:
    assert [row["attempt"] for row in failed["retried"]] == [1, 2]
    assert all(row["evidence"]["recovered"] for row in failed["retried"])
    text = here(capsys, "report", RUN, "--store", store).stdout
    assert "What failed" in text
    assert re.search(r"retried +exit status 3 +2 +0 ", text)
    assert "tried again; " not in text  # of one task its own line says it
    assert re.search(r"retried: 3 attempts \(failed ×2, then succeeded\); .* in vain", text)
    page = here(capsys, "show", RUN, "retried", "--store", store).stdout
    assert re.search(r"3 \(this\) +succeeded", page)
    assert page.count("exit status 3") == 2


def test_each_has_its_evidence_on_its_own_page(store: Path, capsys: Capsys) -> None:
    said = {
        "clock": "Its time was up (400 ms): ended by timeout",
        "itself": "It ended by itself with exit status 137, as a shell does when SIGKILL",
        "fault": "SIGSEGV: most likely the program itself",
        "lost": "Nothing was recorded of its end",
    }
    for task, words in said.items():
        page = here(capsys, "show", RUN, task, "--store", store).stdout
        assert "How it ended" in page, task
        assert words in " ".join(page.split()), task


@pytest.fixture
def limited() -> Iterator[Callable[[], None]]:
    """What a child calls to enter a memory cgroup with a small limit (needs root)."""
    group = make_group()
    yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    with contextlib.suppress(OSError):
        group.rmdir()


def test_out_of_memory(tmp_path: Path, limited: Callable[[], None], capsys: Capsys) -> None:
    eat = "import time; time.sleep(0.3); bytearray(200 << 20)"
    finish(tmp_path, "eats", sys.executable, "-c", eat, preexec_fn=limited)
    done = here(capsys, "report", RUN, "--store", tmp_path, "--format", "json")
    (row,) = json.loads(done.stdout)["failures"]
    assert row["failure_cause"] == "oom"
    assert row["evidence"]["sender"]["who"] == "kernel_oom"
    assert row["evidence"]["sender"]["certainty"] == "seen"
    assert row["evidence"]["oom"]["limit_bytes"] == LIMIT
    assert row["evidence"]["oom"]["scope"] == "task"
    page = here(capsys, "show", RUN, "eats", "--store", tmp_path).stdout
    assert "Memory ran out: the kernel killed python" in " ".join(page.split())
