"""Jobs that fail, users who interrupt, and parts of ours that do not work."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

EXECUTORS = ("local", "tracer")


@pytest.fixture(scope="module")
def keep_going(snakemake: Any) -> Any:
    """Executor -> (workdir, finished process), for a workflow of which most fails."""

    def run(executor: str) -> Any:
        workdir = snakemake("troubles")
        extra = ["--tracer-no-summary"] if executor == "tracer" else []
        arguments = ["--cores", "4", "--keep-going", *extra]
        return workdir, workdir.run("--executor", executor, *arguments)

    with ThreadPoolExecutor() as side_by_side:
        return dict(zip(EXECUTORS, side_by_side.map(run, EXECUTORS), strict=True))


def test_keep_going_ends_as_with_the_stock_executor(keep_going: Any) -> None:
    (stock_dir, stock), (traced_dir, traced) = (keep_going[name] for name in EXECUTORS)
    assert stock.returncode == traced.returncode == 1
    assert traced_dir.files() == stock_dir.files()  # incomplete outputs are removed, good ones stay

    def errors(log: str) -> list[str]:
        return sorted(set(re.findall(r"Error in (?:rule \w+|group)", log)))

    assert errors(traced.stdout) == errors(stock.stdout)
    assert "Error in rule bad_run" in traced.stdout
    assert "tracer-hooks:" not in traced.stdout


def test_failures_are_recorded_with_their_causes(keep_going: Any) -> None:
    workdir, _ = keep_going["tracer"]
    ends = {
        task: (a.sealed["status"], a.sealed["exit_code"], a.sealed["signal"])
        for (task, _), a in workdir.attempts().items()
    }
    assert ends["good"] == ("succeeded", 0, None)
    assert ends["bad"] == ("failed", 7, None)
    assert ends["killed"][0] == "failed"
    assert ends["killed"][2] == signal.SIGKILL
    assert ends["bad_run"][:2] == ("failed", 1)
    assert ends["pipe_start"] == ("failed", 4, None)
    assert ends["pipe_end"][2] == signal.SIGKILL  # Snakemake killed it, and it has a record
    assert workdir.run_record()[-1]["status"] == "failed"


@pytest.fixture(scope="module")
def interrupted(snakemake: Any) -> Any:
    """Executor -> (workdir, exit code), after a Ctrl-C: SIGINT to the whole process group."""
    results = {}
    for executor in EXECUTORS:
        workdir = snakemake("troubles")
        extra = ["--tracer-no-summary"] if executor == "tracer" else []
        with (workdir.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                workdir.command("--executor", executor, "--cores", "2", "long", *extra),
                cwd=workdir.folder,
                env=workdir.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _await(workdir.folder / "started", process)
        os.killpg(process.pid, signal.SIGINT)
        results[executor] = workdir, process.wait(60)
        (workdir.folder / "log").unlink()
    return results


def _await(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, "Snakemake ended before its job began"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_ends_as_with_the_stock_executor(interrupted: Any) -> None:
    (stock_dir, stock), (traced_dir, traced) = (interrupted[name] for name in EXECUTORS)
    assert traced == stock
    assert traced_dir.files() == stock_dir.files()
    assert traced_dir.files()["signal.txt"] == "interrupted\n"  # the job got it, once


def test_ctrl_c_is_recorded_as_cancelled(interrupted: Any) -> None:
    workdir, _ = interrupted["tracer"]
    assert workdir.attempts()["long", 1].sealed["status"] == "cancelled"
    assert workdir.run_record()[-1]["status"] == "cancelled"


def test_a_dry_run_leaves_nothing_behind(snakemake: Any) -> None:
    workdir = snakemake("troubles")
    done = workdir.run("--executor", "tracer", "--cores", "1", "-n", "good")
    assert done.returncode == 0, done.stdout
    assert not workdir.store.exists()


def test_a_snakemake_made_differently_runs_its_jobs_with_one_warning(snakemake: Any) -> None:
    workdir = snakemake("troubles")
    (workdir.folder / "sitecustomize.py").write_text(BREAK)
    env = {"PYTHONPATH": str(workdir.folder), "BREAK": "1"}
    done = workdir.run("--executor", "tracer", "--cores", "1", "good", env=env)
    assert done.returncode == 0, done.stdout
    assert workdir.files()["good.txt"] == "good\n"
    warnings = [line for line in done.stdout.splitlines() if "tracer-hooks:" in line]
    assert len(warnings) == 1
    assert "spawn_job without format_job_exec" in warnings[0]
    assert not workdir.store.exists()


# Stands in for a future Snakemake: spawn_job no longer uses format_job_exec.
BREAK = """
import os, sys
if os.environ.get("BREAK") and sys.argv[:1] == ["-m"]:
    from snakemake.executors import local
    local.Executor.spawn_job = lambda self, job: None
"""


def test_a_store_that_cannot_be_written_costs_one_warning(snakemake: Any) -> None:
    workdir = snakemake("troubles")
    store = workdir.folder / "file"
    store.write_text("no folder")
    arguments = ["--executor", "tracer", "--cores", "1", "--tracer-store", str(store)]
    done = workdir.run(*arguments, "good")
    assert done.returncode == 0, done.stdout
    assert workdir.files()["good.txt"] == "good\n"
    warnings = [line for line in done.stdout.splitlines() if "tracer-hooks:" in line]
    assert len(warnings) == 1
    assert str(store) in warnings[0]


def test_the_run_ends_with_a_summary_and_an_ingested_store(snakemake: Any) -> None:
    workdir = snakemake("troubles")
    arguments = ["--executor", "tracer", "--cores", "1", "--tracer-run", "my run"]
    done = workdir.run(*arguments, "--tracer-pipeline", "mine", "good")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    (start,) = [i for i, line in enumerate(lines) if line.startswith("tracer-hooks:")]
    assert "1 task" in lines[start]
    (command,) = [line for line in lines[start:] if line.startswith("Full report: ")]
    assert command.startswith("Full report: tracer-hooks report 'my run' --store ")
    assert list(workdir.store.glob("tasks/run_id=*/*.parquet"))
    assert not list(workdir.store.glob("spool/*/*.jsonl"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--tracer-inner", "nosuch"), "nosuch"),
        (("--tracer-inner", "dryrun"), "no executor that runs jobs"),
        (("--tracer-interval", "0"), "--tracer-interval has to be a positive"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    snakemake: Any, arguments: tuple[str, ...], complaint: str
) -> None:
    workdir = snakemake("troubles")
    done = workdir.run("--executor", "tracer", "--cores", "1", *arguments, "good")
    assert done.returncode == 1
    assert complaint in done.stdout
    assert "Traceback" not in done.stdout
    assert not (workdir.folder / "good.txt").exists()
