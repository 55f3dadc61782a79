"""The wrappers that Nextflow renders for other executors, run where there is none of these.

For SGE, LSF and PBS a stand-in runs what it is given. Kubernetes refuses every pod, and the
wrapper, which would run inside the container, is run here: with a Python, and without one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.nextflow import fetch_engine
from tests.nextflow.conftest import LaunchFolder
from tests.servers.web import answering

SCHEDULERS = Path(__file__).parent / "schedulers"
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
users: [{{name: u, user: {{token: none}}}}]
current-context: c
"""
# What a wrapper needs of an image; there is no Python among it.
WITHOUT_PYTHON = ("cat", "date", "dirname", "env", "mkdir", "rm", "sed", "tail", "tee", "touch")


@pytest.fixture(scope="module")
def kubernetes() -> Iterator[int]:
    """The port of a Kubernetes that lets nobody in."""
    with answering(lambda _: (403, b"{}")) as port:
        yield port


@pytest.fixture(scope="module")
def folder(launch_folder: Callable[..., LaunchFolder], kubernetes: int) -> LaunchFolder:
    # Later versions have Kubernetes in a plugin, which is not on Maven Central.
    made = launch_folder("executors", fetch_engine.OLDEST)
    kubeconfig = made.folder / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.format(port=kubernetes))
    config = made.configuration("--run", "executors")
    path = f"{SCHEDULERS}:{os.environ['PATH']}"
    made.nextflow(
        *("run", "main.nf", "-ansi-log", "false", "-c", str(config)),
        env={"PATH": path, "KUBECONFIG": str(kubeconfig)},
        check=False,  # that Kubernetes refuses a pod ends the run
    )
    return made


@pytest.mark.parametrize("step", ["SGE", "LSF", "PBS"])
def test_a_job_of_a_scheduler_is_recorded_on_its_node(folder: LaunchFolder, step: str) -> None:
    (row,) = (row for row in folder.tasks() if row["step"] == step)
    assert row["exit_code"] == 0
    assert row["capture"] != "totals"
    told = {task["step"]: task for task in folder.told()}
    assert row["tags"]["native_id"].partition(".")[0] == told[step]["native_id"]
    assert row["tags"]["executor"] == {"SGE": "sge", "LSF": "lsf", "PBS": "pbspro"}[step]
    assert row["tags"].get("queue") == ("long" if step == "SGE" else None)


def test_a_task_that_never_started_is_known(folder: LaunchFolder) -> None:
    told = {task["step"]: task for task in folder.told()}
    assert told["K8S"]["recorded"] == "never started"
    assert "never started" in folder.said


@pytest.mark.parametrize("python", [True, False])
def test_inside_a_container(folder: LaunchFolder, tmp_path: Path, python: bool) -> None:
    (wrapper,) = (
        path for path in folder.folder.glob("work/??/*/.command.run")
        if "### name: 'K8S'" in path.read_text()
    )  # fmt: skip
    spools = folder.folder / ".tracer" / "spool" / "executors"
    shutil.rmtree(spools, ignore_errors=True)
    for name in WITHOUT_PYTHON:
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    environment = {"PATH": os.environ["PATH"] if python else str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        ["/bin/bash", "-ue", wrapper.name], cwd=wrapper.parent, env=environment, check=False,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 3
    assert (wrapper.parent / ".command.out").read_text() == "inside\n"
    (row,) = (row for row in folder.tasks("executors") if row["step"] == "K8S")
    assert (row["status"], row["exit_code"]) == ("failed", 3)
    assert row["container_image"] == "example.org/image:1"
    marker = (wrapper.parent / ".command.tracer").read_text().strip()
    if python:
        assert marker == ""
        assert row["capture"] != "totals"
    else:
        assert marker == "partly: no python3 of 3.9 or later in this image"
        assert row["capture"] == "totals"
        assert row["cpu_s"] is not None
        assert row["wall_s"] > 0
    shutil.rmtree(spools, ignore_errors=True)
