"""A run as flame graphs for https://www.speedscope.app, in its own file format.

Two profiles: the CPU seconds of each process below its step, its task and the processes that
started it; and the wall seconds of each attempt by what it did. The first adds up to the CPU time
of the run: what no named process accounts for, and what was folded into its tool, have frames of
their own. Attempts of which a figure is not known are left out of its profile.
"""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING, Any, BinaryIO

from tracer_hooks.analysis.attempts import WAITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tracer_hooks.analysis.trace import AttemptTrace, RunTrace

    Sample = tuple[list[str], float]

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_MAX_TEXT = 500
_MAX_DEPTH = 200
_LEAST_S = 1e-9
_STATES = {
    "cpu": "on CPU", "runnable": "ready, waiting for a core", "disk": "disk",
    "network": "network", "idle": "idle",
}  # fmt: skip
UNATTRIBUTED, FOLDED, UNKNOWN = "(no named process)", "(folded)", "(not measured)"


def export(trace: RunTrace, file: BinaryIO) -> None:
    """Write the run to `file`, an attempt at a time."""
    frames: dict[str, int] = {}
    name = str(trace.run["pipeline"] or trace.run["run_id"])[:_MAX_TEXT]
    head = {
        "$schema": SCHEMA, "exporter": "tracer-hooks", "name": _plain(name),
        "activeProfileIndex": 0,
    }  # fmt: skip
    file.write(json.dumps(head)[:-1].encode() + b', "profiles": [\n')
    _profile(file, "CPU time", _of_all(trace, _cpu), frames)
    file.write(b",\n")
    _profile(file, "Wall time", _of_all(trace, _wall), frames)
    named = json.dumps([{"name": frame} for frame in frames])
    file.write(b'\n], "shared": {"frames": ' + named.encode() + b"}}\n")


def _profile(file: BinaryIO, name: str, samples: Iterable[Sample], frames: dict[str, int]) -> None:
    """A profile of stacks and weights: stacks as they come, weights when all are known."""
    weights = array("d")
    head = {"type": "sampled", "name": name, "unit": "seconds", "startValue": 0}
    file.write(json.dumps(head)[:-1].encode() + b', "samples": [')
    for stack, weight in samples:
        numbers = [frames.setdefault(_plain(frame), len(frames)) for frame in stack]
        file.write((b"," if weights else b"") + json.dumps(numbers).encode())
        weights.append(weight)
    file.write(b'], "weights": [')
    for place, weight in enumerate(weights):
        file.write((b"," if place else b"") + repr(weight).encode())
    file.write(b'], "endValue": ' + repr(sum(weights)).encode() + b"}")


def _of_all(trace: RunTrace, samples: Any) -> Iterator[Sample]:
    for one in trace.attempts():
        a = one.attempt
        name = a["task_name"] or a["task_id"] or "(no name)"
        tried = f" (attempt {a['attempt']})" if a["attempt_count"] > 1 else ""
        yield from samples(one, [a["step"] or "(no step)", name + tried])


def _cpu(one: AttemptTrace, above: list[str]) -> Iterator[Sample]:
    """What each process used itself, by way of those that started it; then what is left."""
    by_id = {row["process_id"]: row for row in one.processes}
    named: dict[str | None, float] = {}
    for row in one.processes:
        cpu_s = row["cpu_s"]
        if cpu_s is not None and cpu_s > 0:
            named[row["tool"]] = named.get(row["tool"], 0.0) + cpu_s
            yield [*above, *_line(row, by_id)], cpu_s
    for tool in one.tools:
        # The rows of `processes` are bounded, the totals of `tools` are not.
        rest = (tool["cpu_s"] or 0.0) - named.get(tool["tool"], 0.0)
        if tool["folded_count"] and rest > _LEAST_S:
            yield [*above, FOLDED, _frame(tool["tool"])], rest
    nobody = one.attempt["cpu_unattributed_s"]
    if nobody is not None and nobody > 0:
        yield [*above, UNATTRIBUTED], nobody


def _line(row: Mapping[str, Any], by_id: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """The process and all above it, from the root; a circle is cut."""
    line: list[str] = []
    seen: set[int] = set()
    current: Mapping[str, Any] | None = row
    while current is not None and current["process_id"] not in seen and len(line) < _MAX_DEPTH:
        seen.add(current["process_id"])
        line.append(_frame(current["tool"] or current["comm"]))
        current = by_id.get(current["parent_id"])
    return line[::-1]


def _wall(one: AttemptTrace, above: list[str]) -> Iterator[Sample]:
    """The five parts of the wall time, or all of it as not measured."""
    a = one.attempt
    parts = {part: a[f"wall_{part}_s"] for part in WAITS}
    if any(seconds is None for seconds in parts.values()):
        if a["wall_s"]:
            yield [*above, UNKNOWN], a["wall_s"]
        return
    for part, seconds in parts.items():
        if seconds > 0:
            yield [*above, _STATES[part]], seconds


def _frame(name: str | None) -> str:
    return "(no name)" if name is None else name


def _plain(text: str) -> str:
    """Cut if it is long; a lone surrogate is no text and becomes a question mark."""
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode("utf-8")
