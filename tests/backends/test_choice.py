"""Choosing an engine, and what is said where one can't be had."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tracer_hooks import backends
from tracer_hooks.backends.session import spark_session
from tracer_hooks.errors import TracerError, UsageError
from tracer_hooks.store import Store


@pytest.mark.parametrize(
    "engine", ["duckdb", "spark", "local", "local[4]", "local[*]", "spark://node:7077"]
)
def test_engines_that_there_are(engine: str) -> None:
    assert backends.check(engine) == engine


@pytest.mark.parametrize(
    "engine", ["", "Spark", "local[]", "local[x]", "spark://", "spark://node", "spark://a b:1"]
)
def test_others_are_refused(engine: str) -> None:
    with pytest.raises(UsageError, match=r"there is no engine .* spark://HOST:PORT"):
        backends.check(engine)


def test_the_default_reads_no_file_until_it_must(store: Store) -> None:
    assert all(hasattr(table, "scan") for table in backends.tables(store, None).values())


def test_without_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyspark")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TracerError, match="needs Java 17 or later, and there is none on the PATH"):
        spark_session("local")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(TracerError, match=r"JAVA_HOME is .*, where there is none"):
        spark_session("local")


def test_without_a_master() -> None:
    pytest.importorskip("pyspark")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens there
        port = taken.getsockname()[1]
        with pytest.raises(TracerError, match=f"no Spark master answers at 127.0.0.1:{port}"):
            spark_session(f"spark://127.0.0.1:{port}")


def test_without_pyspark(store: Store, tmp_path: Path) -> None:
    (tmp_path / "pyspark.py").write_text("raise ImportError('not installed')\n")
    argv = ["report", "--store", str(store.path), "--engine", "local"]
    done = subprocess.run(
        [sys.executable, "-m", "tracer_hooks", *argv],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "tracer-hooks: error: the engine local needs pyspark: pip install 'tracer-hooks[spark]'\n"
    )
