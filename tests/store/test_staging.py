"""The folder here of a store behind a URL: one for each place, and nobody's key in its name."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_hooks.adapter import RunRecord, TaskCard, store_path, supervised
from tracer_hooks.errors import TracerError, UsageError
from tracer_hooks.staging import shown, staging_folder, url_of

MINIO = "endpoint_override=minio.lab:9000"


@pytest.fixture(autouse=True)
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("TRACER_HOOKS_STAGING", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "tracer-hooks"


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A container's user: no HOME, and no line in /etc/passwd."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"tracer-hooks-{os.getuid()}"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("s3://lab/traces", "s3://lab/traces/", True),
        ("s3://lab/traces", "S3://lab/traces", True),
        ("s3://lab/traces", "s3://KEY:secret@lab/traces", True),
        ("s3://lab/traces", "s3://lab/traces?region=eu-west-1", True),
        (f"s3://lab/t?{MINIO}", f"s3://lab/t/?scheme=http&{MINIO}", True),
        (f"s3://lab/t?{MINIO}", "s3://lab/t", False),
        ("s3://lab/traces", "s3://lab/other", False),
        ("s3://lab/traces", "gs://lab/traces", False),
        ("abfs://a@account.dfs.core.windows.net/t", "abfs://b@account.dfs.core.windows.net/t",
         False),
        ("abfs://one:key@c/t", "abfs://two:key@c/t", False),
        ("abfs://one:key@c/t", "abfs://one:other@c/t", True),
    ],
)  # fmt: skip
def test_a_place_has_one_folder_however_it_is_spelled(one: str, other: str, same: bool) -> None:
    assert (staging_folder(one) == staging_folder(other)) == same


def test_the_spelling_with_the_key_is_kept() -> None:
    folder = staging_folder("s3://KEY:secret@lab/traces")
    staging_folder("s3://lab/traces")
    assert url_of(folder) == "s3://KEY:secret@lab/traces"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


signs = st.text(st.sampled_from("secrtSECRT0123456789/+=@:?#"), min_size=1, max_size=20)


@given(signs)
def test_a_key_is_in_no_message_and_no_name(signs: str) -> None:
    secret = f"0hunter2{signs}0"
    url = f"s3://AKIA:{secret}@bucket/x"
    assert "hunter2" not in shown(url)
    try:
        folder = str(staging_folder(url))
    except UsageError as error:
        folder = str(error)
        assert set(signs) & set("/@?#")
        assert "percent-encode" in folder
        assert "\n" not in folder
    assert "hunter2" not in folder
    assert "AKIA" not in folder


def test_an_at_in_a_path_is_no_key() -> None:
    assert shown("s3://bucket/a@b/c?x=1") == "s3://bucket/a@b/c"
    assert staging_folder("s3://bucket/a@b") != staging_folder("s3://other/a@b")


def test_without_a_home_there_is_a_folder_of_ones_own(homeless: Path) -> None:
    folder = staging_folder("s3://lab/traces")
    assert folder.parent == homeless
    assert stat.S_IMODE(homeless.stat().st_mode) == 0o700
    assert staging_folder("s3://lab/traces") == folder
    assert store_path("~/x").name == "x"


def test_a_folder_that_others_may_write_is_not_taken(homeless: Path) -> None:
    homeless.mkdir()
    homeless.chmod(0o777)
    with pytest.raises(TracerError, match="TRACER_HOOKS_STAGING"):
        staging_folder("s3://lab/traces")


@pytest.mark.parametrize("url", ["s3://[bad", "s3://KEY:a/b@lab", "file://[bad"])
def test_a_url_that_is_none_raises_nothing_into_an_engine(url: str) -> None:
    with pytest.raises(UsageError):
        store_path(url)
    assert supervised(TaskCard("r", "t"), ["echo", "x"], store=url) == ["echo", "x"]
    record = RunRecord("r", store=url)
    record.event("x")
    record.end("succeeded")
    assert record.problem
    assert "a/b" not in record.problem


def test_a_record_begins_where_the_working_directory_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    record = RunRecord("r", store=tmp_path / "store")
    assert record.problem is None
    assert RunRecord("r", store="relative").problem
    assert supervised(TaskCard("r", "t"), ["x"])[-1] == "x"
