"""A task of very many processes: bounded rows, exact tools, and how many have no row."""

from __future__ import annotations

import collections
from pathlib import Path

import pytest

from tests.supervisor.harness import PYTHON, observe
from tracer_hooks.store import Store

COUNT = 2400
SPAWN = """
import os, sys
null = [(os.POSIX_SPAWN_DUP2, os.open("/dev/null", os.O_RDWR), 1)]
for number in range(int(sys.argv[1])):
    argv = ["echo", str(number)] if number % 3 else ["true"]  # each with words of its own
    os.waitpid(os.posix_spawnp(argv[0], argv, {}, file_actions=null), 0)
"""


@pytest.mark.parametrize("capture", ["perf", "taskstats"])
def test_rows_are_folded_and_tools_are_exact(tmp_path: Path, capture: str) -> None:
    command = [PYTHON, "-I", "-S", "-c", SPAWN, str(COUNT)]
    observed = observe(tmp_path, command, "--capture", capture)
    if capture not in observed.lines[0]["capture"]:
        pytest.skip(f"{capture} is refused here")
    rows = len(observed.processes())
    assert 1000 <= rows <= 1100
    with_row = collections.Counter(row["comm"] for row in observed.processes().values())
    groups = {line["n"]: line for line in observed.of_type("fold")}
    folded = sum(group["count"] for group in groups.values())
    assert rows + folded == observed.sealed["process_count"] == COUNT + 1
    store = Store(tmp_path)
    tools = store.tools("run").set_index("tool")
    assert (tools.loc["echo", "count"], tools.loc["true", "count"]) == (1600, 800)
    assert tools["folded_count"].sum() == folded
    assert tools.loc["echo", "folded_count"] == 1600 - with_row["echo"]
    named = observed.sealed["cpu_s"] - observed.sealed["cpu_unattributed_s"]
    assert tools["cpu_s"].sum() == pytest.approx(named, rel=0.02)
