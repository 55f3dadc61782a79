"""Tasks in containers of podman, whose image has neither Python nor ps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.containers.conftest import podman as podman
from tests.nextflow.conftest import LaunchFolder

pytestmark = pytest.mark.podman
WORDS = ("run", "main.nf", "-ansi-log", "false")


@pytest.fixture(scope="module")
def folders(podman: Any, launch_folder: Callable[..., LaunchFolder]) -> list[LaunchFolder]:
    folder = Path(podman.environment["CONTAINERS_CONF"]).parent
    environment = {
        **podman.environment,
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }
    bare, observed = launch_folder("containers"), launch_folder("containers")
    bare.nextflow(*WORDS, env=environment)
    observed.tracer_hooks("nextflow", "--", *WORDS, env=environment)
    return [bare, observed]


def test_the_results_are_those_of_a_bare_run(folders: list[LaunchFolder]) -> None:
    bare, observed = folders
    assert observed.attempts() == bare.attempts()
    (seen,) = bare.attempts()["CONTAINED (A)"]
    # A variable of the beforeScript that is not exported still reaches the container's options.
    assert seen.out.endswith("before\n")
    assert dict(seen.files)["out.txt"] == "67108864\n"


def test_what_runs_in_the_container_is_the_task(folders: list[LaunchFolder]) -> None:
    (row,) = (row for row in folders[1].tasks() if row["step"] == "CONTAINED")
    assert (row["status"], row["sample"]) == ("succeeded", "A")
    assert row["container_image"] == "localhost/tracer-test:1"
    assert row["cpu_s"] > 0.2
    assert row["memory_peak_bytes"] > 64 << 20
    tools = folders[1].store.table("tools", folders[1].store.resolve("latest")).to_pylist()
    named = {tool["tool"] for tool in tools if tool["task_id"] == row["task_id"]}
    # Its awk is no program of its own: this busybox runs it in a fork of the shell.
    assert "busybox sh .command.sh" in named
    assert "busybox sleep" in named


def test_a_container_that_fails(folders: list[LaunchFolder]) -> None:
    (row,) = (row for row in folders[1].tasks() if row["step"] == "FAILING")
    assert (row["status"], row["exit_code"]) == ("failed", 9)
