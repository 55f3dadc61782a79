"""A process of ours takes nothing in the working directory for a module."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.store import spools
from tracer_hooks.live.ingested import uncounted
from tracer_hooks.live.state import State
from tracer_hooks.server.reports import Reports


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory has modules that say so when they are imported."""
    folder = tmp_path / "here"
    folder.mkdir()
    for name in ("tracer_hooks", "sqlite3", "argparse", "json", "datetime"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    monkeypatch.chdir(folder)
    return tmp_path / "imported"


def test_what_looks_through_parquet(hostile: Path, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    assert list(uncounted(tmp_path, state.path, [])) == []
    state.close()
    assert not hostile.exists()


def test_a_report_is_made(hostile: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    spools.write(store, spools.attempt("a"))
    reports = Reports(store)
    assert os.fspath(asyncio.run(reports.page("r1", "1"))).endswith(".html")
    reports.close()
    assert not hostile.exists()
