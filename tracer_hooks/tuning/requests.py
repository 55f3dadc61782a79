"""What every format writes: the requests of a step, rounded up, and what is to be said of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.text import clean, fit
from tracer_hooks.report.units import (
    UNKNOWN,
    asked,
    cores,
    duration,
    number,
    percent,
    plural,
    size,
)

if TYPE_CHECKING:
    from tracer_hooks.analysis.sizing import Sizing

MIB = 2**20
MB = 10**6
_NAME = 80


@dataclass(frozen=True)
class Line:
    """Memory that follows the input: `base_bytes` + `per_byte` × input, at least `least_bytes`."""

    base_bytes: float
    per_byte: float
    least_bytes: float
    r2: float
    n: int


@dataclass(frozen=True)
class Request:
    """What to ask for, for one step. None: leave it as it is, nothing is known of it.

    `retry`: a task was killed for want of memory or time, or may be with this request.
    `notes`: what it rests on, one harmless line each.
    """

    step: str
    cpus: int | None
    memory_bytes: int | None
    time_s: float | None
    line: Line | None
    retry: bool
    notes: tuple[str, ...]

    def memory(self, unit: int) -> int | None:
        """In whole units, rounded up."""
        return None if self.memory_bytes is None else math.ceil(self.memory_bytes / unit)

    def minutes(self) -> int | None:
        return None if self.time_s is None else math.ceil(self.time_s / 60)


def requests(sizing: Sizing) -> list[Request]:
    """The steps of which there is something to recommend, most wall time first."""
    return [_request(row, sizing) for row in records(sizing.steps) if row["left_alone"] is None]


def header(sizing: Sizing, what: str) -> list[str]:
    """What stands at the top: where this comes from, and the steps that are left alone."""
    margins = sizing.margins
    runs = ", ".join(fit(run, 60) for run in sizing.runs[:3])
    more = f" and {len(sizing.runs) - 3} more" if len(sizing.runs) > 3 else ""
    lines = [
        f"{what}, by tracer-hooks tune from {plural(len(sizing.runs), 'run')}: {runs}{more}.",
        f"Memory: the largest peak + {percent(margins.memory)}; time: the longest +"
        f" {percent(margins.time)}"
        + (
            f"; of all but {percent(1 - margins.cover)} of the tasks." if margins.cover < 1 else "."
        ),
    ]
    alone = [row for row in records(sizing.steps) if row["left_alone"] is not None]
    if alone:
        names = ", ".join(f"{fit(r['step'], 40)} ({r['observation_count']})" for r in alone)
        lines.append(
            f"Left alone, with fewer than {margins.observations} tasks that succeeded: {names}."
        )
    return lines


def step_name(step: str) -> str:
    """For a comment."""
    return fit(step, _NAME)


def saving(row: dict[str, Any], sizing: Sizing) -> str | None:
    """`saves 1.20 USD`; without prices core-hours and GiB-hours; None if not known."""
    if row["saved_cost"] is not None:
        return f"{_saves(row['saved_cost'])} {clean(sizing.currency)}"
    parts = [
        f"{_saves(row[key])} {unit}"
        for key, unit in (("saved_core_h", "core-hours"), ("saved_gib_h", "GiB-hours"))
        if row[key]
    ]
    return ", ".join(parts) or None


def risk(row: dict[str, Any]) -> str:
    """`0 of 12 attempts would have exceeded it`."""
    attempts = plural(row["attempt_count"], "attempt")
    return f"{row['exceeded_count']} of {attempts} would have exceeded it"


def _saves(value: float) -> str:
    return f"saves {number(value)}" if value >= 0 else f"costs {number(-value)} more"


def _request(row: dict[str, Any], sizing: Sizing) -> Request:
    line = None
    if row["fitted"]:
        line = Line(
            row["fit_base_bytes"], row["fit_per_byte"], row["fit_least_bytes"], row["fit_r2"],
            row["fit_n"],
        )  # fmt: skip
    return Request(
        step=row["step"],
        cpus=row["cpus"],
        memory_bytes=row["memory_bytes"],
        time_s=row["time_s"],
        line=line,
        retry=bool(row["oom_count"] or row["timeout_count"] or row["exceeded_count"]),
        notes=tuple(_notes(row, sizing, line)),
    )


def _notes(row: dict[str, Any], sizing: Sizing, line: Line | None) -> list[str]:
    seen = [
        f"{plural(row['observation_count'], 'task')}",
        f"cores {cores(row['cores_max'])}{_of(cores(row['cpus_requested']))}",
        f"memory {size(row['memory_peak_bytes'])}{_of(size(row['memory_requested_bytes']))}",
        f"time {duration(row['wall_max_s'])}{_of(duration(row['time_requested_s']))}",
    ]
    notes = ["; ".join(seen)]
    saves = saving(row, sizing)
    chance = f"a next task's peak exceeds the largest seen in {percent(row['next_share'])} of cases"
    notes.append("; ".join([*([saves] if saves else []), risk(row), chance]))
    if row["oom_count"]:
        notes.append(
            f"{plural(row['oom_count'], 'attempt')} ran out of memory: what they needed is not"
            " known, only that it was more than they had"
        )
    if row["timeout_count"]:
        notes.append(f"{plural(row['timeout_count'], 'attempt')} ran out of time")
    if line is not None:
        notes.append(
            f"memory follows the input: {size(line.base_bytes)} + {number(line.per_byte)} bytes per"
            f" byte (margin included; r\u00b2 {line.r2:.2f}, n {line.n}, inputs"
            f" {size(row['input_min_bytes'])} to {size(row['input_max_bytes'])})"
        )
    return notes


def _of(text: str) -> str:
    return "" if text == UNKNOWN else f" of {asked(text)} asked"
