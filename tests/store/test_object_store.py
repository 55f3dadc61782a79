"""A store in an object store, through a server that speaks S3 (moto), over its real protocol."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

import tracer_hooks as th
from tracer_hooks.adapter import store_path
from tracer_hooks.errors import TracerError
from tracer_hooks.store import layout, parts
from tracer_hooks.store.objects import ObjectPath, ObjectStoreError

pytestmark = pytest.mark.engine  # a server, though it starts in no time

OPTIONS = "scheme=http&region=us-east-1"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture
def url(
    endpoint: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A bucket of its own for each test."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("TRACER_HOOKS_STAGING", str(tmp_path / "staging"))
    monkeypatch.delenv("TRACER_HOOKS_STORE", raising=False)
    bucket = request.node.name.replace("_", "-").lower()[:60]
    urlopen(Request(f"http://{endpoint}/{bucket}", method="PUT"))
    return f"s3://{bucket}/lab/traces?endpoint_override={endpoint}&{OPTIONS}"


def command(*arguments: str, store: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tracer_hooks", *arguments],
        env={**os.environ, "TRACER_HOOKS_STORE": store},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def record(store: str, run: str, step: str) -> None:
    done = command("run", "--run", run, "--step", step, "--", "true", store=store)
    assert (done.returncode, done.stderr) == (0, "")


def spools(folder: Path) -> list[Path]:
    return sorted(folder.rglob("spool/*/*.jsonl"))


def test_from_a_command_to_a_report(url: str, tmp_path: Path) -> None:
    record(url, "one", "align")
    assert spools(tmp_path), "the spool is written here"
    report = command("report", "one", "--format", "json", store=url)
    assert report.returncode == 0, report.stderr
    assert [task["step"] for task in json.loads(report.stdout)["tasks"]] == ["align"]
    assert not spools(tmp_path), "what is ingested is in the object store"
    where = layout.Layout(store_path(url), url).partition("tasks", "one")
    assert isinstance(where, ObjectPath)
    assert len(layout.part_paths(where)) == 1
    assert command("show", "one", "align", store=url).returncode == 0


def test_machines_share_what_is_ingested(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(url, "first", "a")
    th.Store(url).ingest()
    monkeypatch.setenv("TRACER_HOOKS_STAGING", str(tmp_path / "elsewhere"))
    assert list(th.Store(url).runs()["run_id"]) == ["first"]
    record(url, "second", "b")
    assert set(th.Store(url).runs()["run_id"]) == {"first", "second"}  # ingested and pending alike
    monkeypatch.setenv("TRACER_HOOKS_STAGING", str(tmp_path / "staging"))
    assert list(th.Store(url).runs()["run_id"]) == ["first"], "it waits on the other machine"


def test_the_folder_alone_says_where_the_store_is(url: str) -> None:
    """What other processes are handed is the folder of the spools."""
    record(url, "one", "a")
    folder = store_path(url)
    th.Store(folder).ingest()
    assert not spools(folder)
    assert list(th.Store(url).tasks("one")["step"]) == ["a"]


def test_small_parts_are_merged(url: str) -> None:
    store = th.Store(url)
    for step in ("a", "b", "c"):
        record(url, "one", step)
        store.ingest()
    where = layout.Layout(store.path, url).partition("tasks", "one")
    assert len(layout.part_paths(where)) == 3
    assert store.compact() > 0
    assert len(layout.part_paths(where)) == 1
    assert sorted(store.tasks("one")["step"]) == ["a", "b", "c"]


def test_nothing_is_lost_while_the_object_store_is_away(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    away = f"s3://bucket/lab?endpoint_override=127.0.0.1:{port}&{OPTIONS}"
    record(away, "one", "a")
    found = command("runs", store=away)
    assert found.returncode == 1
    warning, error = found.stderr.splitlines()
    assert warning.startswith("tracer-hooks: warning: cannot write to the store s3://bucket/lab")
    assert warning.endswith("what is recorded stays in its spools")
    assert error.startswith("tracer-hooks: error: cannot list s3://bucket/lab")
    # The same folder, when the object store is there again.
    folder = store_path(away)
    (folder / "store.url").write_text(url)
    assert th.Store(folder).ingest().attempts == 1


def test_a_part_that_cannot_be_uploaded_keeps_its_spools(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(url, "one", "a")

    def refused(self: ObjectPath, source: Path) -> None:
        raise ObjectStoreError(f"cannot write {self}: access denied")

    said: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(ObjectPath, "put", refused)
        assert th.Store(url, on_warning=said.append).ingest().attempts == 0
    assert len(said) == 1
    assert "access denied" in said[0]
    assert len(spools(store_path(url))) == 1
    assert th.Store(url).ingest().attempts == 1


def test_a_part_that_goes_while_it_is_read_is_not_damaged(url: str) -> None:
    record(url, "one", "a")
    store = th.Store(url)
    store.ingest()
    [place] = layout.part_paths(layout.Layout(store.path, url).partition("tasks", "one"))
    part = parts.open_part(place)
    place.unlink()
    with pytest.raises(FileNotFoundError):
        part.read(["step"])
    with pytest.raises(FileNotFoundError):
        parts.open_part(place)


def test_a_damaged_part_is_named_and_the_rest_is_read(url: str, tmp_path: Path) -> None:
    record(url, "one", "a")
    store = th.Store(url)
    store.ingest()
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"not Parquet" * 100)
    where = layout.Layout(store.path, url).partition("tasks", "one")
    assert isinstance(where, ObjectPath)
    (where / "part-garbage.parquet").put(garbage)
    said: list[str] = []
    assert list(th.Store(url, on_warning=said.append).tasks("one")["step"]) == ["a"]
    assert len(said) == 1
    assert "part-garbage.parquet cannot be read" in said[0]


def test_keys_in_a_url_are_shown_to_nobody(url: str, tmp_path: Path) -> None:
    secret = url.replace("s3://", "s3://AKIA123:hunter2@")
    record(secret, "one", "a")
    folder = store_path(secret)
    assert "hunter2" not in str(folder)
    assert stat.S_IMODE((folder / "store.url").stat().st_mode) == 0o600
    with pytest.raises(TracerError) as raised:
        th.Store(secret).tasks("none")
    assert "hunter2" not in str(raised.value)
    assert "s3://" in str(raised.value)


def test_urls_that_lead_nowhere_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(TracerError, match="foo://bar: no store that can be used"):
        th.Store("foo://bar")


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    record(folder.as_uri(), "one", "a")
    assert list(th.Store(folder).tasks("one")["step"]) == ["a"]
    assert th.Store(folder.as_uri()).path == folder
