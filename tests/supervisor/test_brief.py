"""A command that ends before anybody could look at it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tracer_hooks.supervisor.options import parse
from tracer_hooks.supervisor.record import Record


def test_what_ends_while_the_observer_is_imported_costs_no_more(tmp_path: Path) -> None:
    options = parse(["run", "--store", str(tmp_path), "--capture", "poll", "--", "true"])
    with subprocess.Popen(["true"]) as child:
        started = time.monotonic()
        record = Record(options, child.pid, time.time(), started)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        record.tick(time.monotonic(), {})
        assert started < record.ended < time.monotonic() < record.due()
        record.last_look(time.monotonic(), {})
    how = {"exit_code": 0, "signal": None, "status": "succeeded"}
    record.seal(how, record.ended)
    (lines,) = [p.read_text().splitlines() for p in tmp_path.glob("spool/run/*.jsonl")]
    sealed = json.loads(lines[-1])
    assert sealed["wall_s"] == pytest.approx(record.ended - started)
    assert (sealed["process_count"], sealed["reading_count"]) == (1, 0)
