"""Queries that one command compiled and the next one recalls."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.analysis.synthetic import table, task
from tracer_hooks import query_cache
from tracer_hooks.analysis import compiled, memory, usage
from tracer_hooks.analysis.compiled import Compiled
from tracer_hooks.analysis.summary import summarise
from tracer_hooks.query_cache import QueryCache, fingerprint

PACKAGE = Path(query_cache.__file__).parent
# `compiled` turns an expression into SQL: here it must not be called.
REPORT = """
import sys
from tracer_hooks.analysis import memory
from tracer_hooks.cli import main
if {recalled}:
    def compiled(expression): sys.exit("compiled")
    memory.compiled = compiled
sys.argv = ["tracer-hooks", "report", "--store", sys.argv[1]]
sys.exit(main())
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    command = [sys.executable, "-m", "tracer_hooks", "run", "--store", str(folder), "--", "true"]
    subprocess.run(command, check=True)
    return folder


def report(store: Path, cache: Path, *, recalled: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(recalled=recalled), str(store)],
        env={**os.environ, query_cache.FOLDER_VARIABLE: str(cache)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_a_second_command_compiles_nothing_and_says_the_same(store: Path, tmp_path: Path) -> None:
    first = report(store, tmp_path / "cache")
    assert report(store, tmp_path / "cache", recalled=True) == first


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Compiled]:
    """All queries of a report, by name."""
    with pytest.MonkeyPatch.context() as patch:
        one = QueryCache(tmp_path_factory.mktemp("cache"))  # it writes when this process ends
        patch.setattr(compiled, "keeper", one)
        patch.setattr(memory, "_COMPILED", {})
        patch.setattr(memory, "_DERIVED", {})
        summarise({"tasks": table("tasks", [task()])}, "20260501T101112-a1b2c3")
        return one._new


@pytest.fixture
def cache(tmp_path: Path, queries: dict[str, Compiled]) -> QueryCache:
    """A keeper that knows them."""
    one = QueryCache(tmp_path)
    for name, query in queries.items():
        one.keep(name, query)
    return one


def test_where_nothing_can_be_kept_nothing_is_said(
    queries: dict[str, Compiled], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    name = next(iter(queries))
    one = QueryCache(tmp_path / "file")
    assert one.recall(name) is None
    one.keep(name, queries[name])
    one.write()
    assert (tmp_path / "file").read_text() == "no folder"


def test_what_is_read_is_what_was_written(cache: QueryCache, tmp_path: Path) -> None:
    cache.write()
    other = QueryCache(tmp_path)
    assert len(cache._new) > 15
    for name, query in cache._new.items():
        assert other.recall(name) == query
    assert any(query.derived for query in cache._new.values())


def test_what_two_commands_kept_is_joined(cache: QueryCache, tmp_path: Path) -> None:
    cache.write()
    other, query = QueryCache(tmp_path), next(iter(cache._new.values()))
    other.keep("another", query)
    other.write()
    third = QueryCache(tmp_path)
    assert third.recall("another") == query
    assert all(third.recall(name) for name in cache._new)


def test_a_file_of_somebody_else_is_not_believed(
    cache: QueryCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write()
    name = next(iter(cache._new))
    assert QueryCache(tmp_path).recall(name)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert QueryCache(tmp_path).recall(name) is None


@pytest.mark.parametrize("text", ["cut", "", "{}", "[1]", '{"names": {"a": 9}, "queries": []}'])
def test_damage(cache: QueryCache, tmp_path: Path, text: str) -> None:
    cache.write()
    (file,) = tmp_path.iterdir()
    name = next(iter(cache._new))
    assert QueryCache(tmp_path).recall(name)
    file.write_text(text if text != "cut" else file.read_text()[:-100])
    assert QueryCache(tmp_path).recall(name) is None
    cache.write()
    assert QueryCache(tmp_path).recall(name)


def test_other_code_is_another_file(tmp_path: Path) -> None:
    package = tmp_path / "tracer_hooks"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    assert fingerprint(package) == fingerprint()
    known = {fingerprint()}
    for name in ("analysis/thresholds.py", "store/schema.py", "store/runs.py", "prices/rates.py"):
        file = package / name
        file.write_text(file.read_text() + "\n")
        known.add(fingerprint(package))
    assert len(known) == 5


def test_only_the_analysis_has_names() -> None:
    assert compiled.name_of(usage._by_step, ()) == "tracer_hooks.analysis.usage._by_step()"
    assert compiled.name_of(usage._by_step, (1, "a", None))
    assert compiled.name_of(usage._by_step, (object(),)) is None
    assert compiled.name_of(lambda: None, ()) is None
    assert compiled.name_of(json.dumps, ()) is None


def test_what_nobody_used_for_long_goes(cache: QueryCache, tmp_path: Path) -> None:
    old, new = tmp_path / "queries-old.json", tmp_path / "queries-new.json"
    for file in (old, new):
        file.write_text("{}")
    os.utime(old, (0, 0))
    cache.write()
    assert not old.exists()
    assert new.exists()
