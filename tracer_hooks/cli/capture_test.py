"""The capture sources, each tried for real: 200 short processes, and how many it could name."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer_hooks.adapter import TaskCard, supervised
from tracer_hooks.cli.checks import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

PROCESSES = 200
_SCRIPT = f"i=0; while [ $i -lt {PROCESSES} ]; do /bin/true; i=$((i+1)); done"
_WHAT = {
    "perf": "every process by name, however short, without root",
    "taskstats": "what each short process used: CPU, memory, bytes",
    "poll": "what lives longer than an interval, and exact totals",
}
_REMEDIES = {
    "perf": "sysctl kernel.perf_event_paranoid=2 (in a container also a seccomp profile with "
    "perf_event_open)",
    "taskstats": "the capability CAP_NET_ADMIN, as root has it; perf needs no privilege",
}


def run() -> Iterator[Check]:
    """One check a source, the best first. Never raises."""
    for source, what in _WHAT.items():
        yield _guarded(source, what)


def _guarded(source: str, what: str) -> Check:
    try:
        return _try(source, what)
    except Exception as error:
        finding = f"the test itself failed: {type(error).__name__}: {error}"
        return Check(f"capture {source}", "failed", finding, "report this, it is a defect")


def _try(source: str, what: str) -> Check:
    lines = _record(source)
    seen = _named(lines)
    reasons = [line["detail"]["why"] for line in lines if _is_refusal(line)]
    if reasons:
        remedy = _REMEDIES.get(source)
        return Check(f"capture {source}", "limited", f"refused: {reasons[0]}", remedy)
    finding = f"{what}; named {seen} of {PROCESSES} one-millisecond processes"
    if source != "poll" and seen < PROCESSES:
        return Check(f"capture {source}", "limited", finding, "try again on a less busy machine")
    return Check(f"capture {source}", "ok", finding)


def _record(source: str) -> list[dict[str, Any]]:
    """The spool's lines of the storm, recorded by this source alone."""
    with tempfile.TemporaryDirectory(prefix="tracer-hooks-doctor-") as folder:
        card = TaskCard(run_id="doctor", task_id=source)
        command = supervised(card, ["/bin/sh", "-c", _SCRIPT], store=folder, capture=source)
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
        (spool,) = (Path(folder) / "spool" / "doctor").glob(f"{source}.*.jsonl")
        return [json.loads(line) for line in spool.read_text().splitlines()]


def _named(lines: list[dict[str, Any]]) -> int:
    names = {line["id"] for line in lines if line["t"] == "p" and line["comm"] == "true"}
    folds: dict[int, int] = {}
    for line in lines:
        if line["t"] == "fold":
            folds[line["n"]] = line["count"]
    return len(names) + sum(folds.values())


def _is_refusal(line: dict[str, Any]) -> bool:
    degraded = line["t"] == "e" and line["kind"] == "degraded"
    return bool(degraded and line["detail"].get("what") == "capture")
