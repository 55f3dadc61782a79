"""One attempt as text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from analysis.synthetic import GIB, MIB, RUN, START, process, table, task
from rich.cells import cell_len

from report.conftest import HOSTILE
from tracer_hooks.analysis.task import TaskReport, summarise_task
from tracer_hooks.report import task as page
from tracer_hooks.report.course import sparkline
from tracer_hooks.report.process_tree import branches, most_telling, walk


def test_it_says_what_matters(task_report: TaskReport) -> None:
    text = page.render(task_report, color=False, width=100)
    for words in (
        "t1 · succeeded after 1m 00s", "3.20 s after it was submitted", "cores 4 1.17",
        "memory 4 GiB 1.86 GiB", "on CPU 42.0 s 70 %", "max 1.75", "bwa mem worker ×4",
        "gzip ×40", "exit 1", "throttled",
    ):  # fmt: skip
        assert words in " ".join(text.split()), words
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [40, 80, 160])
def test_no_line_leaves_the_page(task_report: TaskReport, width: int) -> None:
    for color in (False, True):
        text = re.sub(r"\x1b\[[0-9;]*m", "", page.render(task_report, color=color, width=width))
        assert max(map(cell_len, text.splitlines())) <= width


def told(row: dict[str, Any], *events: tuple[str, dict[str, Any]]) -> str:
    """The page of a task with these events, its lines' spaces made one."""
    rows = [
        {"task_id": "t1", "attempt": 1, "at": START, "kind": kind, "detail": json.dumps(detail),
         "spool": "t1.1.x"}
        for kind, detail in events
    ]  # fmt: skip
    tables = {"tasks": table("tasks", [row]), "events": table("events", rows)}
    return " ".join(page.render(summarise_task(tables, RUN, "t1"), width=120).split())


FAILED = {"status": "failed", "exit_code": None}


def test_a_task_out_of_memory_shows_the_victim_and_the_limit() -> None:
    text = told(
        task(**FAILED, signal=9, failure_cause="oom", memory_requested_bytes=2 * GIB),
        ("limit", {"memory_bytes": GIB, "cpus": 1.5, "own": True}),
        ("oom", {"own": True, "pid": 77, "comm": "sort", "memory_peak_bytes": 900 * MIB}),
        ("failure", {"cause": "oom", "oom_kills": 1, "oom_counters": ["x"], "signal": 9}),
    )
    assert "failed after 10.0 s, out of memory, SIGKILL" in text
    assert "Memory ran out: the kernel killed sort (pid 77, peak 900 MiB)" in text
    assert "asked allowed used" in text
    assert "memory 2 GiB 1 GiB 800 MiB" in text
    assert "cores 1.5 0.60" in text


def test_a_task_out_of_time_shows_who_ended_it() -> None:
    shown = {"timeout_by": "timeout", "timeout_pid": 78, "timeout_s": 1.0}
    text = told(task(**FAILED, failure_cause="timeout"), ("failure", shown))
    assert "failed after 10.0 s, out of time" in text
    assert "Its time was up (1.00 s): ended by timeout, pid 78." in text


def test_a_signal_shows_its_sender_or_what_it_was_not() -> None:
    row = task(**FAILED, signal=15, failure_cause="signal")
    sent = {"signal": 15, "sender_pid": 79, "sender_uid": 1000, "sender": "bash"}
    text = told(row, ("failure", {"received": [sent]}), ("signal", sent))
    assert text.count("SIGTERM from bash (pid 79, user 1000)") == 2
    text = told(row, ("failure", {"signal": 15, "oom_counters": ["x"]}))
    assert "Who sent SIGTERM is not known: no out-of-memory kill was counted" in text
    assert "could not be watched" in told(row, ("failure", {"signal": 15}))
    assert "How it ended" not in told(row)


def test_events_read_as_sentences_and_refusals_stand_under_how_we_know() -> None:
    refused = {"what": "capture", "why": "set kernel.perf_event_paranoid to 2"}
    text = told(
        task(tags=[("lane", "3")]),
        ("throttled", {"seconds": 2.5, "periods": 90, "throttled_periods": 40, "own": True}),
        ("mark", {"name": "half"}),
        ("degraded", refused), ("degraded", refused),
        ("delays", {"cpu_s": 0.1, "disk_s": 3.0, "swap_s": None}),
        ("network_unattributed", {"rx_bytes": MIB, "tx_bytes": 0}),
    )  # fmt: skip
    assert "tags lane=3" in text
    assert "a CPU quota held it back for 2.50 s, in 40 of 90 periods" in text
    assert "mark name half" in text
    assert text.partition("How we know")[2].count("set kernel.perf_event_paranoid to 2.") == 1
    assert "3.00 s for the disk" in text
    assert "1.00 MiB in and 0 B out are of no process that was seen." in text


