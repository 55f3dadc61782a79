"""A task of very many processes: bounded rows, exact tools, and how many have no row."""

from __future__ import annotations

import collections
import itertools
from pathlib import Path

import pytest

from tests.supervisor.harness import PYTHON, observe, read_spools
from tracer_hooks.store import Store
from tracer_hooks.supervisor import rows as rows_module
from tracer_hooks.supervisor.observer import reading_gap_s
from tracer_hooks.supervisor.options import Options
from tracer_hooks.supervisor.process import Image
from tracer_hooks.supervisor.rows import OTHER_PROGRAMS, Rows
from tracer_hooks.supervisor.spool import Spool

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


# without processes: real rows on a real spool, and a clock that is told the time


def _rows(store: Path) -> tuple[Rows, Spool]:
    spool = Spool(str(store / "spool" / "run" / "task.1.jsonl"))
    return Rows(spool, 1e9, Options()), spool


def _image(number: int, comm: str, born: float = 0.0) -> Image:
    image = Image(number, number, 1, born)
    image.comm, image.exe, image.argv = comm, f"/bin/{comm}", [comm]
    return image


def test_ten_hours_of_64_busy_workers_are_a_small_record(tmp_path: Path) -> None:
    rows, spool = _rows(tmp_path)
    workers = [_image(number, "worker") for number in range(64)]
    now, readings = 0.25, 0
    while now < 36_000:
        for image in workers:
            image.cpu_s = image.user_s = now * 0.987654321
            image.disk_write_bytes = int(now * 1e6)
            rows.changed(image)
        rows.write_changed(now)
        spool.flush()
        now += reading_gap_s(now)
        readings += 1
    spool.close()
    (lines,) = read_spools(tmp_path)
    told = [line["cpu_s"] / 0.987654321 for line in lines if line["t"] == "q" and line["id"] == 0]
    size = Path(spool.path).stat().st_size
    assert size < 8e6, (size, readings)
    # and yet what a record says of a process when all dies is at most so old
    for last, following in itertools.pairwise([*told, now]):
        assert following - last <= 10 + max(reading_gap_s(last), min(300.0, 0.06 * following))


def test_an_image_that_began_after_the_look_did_has_its_figures_at_once(tmp_path: Path) -> None:
    rows, spool = _rows(tmp_path)
    rows.changed(_image(1, "worker", born=1000.002))
    rows.write_changed(1000.0)
    spool.flush()
    (lines,) = read_spools(tmp_path)
    assert [line["t"] for line in lines] == ["p", "q"]


def test_an_image_that_ends_is_told_at_once(tmp_path: Path) -> None:
    rows, spool = _rows(tmp_path)
    image = _image(1, "worker")
    rows.changed(image)
    rows.write_changed(1000.0)
    image.cpu_s, image.ended = 7.0, 1001.0
    rows.changed(image)
    rows.write_changed(1001.0)  # not its turn
    rows.ended([image])
    rows.write_changed(5000.0)  # and told once
    spool.flush()
    (lines,) = read_spools(tmp_path)
    assert [line["cpu_s"] for line in lines if line["t"] == "q"] == [0.0, 7.0]


def test_programs_as_many_as_processes_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, most in (("_ROWS", 10), ("_GROUPS", 5), ("_GROUPS_AT_MOST", 20), ("_KINDS", 15)):
        monkeypatch.setattr(rows_module, name, most)
    rows, spool = _rows(tmp_path)
    for number in range(100):
        image = _image(number, f"program{number % 90}")
        image.ended, image.cpu_s = 0.01, 0.001
        rows.ended([image])
        rows.write_groups()
    spool.flush()
    (lines,) = read_spools(tmp_path)
    groups = {line["n"]: line for line in lines if line["t"] == "fold"}
    assert len(groups) == 21
    others = groups[20]
    assert (others["comm"], others["exe"], others["argv"]) == (OTHER_PROGRAMS, None, [])
    assert rows.count == 100 == 10 + sum(group["count"] for group in groups.values())
    assert others["count"] == 70
    assert rows.ended_of({("program3", False), ("program4", False)}) == 4
    assert rows.ended_of({("program80", False)}) is None
