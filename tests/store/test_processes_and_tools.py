"""Rows of `processes` and `tools` from p, q and fold lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracer_hooks.store import Store
from tracer_hooks.tools import parse_rules

from . import spools


def stored(store: Path, table: str, *lines: dict[str, Any], **card: Any) -> list[dict[str, Any]]:
    spools.write(store, [spools.card_line(**card), *lines, spools.sealed_line()])
    return list(Store(store).table(table).to_pylist())


def test_the_last_figures_of_a_process_stand(tmp_path: Path) -> None:
    (row,) = stored(
        tmp_path, "processes",
        *spools.process_lines(cpu_s=0.1, end=None, src="poll"),
        *spools.process_lines(cpu_s=0.7, exit_code=3, cpu_src="perf")[1:],
    )  # fmt: skip
    assert (row["process_id"], row["cpu_s"], row["cpu_source"]) == (1, 0.7, "perf")
    assert (row["tool"], row["argv"], row["pid"], row["parent_pid"]) == (
        "bwa mem", ["bwa", "mem"], 101, 99,
    )  # fmt: skip


def test_a_fork_without_exec_bears_its_parents_name(tmp_path: Path) -> None:
    script = {"exe": "/usr/bin/python3.11", "argv": ["python", "train.py"], "comm": "python"}
    worker = {**script, "forked": True, "argv": ["python", "renamed"]}
    rows = stored(
        tmp_path, "processes",
        *spools.process_lines(3, parent=2, **worker),  # in whatever order
        *spools.process_lines(2, parent=1, **worker),
        *spools.process_lines(1, **script),
        *spools.process_lines(4, parent=77, **worker),  # a parent that nobody saw
        *spools.process_lines(5, parent=6, **worker), *spools.process_lines(6, parent=5, **worker),
    )  # fmt: skip
    tools = {row["process_id"]: row["tool"] for row in rows}
    assert (tools[1], tools[2], tools[3]) == ("python train.py",) * 3
    assert tools[4] == "python renamed"
    (train,) = [
        row for row in Store(tmp_path).table("tools").to_pylist() if row["tool"] == tools[1]
    ]
    assert train["count"] == 3


def test_a_fork_that_execs_is_one_process(tmp_path: Path) -> None:
    shell = {"exe": "/bin/bash", "argv": ["bash", "x.sh"], "comm": "bash"}
    (sort, bash) = sorted(
        stored(
            tmp_path, "tools",
            *spools.process_lines(1, **shell, cpu_s=1.0),
            *spools.process_lines(2, parent=1, **shell, forked=True, cpu_s=0.25),
            *spools.process_lines(3, parent=1, exec_of=2, exe="/s", argv=["sort"], cpu_s=2.0),
        ),
        key=lambda row: -row["cpu_s"],
    )  # fmt: skip
    assert (sort["tool"], sort["count"], sort["cpu_s"]) == ("sort", 1, 2.0)
    assert (bash["tool"], bash["count"], bash["cpu_s"]) == ("bash x.sh", 1, 1.25)


def test_totals_of_a_tool(tmp_path: Path) -> None:
    start = spools.START
    (row,) = stored(
        tmp_path, "tools",
        *spools.process_lines(1, end=start + 2, cpu_s=1.0, memory_peak_bytes=50),
        *spools.process_lines(2, end=start + 0.25, cpu_s=None, memory_peak_bytes=70),
        *spools.process_lines(3, end=None, cpu_s=0.5, memory_peak_bytes=None, disk_read_bytes=None),
    )  # fmt: skip
    assert (row["count"], row["short_count"], row["folded_count"]) == (3, 1, 0)
    assert (row["cpu_s"], row["wall_s"], row["memory_peak_bytes"]) == (1.5, 2.25, 70)
    assert row["disk_read_bytes"] == 20
    assert row["disk_write_bytes"] is None
    assert row["source"] == "poll"


def test_folded_processes_count(tmp_path: Path) -> None:
    fold = {
        "t": "fold", "n": 0, "comm": "bwa", "exe": "/usr/bin/bwa", "argv": ["bwa", "mem"],
        "count": 1000, "short_count": 900, "cpu_s": 5.0, "wall_s": 6.0, "memory_peak_bytes": 9000,
        "src": "perf",
    }  # fmt: skip
    rows = stored(
        tmp_path, "tools",
        *spools.process_lines(),
        {**fold, "count": 10, "cpu_s": 0.1},  # the last line of a group stands
        fold,
        {**fold, "n": 1, "comm": "grep", "exe": None, "argv": None},
    )  # fmt: skip
    (bwa, grep) = rows
    assert (bwa["tool"], bwa["count"], bwa["folded_count"]) == ("bwa mem", 1001, 1000)
    assert (bwa["short_count"], bwa["cpu_s"], bwa["wall_s"]) == (900, 5.9, 7.0)
    assert (bwa["memory_peak_bytes"], bwa["source"]) == (9000, "perf+poll")
    assert (grep["tool"], grep["count"]) == ("grep", 1000)


def test_unknown_stays_unknown(tmp_path: Path) -> None:
    (row,) = stored(
        tmp_path, "tools", {"t": "p", "id": 1, "comm": "x"}, {"t": "q", "id": 1}, interval_s=None
    )
    for name in ("cpu_s", "wall_s", "short_count", "memory_peak_bytes", "disk_read_bytes"):
        assert row[name] is None, name


def test_a_users_rules_name_tools(tmp_path: Path) -> None:
    mine = {"exe": "/opt/mine", "argv": ["mine", "polish"], "comm": "mine"}
    spools.write(tmp_path, [spools.card_line(), *spools.process_lines(**mine)])
    rules = parse_rules({"tool": [{"names": ["mine"]}]})
    assert Store(tmp_path).table("tools")["tool"].to_pylist() == ["mine"]
    found = Store(tmp_path, tool_rules=rules).table("tools")
    assert found["tool"].to_pylist() == ["mine polish"]
    (tmp_path / "tools.toml").write_text('[[tool]]\nnames = ["mine"]\n')
    assert Store(tmp_path).table("tools")["tool"].to_pylist() == ["mine polish"]