def test_network_bytes_are_shown_for_the_task_its_course_and_its_processes() -> None:
    rows = [process(1, None, "curl", network_rx_bytes=7 * MIB, network_tx_bytes=512)]
    row = task(network_rx_bytes=9 * MIB, network_tx_bytes=700, network_source="sock_diag+destroy")
    readings = [
        {"task_id": "t1", "attempt": 1, "elapsed_s": float(at), "cpu_s": float(at),
         "network_rx_bytes": at * MIB, "network_tx_bytes": at, "spool": "t1.1.x"}
        for at in range(10)
    ]  # fmt: skip
    tables = {
        "tasks": table("tasks", [row]),
        "processes": table("processes", rows),
        "readings": table("readings", readings),
    }
    text = " ".join(page.render(summarise_task(tables, RUN, "t1"), width=120).split())
    assert "received 9.00 MiB only TCP: no UDP sent 700 B" in text
    assert "network by sock_diag+destroy" in text
    assert "max 1.00 MiB/s" in text
    assert "peak received sent" in text
    assert "7.00 MiB 512 B" in text


@pytest.mark.parametrize(
    ("source", "held"),
    [("pss", "all processes at one moment"), ("rusage", "the largest process that ended")],
)
def test_whose_peak_it_is_is_said(source: str, held: str) -> None:
    assert f"peak, {held} ({source})" in told(task("t1", memory_source=source))


def test_a_bound_on_processes_is_said_to_be_one() -> None:
    text = told(task(process_count=90, short_process_count=80, process_count_source="estimated"))
    assert "processes at most 90 at most 80 shorter than one polling interval" in text


def test_what_a_container_used_is_told_beside_the_task() -> None:
    used = {"runtime": "podman", "image": "bwa:1", "cpu_user_s": 2.5, "cpu_system_s": 0.5,
            "memory_peak_bytes": 300 << 20, "disk_write_bytes": 100 << 20}  # fmt: skip
    text = told(task(), ("container", used))
    assert "podman, bwa:1, 3.00 s of CPU, 300 MiB memory at its peak, 100 MiB written" in text
    assert "read from disk" not in text  # not measured: not told


BROKEN: list[Any] = [
    {"oom_kills": "x", "received": 3}, {"received": [{}]}, {"timeout_s": "\x1b[31m"}, [], "x",
    {"cpus": "many", "memory_bytes": None}, {"signal": "\x1b]0;x\x07", "sender_pid": "\n"},
    {"seconds": None}, {"rx_bytes": "1"}, {"what": {}, "why": ["\x1b"]}, {"comm": 3, "own": 1},
]  # fmt: skip


@pytest.mark.parametrize("detail", BROKEN, ids=range(len(BROKEN)))
def test_details_of_another_version_break_no_page(detail: Any) -> None:
    kinds = ["failure", "oom", "signal", "limit", "throttled", "delays", "degraded", "pressure",
             "network_unattributed", "container"]  # fmt: skip
    row = task(**FAILED, signal=9, failure_cause="timeout")
    text = told(row, *((kind, detail) for kind in kinds))
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", text)


def hostile_task(name: str) -> TaskReport:
    named = dict.fromkeys(
        ["task_name", "step", "sample", "command", "workdir", "container_image", "failure_cause"],
        name,
    )
    row = task(name, **named, status="failed", signal=9, spool="s")
    processes = [process(n, n - 1 or None, name, task_id=name, spool="s") for n in range(1, 6)]
    events = [{"task_id": name, "attempt": 1, "kind": name, "detail": name, "spool": "s"}]
    tables = {"tasks": [row], "processes": processes, "events": events}
    return summarise_task({k: table(k, rows) for k, rows in tables.items()}, RUN, name)


@pytest.mark.parametrize("name", HOSTILE[:8])
def test_hostile_names_stay_text(name: str) -> None:
    text = page.render(hostile_task(name), color=False, width=80)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_what_was_not_measured_is_left_open() -> None:
    nothing = {k: None for k, value in task().items() if not isinstance(value, str)}
    row = {**task("t1"), **nothing, "attempt": 1, "status": "lost"}
    text = page.render(summarise_task({"tasks": table("tasks", [row])}, RUN, "t1"), width=100)
    assert "not measured" in text
    assert "none was seen by name" in text
    assert "The task is lost" in text
    assert not re.search(r"\b0 (s|B)\b", text)


def group(process_id: int, parent_id: int | None) -> dict[str, Any]:
    return {"process_id": process_id, "parent_id": parent_id}


def test_every_process_comes_once_even_in_circles_and_without_parents() -> None:
    groups = [group(1, None), group(2, 1), group(3, 2), group(4, 99), group(5, 6), group(6, 5),
              group(7, 7)]  # fmt: skip
    walked = [(depth, row["process_id"]) for depth, row in walk(groups)]
    assert walked[:4] == [(0, 1), (1, 2), (2, 3), (0, 4)]
    assert sorted(process_id for _, process_id in walked) == [1, 2, 3, 4, 5, 6, 7]


