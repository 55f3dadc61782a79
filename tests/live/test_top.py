"""`top`: once for a pipe, and with keys in a real terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path

from tests.cli.command import SCRIPT, environment, one_error, tracer_hooks
from tests.server.serving import end, run, until
from tracer_hooks.live.now import RunNow, TaskNow
from tracer_hooks.live.table import View, chosen


def task(stem: str, run_id: str = "r1", **changes: float) -> TaskNow:
    known: dict[str, float] = {"cores_used": 1.0, "memory_bytes": 1.0, **changes}
    return TaskNow(
        run_id, stem, stem, "p", "s", stem, 1, "h", 1.0, "cpu", known["cores_used"], 4.0, 1.0,
        known["memory_bytes"], None, 0.0, None,
    )  # fmt: skip


def a_run(run_id: str, started_at: float) -> RunNow:
    return RunNow(run_id, "p", "snakemake", started_at, 1.0, True, 1, {}, 1.0, 1.0, 1.0)


RUNS = [a_run("r1", 1.0), a_run("r2", 2.0)]
TASKS = [
    task("a", cores_used=1.0, memory_bytes=9.0),
    task("b", cores_used=3.0),
    task("c", "r2", cores_used=2.0),
]


def test_tasks_are_sorted_by_what_is_asked_for() -> None:
    runs, tasks = chosen(View(), RUNS, TASKS)
    assert [r.run_id for r in runs] == ["r2", "r1"]
    assert [t.stem for t in tasks] == ["b", "c", "a"]
    by_memory = View().pressed("m", runs, tasks)
    assert [t.stem for t in chosen(by_memory, RUNS, TASKS)[1]] == ["a", "b", "c"]
    idle = View().pressed("i", runs, tasks)
    assert [t.stem for t in chosen(idle, RUNS, TASKS)[1]] == ["a", "c", "b"]


def test_one_goes_into_a_run_and_a_task_and_back() -> None:
    shown = chosen(View(), RUNS, TASKS)
    view = View().pressed("down", *shown).pressed("enter", *shown)
    assert view.run_id == "r1"
    shown = chosen(view, RUNS, TASKS)
    assert [t.stem for t in shown[1]] == ["b", "a"]
    inside = view.pressed("down", *shown).pressed("enter", *shown)
    assert inside.stem == "a"
    assert inside.pressed("escape", *shown).stem is None
    assert view.pressed("escape", *shown).run_id is None
    last = view
    for _ in range(9):
        last = last.pressed("down", *shown)
    assert last.row == 1


def test_what_runs_is_printed_once_for_a_pipe(tmp_path: Path) -> None:
    done = tracer_hooks("top", "--store", tmp_path)
    assert done.returncode == 0
    assert "0 tasks" in done.stdout
    process = run(tmp_path, "sleep", "60", wait=False, step="wait-here", pipeline="p", cpus="2")
    try:
        said = until(
            lambda: (
                out if "wait-here" in (out := tracer_hooks("top", "--store", tmp_path).stdout)
                else None
            )
        )  # fmt: skip
        assert "1 tasks" in said
    finally:
        end(process)


def test_keys_in_a_terminal(tmp_path: Path) -> None:
    process = run(
        tmp_path, "bash", "-c", "sleep 60; true", wait=False, run="the-run", step="wait-here"
    )
    screen, inside = pty.openpty()
    os.set_inheritable(inside, True)
    top = subprocess.Popen(
        [SCRIPT, "top", "--store", str(tmp_path), "--interval", "0.3s"],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env=environment(TERM="xterm", COLUMNS="150", LINES="40"),
    )
    os.close(inside)
    try:
        assert "wait-here" in reading(screen, "wait-here")
        os.write(screen, b"\r")
        assert "run the-run" in reading(screen, "run the-run")
        os.write(screen, b"\r")
        seen = reading(screen, "last progress")
        assert "sleep" in seen + reading(screen, "sleep")
        os.write(screen, b"q")
        assert top.wait(timeout=20) == 0
    finally:
        end(process)
        top.kill()
        top.wait()
        os.close(screen)


def reading(screen: int, words: str, seconds: float = 30.0) -> str:
    """What the terminal showed until it showed the words."""
    seen, deadline = "", time.monotonic() + seconds
    while words not in seen:
        assert time.monotonic() < deadline, seen[-2000:]
        if select.select([screen], [], [], 0.2)[0]:
            seen += os.read(screen, 65536).decode(errors="replace")
    return seen


def test_an_unknown_option_is_said() -> None:
    assert "no option --all" in one_error(tracer_hooks("top", "--all"), 2)
