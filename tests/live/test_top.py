"""`top`: once for a pipe, and with keys in a real terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import io
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from tests.cli.command import SCRIPT, environment, one_error, tracer_hooks
from tests.server.serving import end, run, until
from tracer_hooks.cli.top_screen import screen
from tracer_hooks.live.now import RunNow, TaskNow, run_now, total
from tracer_hooks.live.runs import Run
from tracer_hooks.live.table import View, chosen
from tracer_hooks.report.units import UNKNOWN


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
    run(tmp_path, "true")
    done = tracer_hooks("top", "--store", tmp_path)
    assert done.returncode == 0
    assert "0 tasks" in done.stdout
    assert f"Nothing runs here now. `tracer-hooks runs --store {tmp_path}` shows" in done.stdout
    process = run(tmp_path, "sleep", "60", wait=False, step="wait-here", pipeline="p", cpus="2")
    try:
        said = until(
            lambda: (
                out if "wait-here" in (out := tracer_hooks("top", "--store", tmp_path).stdout)
                else None
            )
        )  # fmt: skip
        assert "1 run, 1 task" in said
    finally:
        end(process)


@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_row_that_is_no_longer_there_ends_nothing(left: int) -> None:
    out = Console(width=80, height=24, file=io.StringIO())
    out.print(screen(View(row=60), [], TASKS[:left], [], (80, 24), True))
    for each in TASKS[:left]:
        assert each.stem in out.file.getvalue()  # type: ignore[attr-defined]


def test_what_nobody_asked_for_is_no_figure() -> None:
    unasked = dataclasses.replace(task("a"), cores_requested=None, cores_used=None)
    assert total([unasked.cores_requested, unasked.cores_used]) is None
    assert total([unasked.cores_requested, 2.0, 1.0]) == 3.0
    run = run_now(Run("r1"), [unasked, task("b")], 1.0)
    assert (run.cores_used, run.cores_requested) == (1.0, 4.0)
    run = run_now(Run("r1"), [unasked], 1.0)
    assert (run.cores_used, run.cores_requested, run.memory_bytes) == (None, None, 1.0)
    out = Console(width=150, height=24, file=io.StringIO())
    out.print(screen(View(), [run], [unasked], [], (150, 24), False))
    assert out.file.getvalue().count(f"{UNKNOWN}/{UNKNOWN}") == 2
    assert f"{UNKNOWN} cores used of {UNKNOWN} held" in out.file.getvalue()


def test_a_narrow_screen_shows_fewer_figures_and_cuts_none() -> None:
    def drawn(width: int) -> list[str]:
        out = Console(width=width, height=24, file=io.StringIO())
        out.print(screen(View(), *chosen(View(), RUNS, tasks), [], (width, 24), True))
        return out.file.getvalue().splitlines()

    name = "\x1b]0;owned\x07" + "x" * 30
    tasks = [dataclasses.replace(task("a"), name=name, elapsed_s=754.0, host="a-long-host-name")]
    whole = drawn(160)
    assert not any("\x1b" in line for line in whole)
    assert any("a-long-host-name" in line for line in whole)
    for width in range(40, 160):
        shown = drawn(width)
        assert max(map(len, shown)) <= width
        row = next(line for line in shown if line.startswith(("s ", "␛")))
        assert not any(figure.endswith("…") for figure in row.split() if figure[0].isdigit())


@contextlib.contextmanager
def top(store: Path, lines: int = 40, **variables: str) -> Iterator[Terminal]:
    """`top` in a terminal of its own, 150 columns wide."""
    outside, inside = pty.openpty()
    resize(inside, lines, 150)
    before = termios.tcgetattr(inside)
    process = subprocess.Popen(
        [SCRIPT, "top", "--store", str(store), "--interval", "0.3s"],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        env=environment(**{"TERM": "xterm", **variables}),
    )
    try:
        yield Terminal(process, outside, inside)
        assert termios.tcgetattr(inside) == before
    finally:
        process.kill()
        process.wait()
        os.close(inside)
        os.close(outside)


@dataclass
class Terminal:
    """Its two ends, and who runs in it."""

    process: subprocess.Popen[bytes]
    outside: int
    inside: int

    def typed(self, keys: bytes) -> None:
        os.write(self.outside, keys)

    def reading(self, words: str, seconds: float = 30.0) -> str:
        """What it showed until it showed the words."""
        seen, deadline = "", time.monotonic() + seconds
        while words not in seen:
            assert time.monotonic() < deadline, seen[-2000:]
            if select.select([self.outside], [], [], 0.2)[0]:
                seen += os.read(self.outside, 65536).decode(errors="replace")
        return seen

    def ended(self) -> tuple[int, str]:
        """The exit status, and what it showed at last."""
        seen = ""
        while self.process.poll() is None or select.select([self.outside], [], [], 0)[0]:
            if select.select([self.outside], [], [], 0.1)[0]:
                seen += os.read(self.outside, 65536).decode(errors="replace")
        return self.process.returncode, seen


def resize(terminal: int, lines: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def test_an_encoding_that_lacks_our_signs_ends_nothing(tmp_path: Path) -> None:
    poor = {"PYTHONIOENCODING": "ascii"}
    run(tmp_path, "true")
    done = tracer_hooks("top", "--store", tmp_path, env=environment(**poor))
    assert done.returncode == 0
    assert done.stdout.startswith("0 runs, 0 tasks .")
    with top(tmp_path, **poor) as terminal:
        assert "Nothing runs here now" in terminal.reading("q: quit")
        terminal.typed(b"q")
        assert terminal.ended()[0] == 0


def test_keys_in_a_terminal(tmp_path: Path) -> None:
    process = run(
        tmp_path, "bash", "-c", "sleep 60; true", wait=False, run="the-run", step="wait-here"
    )
    try:
        with top(tmp_path) as terminal:
            assert "wait-here" in terminal.reading("wait-here")
            terminal.typed(b"m")
            terminal.reading("sorted by memory")
            terminal.typed(b"\r")
            assert "run the-run" in terminal.reading("run the-run")
            terminal.typed(b"\r")
            seen = terminal.reading("last progress")
            assert "sleep" in seen + terminal.reading("sleep")
            terminal.typed(b"\x1b")
            terminal.reading("WAITS FOR")
            resize(terminal.inside, 40, 60)
            terminal.reading("cores used  i…")  # the line of keys is cut
            terminal.typed(b"q")
            assert terminal.ended()[0] == 0
    finally:
        end(process)


@pytest.mark.parametrize("how", ["ctrl-c", "SIGTERM", "SIGHUP"])
def test_a_terminal_is_left_as_it_was(tmp_path: Path, how: str) -> None:
    with top(tmp_path) as terminal:
        assert "Nothing runs here now" in terminal.reading("q: quit")
        if how == "ctrl-c":
            terminal.typed(b"\x03")
        else:
            terminal.process.send_signal(getattr(signal, how))
        status, seen = terminal.ended()
        assert status == 130 if how == "ctrl-c" else 128 + getattr(signal, how)
        assert "\x1b[?1049l" in seen  # the screen that was before
        assert "\x1b[?25h" in seen  # with its cursor
        assert "Traceback" not in seen


def test_a_dumb_terminal_gets_a_text(tmp_path: Path) -> None:
    run(tmp_path, "true")
    with top(tmp_path, TERM="dumb") as terminal:
        status, seen = terminal.ended()
        assert status == 0
        assert "Nothing runs here now" in seen
        assert "\x1b" not in seen


def test_no_store_is_an_error_unless_somebody_waits_for_one(tmp_path: Path) -> None:
    none = tmp_path / "none"
    assert f"no store at {none}" in one_error(tracer_hooks("top", "--store", none), 1)
    with top(none) as terminal:
        terminal.reading(f"There is no store at {none} yet"[:70])
        terminal.typed(b"q")
        assert terminal.ended()[0] == 0
    assert not none.exists()


def test_an_unknown_option_is_said() -> None:
    assert "no option --all" in one_error(tracer_hooks("top", "--all"), 2)
