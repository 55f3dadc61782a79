"""A real Slurm of one node: single jobs and job arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import slurm_node
from tests.nextflow.conftest import LaunchFolder, Seen

pytestmark = pytest.mark.slurm
WORDS = ("run", "main.nf", "-ansi-log", "false")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm_node.SlurmNode]:
    reason = slurm_node.missing()
    if reason:
        pytest.skip(reason)
    with slurm_node.SlurmNode(Path(tmp_path_factory.mktemp("slurm"))) as started:
        yield started


@pytest.fixture(scope="module")
def bare(
    node: slurm_node.SlurmNode, launch_folder: Callable[..., LaunchFolder]
) -> dict[str, list[Seen]]:
    folder = launch_folder("cluster", name="cluster")
    folder.nextflow(*WORDS, env=node.environment)
    return folder.attempts()


@pytest.fixture(scope="module")
def observed(
    node: slurm_node.SlurmNode, launch_folder: Callable[..., LaunchFolder]
) -> LaunchFolder:
    folder = launch_folder("cluster", name="cluster")
    folder.tracer_hooks("nextflow", "--", *WORDS, env=node.environment)
    return folder


def test_jobs_end_as_without_us(bare: dict[str, list[Seen]], observed: LaunchFolder) -> None:
    results = jobs(bare)
    assert jobs(observed.attempts()) == results
    assert ("6", "array 5\n") in {result[:2] for result in results}
    assert len(results) == 7


def jobs(attempts: dict[str, list[Seen]]) -> set[tuple[str | None, str, str, tuple[Any, ...]]]:
    """What came of every task's job."""
    every = [seen for many in attempts.values() for seen in many]
    return {(s.exit_code, s.out, s.err, s.files) for s in every}


def test_each_job_is_recorded_with_its_number_in_the_queue(observed: LaunchFolder) -> None:
    rows: dict[str, dict[str, Any]] = {row["task_name"]: row for row in observed.tasks()}
    assert len(rows) == len(observed.tasks()) == 7
    told = {task["task_name"]: task for task in observed.told()}
    for name, row in rows.items():
        assert row["tags"]["executor"] == "slurm"
        assert row["tags"]["queue"] == "main"
        assert row["tags"]["native_id"] == told[name]["native_id"]
        assert row["submitted_at"] < row["started_at"]
        assert row["process_count"] >= 1
    assert "_" in rows["ARRAY (2)"]["tags"]["native_id"]
    assert (rows["ARRAY (5)"]["status"], rows["ARRAY (5)"]["exit_code"]) == ("failed", 6)
