"""A run in about ten plain lines, for an engine to print when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.report.headline import ended
from tracer_hooks.report.text import fit
from tracer_hooks.report.units import (
    asked,
    cores,
    count,
    cpu_time,
    duration,
    number,
    plural,
    size,
    whole_percent,
)

if TYPE_CHECKING:
    from tracer_hooks.analysis.glance import Glance, StepGlance

WIDTH = 110
_NAME = 30
_LEAST_WAIT = 0.01
_PARTS = {
    "cpu": "on CPU",
    "runnable": "waiting for a core",
    "disk": "disk",
    "network": "network",
    "idle": "idle",
}


def glance_lines(run_id: str, seen: Glance) -> list[str]:
    """About ten lines of plain text, none longer than 110 cells, without line breaks."""
    if not seen.task_count:
        return [f"tracer-hooks: run {fit(run_id, 60)} has no task on record."]
    tasks = f"{plural(seen.task_count, 'task')} ({_ended(seen)})"
    elapsed = "" if seen.elapsed_s is None else f" in {duration(seen.elapsed_s)}"
    lines = [
        f"tracer-hooks: {tasks}{elapsed}",
        _line("CPU", _cpu(seen)),
        _line("peak memory", _peak(seen)),
        _line("disk", f"{size(seen.disk_read_bytes)} read, {size(seen.disk_write_bytes)} written"),
        _line("time in tasks", duration(seen.wall_s) + _shares(seen)),
    ]
    for place, step in enumerate(seen.steps):
        lines.append(_line("costliest step" if place == 0 else "", _step(step)))
    if seen.failures:
        lines.append(_line("failed", _failures(seen)))
    return lines


def warning_line(text: str) -> str:
    """What a store warned of, as one more line."""
    return _line("warning", text)


def _line(name: str, said: str) -> str:
    return f"  {name:<14} {fit(said, WIDTH - 17)}".rstrip()


def _ended(seen: Glance) -> str:
    counts = {f"{status}_count": n for status, n in seen.status_count.items()}
    return ended({"count": seen.task_count, "attempt_count": seen.attempt_count, **counts})


def _cpu(seen: Glance) -> str:
    bound = "≥" if 0 < seen.cpu_measured_count < seen.attempt_count else ""
    busy = seen.cores_busy
    mean = "" if busy is None else f", {cores(busy)} cores busy on average"
    return f"{bound}{cpu_time(seen.cpu_s)}{mean}"


def _peak(seen: Glance) -> str:
    of = seen.memory_peak_task
    return size(seen.memory_peak_bytes) + ("" if of is None else f" ({fit(of, 50)})")


def _shares(seen: Glance) -> str:
    if all(share is None for share in seen.shares.values()):
        return ""
    return ": " + ", ".join(
        f"{whole_percent(seen.shares[p])} {title}" for p, title in _PARTS.items()
    )


def _step(step: StepGlance) -> str:
    used = f"{cores(step.cores_used)} cores used"
    if step.cpus_requested is not None:
        used += f" of {asked(number(step.cpus_requested))}"
    said = f"{fit(step.step, _NAME)} {duration(step.wall_s)}, {used}"
    if step.wait is not None and (step.wait_share or 0.0) >= _LEAST_WAIT:
        said += f", biggest wait: {_PARTS[step.wait]} {whole_percent(step.wait_share)}"
    return said


def _failures(seen: Glance) -> str:
    named = [
        fit(name, _NAME) + (f" ({fit(why, 20)})" if why else "") for name, why in seen.failures
    ]
    more = seen.status_count["failed"] + seen.status_count["lost"] - len(named)
    return ", ".join(named) + (f" and {count(more)} more" if more > 0 else "")
