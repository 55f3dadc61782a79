"""How large a task's output is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.harness import observe
from tracer_hooks.supervisor import output_size
from tracer_hooks.supervisor.output_size import size_of


def test_files_and_folders_with_all_that_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "file").write_bytes(b"123")
    (tmp_path / "folder" / "loop").symlink_to(tmp_path)
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert size_of([str(tmp_path / "folder")]) == 3
    assert size_of([str(tmp_path / name) for name in ("folder", "file", "missing")]) == 8
    assert size_of([str(tmp_path / "link")]) == 5


def test_an_empty_folder_is_nothing_and_no_folder_is_unknown(tmp_path: Path) -> None:
    assert size_of([str(tmp_path)]) == 0
    assert size_of([str(tmp_path / "missing"), "a\0b"]) is None
    assert size_of([]) is None


def test_too_much_to_look_at_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_size, "MAX_ENTRIES", 4)
    paths = [tmp_path / str(number) for number in range(3)]
    for path in paths:
        path.write_bytes(b"1")
    assert size_of([str(tmp_path)]) == 3
    (tmp_path / "one more").mkdir()
    assert size_of([str(tmp_path)]) is None
    assert size_of([str(path) for path in paths] * 2) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert size_of([str(tmp_path)]) is None


def test_it_is_in_the_record(tmp_path: Path) -> None:
    made = tmp_path / "made"
    script = f"mkdir {made} && printf 12345 > {made}/a && printf 1 > {made}/b"
    observed = observe(tmp_path / "store", ["sh", "-c", script], "--output", str(made))
    assert observed.sealed["output_bytes"] == 6
