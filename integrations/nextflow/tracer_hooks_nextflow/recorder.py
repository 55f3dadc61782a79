"""The recorder: a process beside the engine that writes down what it is told, one JSON line each.

`{"run": {…}}` begins, `{"task": {…}, "note": TEXT}` comes for each attempt that the engine is done
with, `{"soon": true}` when few or none wait to be started, so that the run may be over soon, and
`{"end": STATUS, "all": N}` closes: then the run is ingested and its summary printed, for the
engine's log. If the engine dies the pipe ends; the record then has no end, and whoever reads first
ingests.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    # Started by its path and isolated: an editable installation knows only this folder's parent.
    sys.path.append(str(Path(__file__).resolve().parent.parent))

from tracer_hooks.adapter import RunRecord
from tracer_hooks.finish_apart import FinishApart

if TYPE_CHECKING:
    from collections.abc import Iterable

# To guess wrongly that a run is over soon costs 0.4 CPU-seconds: so far apart, 0.7 % of a core.
_GUESSES_APART_S = 60.0
EVENT = "engine_task"  # one for each attempt that the engine is done with, with the engine's times


class Recorder:
    """One run, as its engine tells of it."""

    def __init__(self, run: dict[str, Any]) -> None:
        options = run.get("options") or []  # the supervisor's
        self.store, self.run_id = run["store"], run["run_id"]
        self._record = RunRecord(
            self.run_id,
            store=self.store,
            pipeline=run.get("pipeline"),
            engine="nextflow",
            engine_version=run.get("engine_version"),
            workdir=run.get("workdir"),
            command=_words(run) if "--no-argv" not in options else (),
            redact=[b for a, b in pairwise(options) if a == "--redact"],
            tags=run.get("tags"),
        )
        self.counts: Counter[str] = Counter()
        self._whys: dict[str, str] = {}
        self._finish = FinishApart(self.run_id, self.store)
        self._guessed = -_GUESSES_APART_S
        if run.get("work"):
            stage(Path(run["work"]))

    def task(self, facts: dict[str, Any], note: str | None) -> None:
        """An attempt is over, as the engine sees it; `note` is what was found in its folder."""
        how = what_became(facts, note)
        self.counts[how] += 1
        if how in ("partly", "missing"):
            self._whys.setdefault(how, (note or "").partition(": ")[2])
        self._record.event(EVENT, **facts, recorded=how)

    def soon(self) -> None:
        """The run may be over soon: load beside its last tasks what its end needs."""
        now = time.monotonic()
        if now - self._guessed < _GUESSES_APART_S:
            return
        self._guessed = now
        self._finish.abandon()  # has ended by now
        with contextlib.suppress(OSError):
            self._finish.prepare()

    def end(self, status: str, known: int = 0) -> list[str]:
        """Close the record and ingest; returns lines for the engine's log.

        `known` attempts were made, the engine says. What is more than it told of ended before
        anything of ours was there.
        """
        told = sum(self.counts.values())
        self.counts["missing"] += max(0, known - told)
        told = sum(self.counts.values())
        self._record.end(status, total_tasks=told)
        if self._record.problem:
            problem = f"{self._record.problem}; the tasks ran, but nothing is recorded"
            return [f"warning: {problem}"]
        if not told:
            return []
        return [*self._finish.lines(), *self._remarks()]

    def _remarks(self) -> Iterable[str]:
        seen = self.counts
        if seen["cached"]:
            yield f"  {'cached':<14} {_tasks(seen['cached'])}, not run again"
        if seen["never started"]:
            yield f"  {'never started':<14} {_tasks(seen['never started'])}"
        if seen["partly"]:
            tasks = _tasks(seen["partly"])
            yield f"warning: {tasks} recorded by bash alone: {self._whys['partly']}"
        if seen["missing"]:
            why = self._whys.get("missing") or (
                "no hook ran in them; does their process have a `spack` directive of its own?"
            )
            yield f"warning: {_tasks(seen['missing'])} not recorded: {why}"


def what_became(facts: dict[str, Any], note: str | None) -> str:
    """cached, within the engine (`exec:`), never started, observed, partly (by bash) or missing."""
    if note in ("cached", "within the engine", "never started"):
        return note
    if note is None:
        return "missing" if facts.get("started_at") else "never started"
    return note.partition(":")[0] if note.startswith(("partly:", "missing:")) else "observed"


def _words(run: dict[str, Any]) -> list[str]:
    """The engine's command line. A word that is torn apart would be redacted in part."""
    try:
        return shlex.split(str(run.get("command") or ""))
    except ValueError:
        return []


def stage(work: Path) -> None:
    """Put the supervisor, in one file, where containers that mount the work folder see it."""
    from tracer_hooks_nextflow.packing import pack

    with contextlib.suppress(OSError):  # such containers then record with bash alone, and say so
        pack(work / ".tracer-hooks" / "supervisor.pyz")


def _tasks(number: int) -> str:
    return f"{number} task" if number == 1 else f"{number} tasks"


def main() -> None:
    """Listen until the engine has ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C is for the engine, which then says so
    recorder: Recorder | None = None
    for line in sys.stdin:
        told = json.loads(line)
        if "run" in told:
            recorder = Recorder(told["run"])
        elif recorder is not None and "task" in told:
            recorder.task(told["task"], told.get("note"))
        elif recorder is not None and "soon" in told:
            recorder.soon()
        elif recorder is not None and "end" in told:
            sys.stdout.write("\n".join(recorder.end(told["end"], told.get("all") or 0)) + "\n")


if __name__ == "__main__":
    main()