def test_a_chain_of_ten_thousand_is_walked() -> None:
    groups = [group(n, n - 1 or None) for n in range(1, 10_001)]
    assert [depth for depth, _ in walk(groups)] == list(range(10_000))


def test_a_sparkline_leaves_a_gap_where_nothing_is_known() -> None:
    assert sparkline([0.0, 1.0, float("nan"), 8.0], 8.0) == "▁▁ █"


def test_guide_lines_lead_to_each_group() -> None:
    groups = [group(1, None), group(2, 1), group(3, 2), group(4, 2), group(5, 1), group(6, 5)]
    assert [(guide, row["process_id"]) for guide, row in branches(groups)] == [
        ("", 1), ("├─ ", 2), ("│  ├─ ", 3), ("│  └─ ", 4), ("└─ ", 5), ("   └─ ", 6),
    ]  # fmt: skip


def test_guide_lines_of_a_deep_chain_stay_on_the_page() -> None:
    chain = [group(n, n - 1 or None) for n in range(1, 1001)]
    assert max(len(guide) for guide, _ in branches(chain)) < 50


def weighed(process_id: int, parent_id: int | None, cpu_s: float | None, **more: Any) -> Any:
    return group(process_id, parent_id) | {
        "cpu_s": cpu_s, "memory_peak_bytes": 0, "signal": None, **more,
    }  # fmt: skip


def test_of_a_big_tree_what_tells_most_is_shown_with_all_above_it() -> None:
    groups = [
        weighed(1, None, 0.0), *(weighed(n, 1, 0.1) for n in range(2, 50)), weighed(50, 1, None),
        weighed(51, 50, 9.0), weighed(52, 1, 0.0, signal=9),
    ]  # fmt: skip
    shown, rest = most_telling(groups, 5)
    ids = [row["process_id"] for row in shown]
    assert len(ids) == 5
    assert {1, 50, 51, 52} < set(ids)
    assert len(shown) + len(rest) == len(groups)
    assert most_telling(groups, 100) == (groups, [])


def test_what_is_left_out_of_the_tree_is_summed_by_tool() -> None:
    rows = [process(1, None, "bash", lived=10.0)]
    # Each starts another, so that none is like its siblings and folded with them.
    for n in range(2, 200, 2):
        rows += [process(n, 1, "make", cpu_s=0.1), process(n + 1, n, "cc1", cpu_s=0.4)]
    tables = {"tasks": table("tasks", [task()]), "processes": table("processes", rows)}
    text = " ".join(page.render(summarise_task(tables, RUN, "t1"), width=120).split())
    found = re.search(r"and (\d+) more processes with ([\d.]+) s of CPU: (.*?) How", text)
    assert found
    shown = len(re.findall(r"[├└]─", text)) + 1
    assert shown <= page_lines()
    assert int(found[1]) + shown == len(rows)
    assert "cc1 ×" in found[3]


def page_lines() -> int:
    from tracer_hooks.report.task_processes import MAX_LINES

    return MAX_LINES


def test_lifetimes_stand_beside_the_tree(task_report: TaskReport) -> None:
    lines = page.render(task_report, color=False, width=100).splitlines()
    (bash,) = [line for line in lines if line.startswith("  bash ") and "━" in line]
    (late,) = [line for line in lines if "├─ bwa mem worker" in line or "worker ×4" in line]
    (grep,) = [line for line in lines if "└─ grep" in line]
    assert bash.count("━") == 20
    assert "━" not in late
    assert 12 <= late.count("┅") <= 15  # ten to fifty seconds of sixty
    assert grep.index("━") > bash.index("━") + 17


def test_moments_have_a_letter_on_the_time_line(task_report: TaskReport) -> None:
    lines = page.render(task_report, color=False, width=100).splitlines()
    (strip,) = [line for line in lines if line.strip().startswith("moments")]
    (cores,) = [line for line in lines if line.strip().startswith("cores") and "max" in line]
    drawn = len(cores.split("  max")[0]) - 14
    assert strip.index("a") - 14 == int(31 / 60 * drawn)
    assert any(line.startswith("  a ") and "throttled" in line for line in lines)


def test_every_attempt_of_the_task_is_listed() -> None:
    rows = [
        task(**FAILED, failure_cause="oom", signal=9, spool="a"),
        task(attempt=2, at=20.0, spool="b"),
    ]
    report = summarise_task({"tasks": table("tasks", rows)}, RUN, "t1")
    text = " ".join(page.render(report, width=100).split())
    assert "1 out of memory, SIGKILL 10.0 s" in text
    assert "2 (this) succeeded 10.0 s" in text
