"""Synthetic spools, as docs/spool-format.md describes them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tracer_hooks.supervisor import identifiers
from tracer_hooks.supervisor.observer_identity import observer_identity

START = 1_700_000_000.0
_counter = iter(range(1_000_000_000))


def gone_observer() -> dict[str, Any]:
    """An observer on this host whose pid belongs to a process that started at another time."""
    observer = observer_identity()
    observer["start_ticks"] = 1
    return observer


def card_line(task_id: str = "t1", run_id: str = "r1", **changes: Any) -> dict[str, Any]:
    card = {
        "run_id": run_id, "task_id": task_id, "attempt": 1, "pipeline": "rna",
        "engine": "snakemake", "step": "align", "tags": {"lane": "3"}, "cpus_requested": 4,
        "sample": "S1",
    }  # fmt: skip
    card.update(changes.pop("card", {}))
    return {
        "t": "card", "v": 1, "card": card, "started_at": START, "host": os.uname().nodename,
        "user": "ada", "workdir": "/data", "argv": ["bwa", "mem", "ref file.fa"],
        "observer": observer_identity(), "capture": "poll", "interval_s": 0.5, "mode": "run",
        **changes,
    }  # fmt: skip


def process_lines(process_id: int = 1, **changes: Any) -> list[dict[str, Any]]:
    seen = {
        "t": "p", "id": process_id, "parent": None, "pid": 100 + process_id, "ppid": 99,
        "start": START, "comm": "bwa", "exe": "/usr/bin/bwa", "argv": ["bwa", "mem"], "src": "poll",
    }  # fmt: skip
    figures = {
        "t": "q", "id": process_id, "end": START + 1, "cpu_s": 0.9, "cpu_user_s": 0.8,
        "cpu_src": "poll", "memory_peak_bytes": 1000, "disk_read_bytes": 10, "src": "poll",
    }  # fmt: skip
    for key, value in changes.items():
        (figures if key in figures else seen)[key] = value
    return [seen, figures]


def reading_line(elapsed_s: float = 1.0, **changes: Any) -> dict[str, Any]:
    return {
        "t": "r", "at": START + elapsed_s, "elapsed_s": elapsed_s, "cpu_s": elapsed_s * 0.9,
        "memory_bytes": 900, "memory_peak_bytes": 1000, "wall_cpu_s": elapsed_s,
        "process_count": 1, "processes": 1, "threads": 2, **changes,
    }  # fmt: skip


def sealed_line(**changes: Any) -> dict[str, Any]:
    return {
        "t": "sealed", "ended_at": START + 1.5, "wall_s": 1.5, "status": "succeeded",
        "exit_code": 0, "cpu_s": 1.2, "cpu_user_s": 1.0, "cpu_system_s": 0.2,
        "memory_peak_bytes": 1000, "process_count": 1, "capture": "poll", **changes,
    }  # fmt: skip


def attempt(task_id: str = "t1", run_id: str = "r1", **card: Any) -> list[dict[str, Any]]:
    """The lines of a short attempt that succeeded."""
    return [card_line(task_id, run_id, **card), *process_lines(), sealed_line()]


def write(
    store: Path, lines: list[dict[str, Any]], *, torn: bytes = b"", name: str | None = None
) -> Path:
    """Write the lines as the spool of the attempt that their card names."""
    card = lines[0].get("card", {}) if lines else {}
    run_id, task_id = card.get("run_id", "r1"), str(card.get("task_id", "t1"))
    attempt_number = card.get("attempt", 1)
    if not isinstance(attempt_number, int):
        attempt_number = 1
    tail = f"{os.uname().nodename}-1-{next(_counter):x}"
    path = Path(identifiers.spool_path(str(store), run_id, task_id, attempt_number, tail))
    if name is not None:
        path = path.with_name(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines) + torn)
    return path


def ignore(warning: str) -> None:
    """For stores whose warnings are looked at afterwards."""


def parts(store: Path) -> list[Path]:
    return sorted(store.glob("*/run_id=*/*.parquet"))
