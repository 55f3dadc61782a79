"""The example pipeline shows in its records what its README says it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.nextflow.conftest import LaunchFolder

EXAMPLE = Path(__file__).parents[2] / "examples" / "nextflow"
WORDS = ("run", "main.nf", "-ansi-log", "false")


@pytest.fixture(scope="module")
def folder(launch_folder: Callable[..., LaunchFolder]) -> LaunchFolder:
    made = launch_folder(str(EXAMPLE))
    made.tracer_hooks("nextflow", "--", *WORDS)
    return made


@pytest.fixture(scope="module")
def tasks(folder: LaunchFolder) -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["task_name"], row["attempt"]): row for row in folder.tasks()}


def test_what_belongs_together_is_found(folder: LaunchFolder) -> None:
    lines = (folder.folder / "results" / "distances.tsv").read_text().splitlines()
    shared = {tuple(words[:2]): float(words[2]) for words in (line.split() for line in lines[1:])}
    assert shared["ward_a1", "ward_a2"] > 0.9
    assert shared["ward_a1", "ward_b1"] < 0.1


def test_the_largest_sample_is_counted_in_a_second_attempt(
    tasks: dict[tuple[str, int], dict[str, Any]],
) -> None:
    counted = {key: row for key, row in tasks.items() if row["step"] == "COUNT_KMERS"}
    largest = "COUNT_KMERS (ward_b1)"
    assert {key: row["status"] for key, row in counted.items()} == {
        ("COUNT_KMERS (ward_a1)", 1): "succeeded",
        ("COUNT_KMERS (ward_a2)", 1): "succeeded",
        (largest, 1): "failed",
        (largest, 2): "succeeded",
    }
    assert counted[largest, 1]["exit_code"] == 1
    asked = [counted[largest, attempt]["memory_requested_bytes"] for attempt in (1, 2)]
    assert asked == [50 << 20, 100 << 20]


def test_tiles_are_hundreds_of_processes(tasks: dict[tuple[str, int], dict[str, Any]]) -> None:
    tiles = [row for row in tasks.values() if row["step"] == "TILE_QC"]
    assert len(tiles) == 3
    assert all(row["process_count"] > 200 for row in tiles)


def test_looking_up_is_idle(tasks: dict[tuple[str, int], dict[str, Any]]) -> None:
    for row in tasks.values():
        if row["step"] == "LOOK_UP":
            assert row["cpu_s"] < 1
            assert row["wall_s"] > 2.9
