"""Beside Nextflow's own trace of the same run; and what is tuned from it, in the engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tracer_hooks_nextflow.trace_comparison import MEMORY_BYTES, MEMORY_SHARE

from tests.nextflow.conftest import LaunchFolder

MB = 1_000_000
WORDS = ("run", "main.nf", "-ansi-log", "false")


@pytest.fixture(scope="module")
def folder(launch_folder: Callable[..., LaunchFolder]) -> LaunchFolder:
    made = launch_folder("beside_trace")
    made.tracer_hooks("nextflow", "--", *WORDS, "-with-trace", "trace.txt")
    return made


@pytest.fixture(scope="module")
def ours(folder: LaunchFolder) -> dict[str, dict[str, Any]]:
    return {row["step"]: row for row in folder.tasks()}


@pytest.fixture(scope="module")
def compared(folder: LaunchFolder) -> dict[str, dict[str, Any]]:
    done = folder.tracer_hooks("nextflow", "compare", "latest", "trace.txt", "--format", "json")
    return {row["name"]: row for row in json.loads(done.stdout)["tasks"]}


def test_a_peak_of_half_a_second(
    ours: dict[str, dict[str, Any]], compared: dict[str, dict[str, Any]]
) -> None:
    assert 400 * MB < ours["PEAK"]["memory_peak_bytes"] < 460 * MB
    row = compared["PEAK"]
    assert row["ours"]["memory_peak_bytes"] == ours["PEAK"]["memory_peak_bytes"]
    # Nextflow may see it or not, by chance; what it says stands beside ours, and why they differ.
    peak = row["ours"]["memory_peak_bytes"]
    unseen = peak - row["nextflow"]["memory_peak_bytes"] > max(MEMORY_BYTES, MEMORY_SHARE * peak)
    assert ("peak unseen" in row["reasons"]) == unseen


def test_cpu_of_processes_that_nobody_waited_for(
    ours: dict[str, dict[str, Any]], compared: dict[str, dict[str, Any]]
) -> None:
    row = compared["UNREAPED"]
    assert ours["UNREAPED"]["cpu_s"] > row["nextflow"]["cpu_s"] + 0.05
    assert "cpu unseen" in row["reasons"]


def test_a_task_that_fails(
    ours: dict[str, dict[str, Any]], compared: dict[str, dict[str, Any]]
) -> None:
    row = ours["FAILING"]
    assert (row["status"], row["exit_code"], row["failure_cause"]) == ("failed", 5, "exit_code")
    assert row["cpu_s"] > 0.05
    theirs = compared["FAILING"]["nextflow"]
    assert theirs["exit_code"] == 5
    if theirs["cpu_s"] is None and theirs["memory_peak_bytes"] is None:
        assert "no figures" in compared["FAILING"]["reasons"]


def test_a_task_that_is_killed_for_its_time(
    ours: dict[str, dict[str, Any]], compared: dict[str, dict[str, Any]]
) -> None:
    row = ours["TOO_LONG"]
    assert (row["status"], row["failure_cause"]) == ("failed", "timeout")
    assert row["time_requested_s"] == 3
    assert 2.5 < row["wall_s"] < 50
    assert "no figures" in compared["TOO_LONG"]["reasons"]


def test_every_task_is_compared_and_every_difference_named(
    folder: LaunchFolder, compared: dict[str, dict[str, Any]]
) -> None:
    assert set(compared) == {"PEAK", "UNREAPED", "FAILING", "TOO_LONG"}
    said = folder.tracer_hooks("nextflow", "compare", "latest", "trace.txt").stdout
    for name in compared:
        assert name in said
    assert "leaves no figures in Nextflow's trace (" in said


def test_what_is_tuned_is_what_the_engine_then_asks_for(folder: LaunchFolder) -> None:
    tuned = folder.folder / "tuned.config"
    folder.tracer_hooks(
        "tune", "latest", "--for", "nextflow", "--min-tasks", "1", "--output", str(tuned)
    )
    config = str(folder.configuration("--run", "tuned"))
    folder.nextflow(*WORDS, "-c", str(tuned), "-c", config)
    peak = next(row for row in folder.tasks("tuned") if row["step"] == "PEAK")
    wanted = int(tuned.read_text().partition("'PEAK'")[2].partition("memory = { ")[2].split(".")[0])
    assert peak["memory_requested_bytes"] == wanted << 20
    assert peak["memory_requested_bytes"] > peak["memory_peak_bytes"]
