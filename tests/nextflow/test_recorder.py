"""The process beside the engine, and the supervisor in one file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import tracer_hooks_nextflow
from tracer_hooks_nextflow.packing import pack
from tracer_hooks_nextflow.recorder import Recorder

from tracer_hooks.store import Store

HOME = Path(tracer_hooks_nextflow.__file__).parent
TASK = {"task_id": "A.1", "task_name": "A (1)", "step": "A", "attempt": 1, "hash": "ab" * 16}


def tell(store: Path, *lines: dict[str, Any]) -> str:
    run = {"run": {"run_id": "r", "store": str(store), "pipeline": "p", "tags": {"a": "b"}}}
    text = "".join(json.dumps(line) + "\n" for line in (run, *lines))
    done = subprocess.run(
        [sys.executable, "-I", str(HOME / "recorder.py")],
        input=text, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


def test_what_became_of_tasks_is_summed_up(tmp_path: Path) -> None:
    said = tell(
        tmp_path,
        {"task": TASK, "note": "cached"},
        {"task": TASK, "note": "never started"},
        {"task": {**TASK, "started_at": 5}, "note": "partly: no python3"},
        {"task": {**TASK, "started_at": 5}, "note": None},
        {"task": TASK, "note": "within the engine"},
        {"soon": True},
        {"end": "failed", "all": 6},
    )
    assert "cached         1 task, not run again" in said
    assert "never started  1 task" in said
    assert "warning: 1 task recorded by bash alone: no python3" in said
    assert "warning: 2 tasks not recorded: no hook ran in them" in said
    (run,) = Store(tmp_path).runs().to_dict("records")
    assert (run["status"], run["pipeline"], run["engine"]) == ("failed", "p", "nextflow")


def test_what_the_end_needs_is_loaded_ahead_once_in_a_while(tmp_path: Path) -> None:
    recorder = Recorder({"run_id": "r", "store": str(tmp_path)})
    assert recorder._finish._process is None
    recorder.soon()
    loading = recorder._finish._process
    assert loading is not None
    recorder.soon()
    assert recorder._finish._process is loading
    recorder.task(TASK, "cached")
    assert any(line.startswith("Full report") for line in recorder.end("succeeded"))
    assert loading.returncode == 0


def test_the_run_s_command_is_redacted_as_a_whole(tmp_path: Path) -> None:
    told = {
        "quoted": ("nextflow run x --password 'two words' --key \"a b\"", []),
        "torn": ("nextflow run --password 'two words", []),
        "silent": ("nextflow run plain", ["--no-argv"]),
        "own": ("nextflow run plain", ["--capture", "poll", "--redact", "pla.."]),
    }
    kept = {}
    for run_id, (command, options) in told.items():
        Recorder({"run_id": run_id, "store": str(tmp_path), "command": command, "options": options})
        (spool,) = (tmp_path / "spool" / run_id).iterdir()
        kept[run_id] = json.loads(spool.read_text().splitlines()[0])["command"]
    assert "words" not in kept["quoted"]
    assert kept["quoted"].startswith("nextflow run x --password ")
    assert (kept["torn"], kept["silent"]) == (None, None)
    assert "plain" not in kept["own"]


def test_an_engine_that_dies_leaves_what_it_told(tmp_path: Path) -> None:
    assert tell(tmp_path, {"task": TASK, "note": ""}) == ""
    store = Store(tmp_path)
    (run,) = store.runs().to_dict("records")
    assert run["status"] == "lost"
    (event,) = store.table("events", "r").to_pylist()
    assert json.loads(event["detail"])["recorded"] == "observed"


def test_the_packed_supervisor_runs_on_python_39(tmp_path: Path, python39: str) -> None:
    packed = tmp_path / "supervisor.pyz"
    pack(packed)
    made = packed.stat().st_mtime_ns
    pack(packed)
    assert packed.stat().st_mtime_ns == made
    card = {"run_id": "r", "task_id": "t"}
    command = [python39, "-I", "-S", str(packed), "run", "--store", str(tmp_path / "s"),
               "--run", "r", "--task", "t", "--card", json.dumps(card),
               "--", "sh", "-c", "exit 5"]  # fmt: skip
    assert subprocess.run(command, timeout=60, check=False).returncode == 5
    (row,) = Store(tmp_path / "s").table("tasks", "r").to_pylist()
    assert (row["exit_code"], row["status"]) == (5, "failed")
