"""The engine's side of a recorder that neither listens nor ends: nobody waits for it for long."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

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
System.exit(0)
"""


def test_a_recorder_that_is_stuck(engines: Callable[[str], Path], tmp_path: Path) -> None:
    stuck = tmp_path / "python"
    stuck.write_text("#!/bin/sh\nexec sleep 20\n")
    stuck.chmod(0o755)
    script = tmp_path / "script.groovy"
    script.write_text(SCRIPT)
    libraries = engines(fetch_engine.NEWEST).parent / "lib"
    done = subprocess.run(
        ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{libraries}/*:{ENGINE}",
         "groovy.ui.GroovyMain", str(script), str(stuck), str(tmp_path)],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    assert "the recorder of this run is not done after 2 s" in done.stdout
    assert "5 tasks: ended after 2 s" in done.stdout
    assert "the recorder of this run does not listen" in done.stdout
    assert "30000 tasks: ended after 0 s" in done.stdout
