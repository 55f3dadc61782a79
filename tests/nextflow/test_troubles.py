"""Whatever goes wrong on our side: the pipeline completes, and one warning in the log says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.nextflow.conftest import LaunchFolder
from tracer_hooks.adapter import SUPERVISOR

WORDS = ("run", "main.nf", "-ansi-log", "false")


@pytest.fixture(scope="module")
def troubled(launch_folder: Callable[..., LaunchFolder]) -> LaunchFolder:
    return launch_folder("troubles")


def run_with(
    folder: LaunchFolder,
    run: str,
    *changes: tuple[str, str],
    store: str = "",
    env: Mapping[str, str] | None = None,
) -> str:
    """Run with a configuration in which these texts are replaced; returns what the engine said."""
    config = folder.configuration("--run", run, *(["--store", store] if store else []))
    text = config.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    said = folder.nextflow(*WORDS, "-c", str(config), env=env).stdout
    assert "output: out 0" in said
    outputs = sorted((p.read_text(), (p.parent / ".command.err").read_text())
                     for p in folder.folder.glob("work/??/*/.command.out"))  # fmt: skip
    assert outputs[0] == ("out 0\n", "err 0\n")
    assert outputs[-1] == ("out 3\n", "err 3\n")
    return said


def warnings(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("WARN: tracer-hooks")]


def test_the_supervisor_is_missing(troubled: LaunchFolder) -> None:
    said = run_with(troubled, "no-supervisor", (str(SUPERVISOR), "/nowhere/supervisor.py"))
    (warning,) = warnings(said)
    assert "2 tasks recorded by bash alone: there is no /nowhere/supervisor.py" in warning
    rows = {row["exit_code"]: row for row in troubled.tasks("no-supervisor")}
    assert {code: row["status"] for code, row in rows.items()} == {0: "succeeded", 3: "failed"}
    assert rows[0]["capture"] == "totals"
    assert rows[0]["wall_s"] > 0
    assert rows[0]["cpu_s"] is not None
    assert rows[0]["memory_peak_bytes"] is None


@pytest.mark.parametrize("absent", [False, True])
def test_python_does_not_start(troubled: LaunchFolder, tmp_path: Path, absent: bool) -> None:
    broken = tmp_path / "python"
    if not absent:
        broken.write_text("#!/bin/sh\nexit 1\n")
        broken.chmod(0o755)
    run = "no-python" if absent else "broken-python"
    said = run_with(troubled, run, (sys.executable, str(broken)))
    (warning,) = warnings(said)
    assert ("the run has no record of its own" if absent else "the recorder of this run") in warning
    rows = troubled.tasks(run)
    assert sorted(row["exit_code"] for row in rows) == [0, 3]


def test_the_store_cannot_be_written(troubled: LaunchFolder) -> None:
    said = run_with(troubled, "no-store", store="/proc/nowhere/store")
    (warning,) = warnings(said)
    assert "cannot write /proc/nowhere/store" in warning


def test_our_files_are_gone(troubled: LaunchFolder, tmp_path: Path) -> None:
    sources = str(Path(__import__("tracer_hooks_nextflow").__file__).parent / "engine")
    said = run_with(troubled, "no-files", (sources, "/nowhere"), env={"NXF_HOME": str(tmp_path)})
    (warning,) = warnings(said)
    assert "nothing is recorded" in warning
    if not troubled.store.runs().to_dict("records"):
        run_with(troubled, "compiles")
    # Where this version was compiled before, its sources are not even read.
    said = run_with(troubled, "compiled", (sources, "/nowhere"))
    assert not warnings(said)
    assert len(troubled.tasks("compiled")) == 2


def test_the_engine_is_killed(launch_folder: Callable[..., LaunchFolder]) -> None:
    folder = launch_folder("troubles")
    main = folder.folder / "main.nf"
    main.write_text(main.read_text().replace("exit ${i}", "[ ${i} = 0 ] || sleep 60"))
    command = [sys.executable, "-m", "tracer_hooks", "nextflow", "--run", "killed", "--", *WORDS]
    with subprocess.Popen(
        command, cwd=folder.folder, env=folder.environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as engine:  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            while len(folder.told_by_spools("killed")) < 2:
                assert engine.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
            engine.kill()
        finally:
            engine.wait()
            os.killpg(engine.pid, signal.SIGKILL)
    tasks = {row["task_name"]: row for row in folder.tasks("killed")}
    assert tasks["SOME (0)"]["status"] == "succeeded"
    assert tasks["SOME (3)"]["status"] in ("running", "lost", "cancelled", "failed")
    (run,) = folder.store.runs().to_dict("records")
    assert run["status"] in ("running", "lost")
