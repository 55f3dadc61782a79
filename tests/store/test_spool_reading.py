"""A spool in any state can be read: cut, garbage, hostile, empty."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracer_hooks.store import Store
from tracer_hooks.store.spool import parse_lines

from . import spools


def lines_as_bytes(*lines: dict[str, object]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_the_torn_last_line_is_ignored_and_not_counted() -> None:
    whole = lines_as_bytes({"t": "card"}, {"t": "r", "at": 1})
    assert parse_lines(whole + b'{"t": "sealed"') == ([{"t": "card"}, {"t": "r", "at": 1}], 0)
    assert parse_lines(whole + b'{"t": "sealed"}')[0][-1]["t"] == "r"


def test_garbage_lines_are_skipped_and_counted() -> None:
    data = (
        b'{"t": "card"}\n\x00\x00\x00\n[1]\n{"no": "type"}\n{"t": 7}\nnot json\n'
        + b"[" * 100_000
        + b"\n"
        + b"9" * 5000
        + b'\n{"t": "r"}\n'
    )
    lines, garbage = parse_lines(data)
    assert [line["t"] for line in lines] == ["card", "r"]
    assert garbage == 7


@given(data=st.binary(max_size=300))
def test_any_bytes_can_be_parsed(data: bytes) -> None:
    lines, garbage = parse_lines(data)
    assert len(lines) + garbage == data.count(b"\n")


def test_a_spool_cut_at_any_byte_is_read(tmp_path: Path) -> None:
    """Whatever is whole is kept: the task is there as soon as its card is."""
    whole = lines_as_bytes(
        spools.card_line(observer=spools.gone_observer()),
        *spools.process_lines(),
        spools.reading_line(),
        spools.sealed_line(),
    )
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    path = spools.write(tmp_path, [spools.card_line()])
    for cut in [*range(0, len(whole), 13), *ends, *(end - 1 for end in ends)]:
        path.write_bytes(whole[:cut])
        tasks = Store(tmp_path).table("tasks").to_pylist()
        assert len(tasks) == (cut >= ends[0]), cut
        if tasks:
            assert tasks[0]["status"] == ("succeeded" if cut == len(whole) else "lost")
            assert tasks[0]["cpu_s"] == (
                1.2 if cut == len(whole) else 0.9 if cut >= ends[3] else None
            )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    position=st.integers(min_value=0, max_value=10_000),
    noise=st.binary(min_size=1, max_size=20),
)
def test_a_spool_with_noise_in_it_is_ingested_or_kept(
    tmp_path: Path, position: int, noise: bytes
) -> None:
    store = tmp_path / f"{position}-{noise.hex()}"
    path = spools.write(store, spools.attempt(observer=spools.gone_observer()))
    data = path.read_bytes()
    position %= len(data)
    path.write_bytes(data[:position] + noise + data[position:])
    found = Store(store, on_warning=spools.ignore)
    before = found.table("tasks").num_rows
    found.ingest()
    assert found.table("tasks").num_rows == before
    assert before == 1 or path.exists()


def test_hostile_names_come_back(tmp_path: Path) -> None:
    hostile = [
        "a/../b",
        "..",
        "q\"u'o",
        "new\nline",
        "x" * 5000,
        "😀" * 1300,
        "",
        " ",
        "%41",
        "@run.x",
    ]
    for name in hostile:
        spools.write(
            tmp_path, spools.attempt(name, name, card={"step": name, "tags": {name: name}})
        )
    for ingested in (False, True):
        store = Store(tmp_path)
        if ingested:
            assert store.ingest().attempts == len(hostile)
        tasks = store.table("tasks").to_pylist(maps_as_pydicts="lossy")
        assert sorted(task["task_id"] for task in tasks) == sorted(hostile)
        for task in tasks:
            assert task["step"] == task["task_id"]
            assert task["tags"] == {task["task_id"]: task["task_id"]}
            if len(task["task_id"]) < 100:
                assert task["run_id"] == task["task_id"]
        assert len(set(store.run_ids())) == len(hostile)


def test_bytes_that_are_not_unicode_become_escapes(tmp_path: Path) -> None:
    bad = "bad\udcff"
    lines = spools.attempt(bad, bad, workdir="/data/\udce9", argv=["cat", "\udcff.txt"])
    spools.write(tmp_path, lines)
    spools.write(tmp_path, spools.attempt("x", "\udcff\udcfe" * 400))
    for _ in range(2):
        task = Store(tmp_path).tasks("bad")
        assert task.task_id.tolist() == ["bad\\xff"]
        assert task.workdir.tolist() == ["/data/\\xe9"]
        assert task.command.tolist() == ["cat '\\xff.txt'"]
        assert len(Store(tmp_path).runs()) == 2
        Store(tmp_path).ingest()


def test_values_of_the_wrong_type_are_null(tmp_path: Path) -> None:
    card = {"attempt": "two", "step": 7, "tags": [1], "cpus_requested": "4", "task_id": 12}
    lines = [
        spools.card_line(card=card, started_at="noon", argv="ls", interval_s="x", observer=3),
        {"t": "p", "id": "one"}, {"t": "p", "id": 1, "argv": {"a": 1}, "start": [], "parent": "x"},
        {"t": "q", "id": 1, "cpu_s": "1"}, {"t": "fold", "count": "many", "n": 1}, {"t": "fold"},
        {"t": "r", "at": None, "p": [[], [1], 5, ["x", "y"], [1, 2, 3, 4, 5, 6, 7]]},
        {"t": "r", "p": 5}, {"t": "e", "detail": 5, "at": "x"},
        spools.sealed_line(wall_s="long", exit_code=1 << 40, memory_peak_bytes=1 << 64, status=5),
    ]  # fmt: skip
    spools.write(tmp_path, lines)
    for _ in range(2):
        store = Store(tmp_path)
        (task,) = store.table("tasks").to_pylist()
        assert task["task_id"] == "12"
        for name in ("step", "tags", "cpus_requested", "started_at", "wall_s", "memory_peak_bytes"):
            assert task[name] is None, name
        assert store.table("processes").num_rows == 1
        assert store.table("events")["detail"].to_pylist() == ["5"]
        Store(tmp_path).ingest()
    assert not list(tmp_path.glob("spool/*/*.jsonl"))


def test_a_spool_without_its_first_line_is_named_by_its_file(tmp_path: Path) -> None:
    path = spools.write(tmp_path, spools.attempt("some/task", card={"attempt": 3}))
    path.write_bytes(b"\x00" * 50 + b"\n" + path.read_bytes().partition(b"\n")[2])
    store = Store(tmp_path, on_warning=spools.ignore)
    assert store.ingest().attempts == 1
    (task,) = store.table("tasks").to_pylist()
    assert (task["task_id"], task["attempt"], task["cpu_s"]) == ("some/task", 3, 1.2)
    assert len(store.warnings) == 1


def test_a_spool_in_which_nothing_can_be_read_is_kept_aside(tmp_path: Path) -> None:
    import os

    spools.write(tmp_path, spools.attempt("other"))
    path = spools.write(tmp_path, [], name="t.1.elsewhere-5-1f.jsonl")
    assert Store(tmp_path).ingest().left == 1
    assert path.exists()  # its writer may be about to write
    long_ago = time.time() - 2 * 86_400
    os.utime(path, (long_ago, long_ago))
    result = Store(tmp_path, on_warning=spools.ignore).ingest()
    assert len(result.warnings) == 1
    assert not path.exists()
    assert path.with_name(path.name + ".unreadable").exists()
    assert Store(tmp_path).ingest().warnings == []


def test_a_newer_spool_is_left(tmp_path: Path) -> None:
    path = spools.write(tmp_path, spools.attempt("t", v=2))
    spools.write(tmp_path, spools.attempt("old"))
    store = Store(tmp_path, on_warning=spools.ignore)
    assert store.ingest().attempts == 1
    assert store.table("tasks")["task_id"].to_pylist() == ["old"]
    assert path.exists()
    assert "upgrade" in store.warnings[0]


@pytest.mark.parametrize("kind", ["xyz", "unknown_type"])
def test_unknown_types_and_keys_are_ignored(tmp_path: Path, kind: str) -> None:
    lines = spools.attempt(new_key={"a": 1})
    lines.insert(1, {"t": kind, "what": "ever"})
    spools.write(tmp_path, lines)
    store = Store(tmp_path)
    assert store.ingest().warnings == []
    assert store.table("tasks").num_rows == 1
