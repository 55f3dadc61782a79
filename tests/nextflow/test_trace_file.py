"""Reading Nextflow's trace file, and explaining where its figures and ours differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tracer_hooks_nextflow.trace_comparison import compare
from tracer_hooks_nextflow.trace_file import TraceRow, read_trace, seconds, size

from tracer_hooks.errors import TracerError

HEAD = "task_id\thash\tnative_id\tname\tstatus\texit\trealtime\t%cpu\tpeak_rss\trchar\twchar\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5 GB", 3 << 29), ("0", 0), ("512 KB", 1 << 19), ("7 B", 7), ("123456", 123456),
     ("-", None), (None, None), ("", None), ("lots", None)],
)  # fmt: skip
def test_sizes(text: str | None, value: int | None) -> None:
    assert size(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1m 2s", 62), ("158ms", 0.158), ("1h 1m 1.5s", 3661.5), ("2d", 172800), ("1500", 1.5),
     ("-", None), (None, None)],
)  # fmt: skip
def test_durations(text: str | None, value: float | None) -> None:
    assert seconds(text) == value


def test_a_trace_file(tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    rows = (
        '1\tab/cdef01\t77\tA (it\'s "x")\tCOMPLETED\t0\t2s\t150.0%\t3 MB\t10 KB\t1 KB\n'
        "2\tff/000000\t-\tB\tFAILED\t7\t-\t-\t-\t-\t-\n"
    )
    path.write_text(HEAD + rows)
    first, second = read_trace(path)
    assert first == TraceRow(
        "abcdef01", 'A (it\'s "x")', "COMPLETED", 0, 2.0, 3.0, 3 << 20, 10240, 1024
    )
    assert (second.exit_code, second.wall_s, second.cpu_s) == (7, None, None)


def test_what_is_no_trace_is_said(tmp_path: Path) -> None:
    path = tmp_path / "no.txt"
    with pytest.raises(TracerError, match="cannot read"):
        read_trace(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TracerError, match="-with-trace"):
        read_trace(path)


def ours(**figures: Any) -> dict[str, Any]:
    row = {
        "task_id": "A.1", "task_name": "A", "attempt": 1, "tags": {"hash": "abcdef0123456789"},
        "exit_code": 0, "wall_s": 2.0, "cpu_s": 1.0, "memory_peak_bytes": 100 << 20,
    }  # fmt: skip
    return {**row, **figures}


def theirs(**figures: Any) -> TraceRow:
    row: dict[str, Any] = {
        "hash": "abcdef01", "name": "A", "status": "COMPLETED", "exit_code": 0, "wall_s": 2.0,
        "cpu_s": 1.0, "memory_peak_bytes": 100 << 20, "read_chars": None, "write_chars": None,
    }  # fmt: skip
    return TraceRow(**{**row, **figures})


@pytest.mark.parametrize(
    ("here", "there", "reasons"),
    [
        ({}, {}, []),
        ({"memory_peak_bytes": 400 << 20}, {}, ["peak unseen"]),
        ({}, {"memory_peak_bytes": 180 << 20}, ["peaks summed"]),
        ({"cpu_s": 1.5}, {}, ["cpu unseen"]),
        ({}, {"cpu_s": 1.5}, ["cpu of the trace"]),
        ({"wall_s": 2.5}, {}, ["longer around"]),
        ({"exit_code": 1}, {}, ["exit"]),
        ({}, {"cpu_s": None, "memory_peak_bytes": None, "wall_s": None}, ["no figures"]),
        ({"cpu_s": None, "memory_peak_bytes": None}, {}, []),
        ({}, {"status": "CACHED"}, ["cached"]),
    ],
)
def test_reasons(here: dict[str, Any], there: dict[str, Any], reasons: list[str]) -> None:
    (pair,) = compare([ours(**here)], [theirs(**there)])
    assert pair.reasons == reasons


def test_what_only_one_side_has() -> None:
    assert [pair.reasons for pair in compare([ours()], [])] == [["not in the trace"]]
    assert [pair.reasons for pair in compare([], [theirs()])] == [["not recorded"]]
    told = [{"hash": "abcdef0123456789", "recorded": "never started"}]
    assert [pair.reasons for pair in compare([], [theirs()], told)] == [["never started"]]
