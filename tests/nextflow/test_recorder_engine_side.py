"""The engine's side of the recorder: when it is told that the end is near; one that is stuck."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tracer_hooks_nextflow

from tests.nextflow import fetch_engine

ENGINE = Path(tracer_hooks_nextflow.__file__).parent / "engine"
# More than the pipe and the queue hold, and less.
SCRIPT = """\
[5, 30_000].each { tasks ->
    def recorder = new TracerRecorder([python: args[0], home: args[1]], [run_id: 'r'])
    recorder.@patienceS = 2
    tasks.times { recorder.task([task_id: "A.$it".toString()], 'x' * 200) }
    def begin = System.nanoTime()
    recorder.end('succeeded', tasks)
    println "$tasks tasks: ended after ${(System.nanoTime() - begin).intdiv(1_000_000_000)} s"
}
// What waits, what was started, and in how many ms.
for( pace in [[0, 1, 900_000], [59, 141, 7_000], [61, 141, 7_000], [600, 141, 7_000], [1, 9, 20]] )
    println "$pace: ${TracerHooks.overSoon(*pace)}"
System.exit(0)
"""


@pytest.fixture(scope="module")
def said(engines: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("recorder")
    stuck = folder / "python"
    stuck.write_text("#!/bin/sh\nexec sleep 20\n")
    stuck.chmod(0o755)
    script = folder / "script.groovy"
    script.write_text(SCRIPT)
    libraries = engines(fetch_engine.NEWEST).parent / "lib"
    done = subprocess.run(
        ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{libraries}/*:{ENGINE}",
         "groovy.ui.GroovyMain", str(script), str(stuck), str(folder)],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return done.stdout


def test_nobody_waits_for_long_for_a_recorder_that_is_stuck(said: str) -> None:
    assert "the recorder of this run is not done after 2 s" in said
    assert "5 tasks: ended after 2 s" in said
    assert "the recorder of this run does not listen" in said
    assert "30000 tasks: ended after 0 s" in said


def test_the_end_is_near_when_what_waits_will_start_in_three_seconds(said: str) -> None:
    paces = [line.rpartition(": ")[2] for line in said.splitlines() if line.startswith("[")]
    assert paces == ["true", "true", "false", "false", "false"]
