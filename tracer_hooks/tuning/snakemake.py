"""Snakemake: a profile with `set-threads` and `set-resources`, for Snakemake 8 and 9.

Snakemake's `mem_mb` counts powers of ten; `input.size_mb` counts MiB, whatever its name says.
A value that is no number is a Python expression, which knows `input` and `attempt`: with
`--retries` a retry gets more. The comment at the end is the same as command-line options.
"""

from __future__ import annotations

import json
import math
import shlex
from typing import TYPE_CHECKING

from tracer_hooks.tuning.requests import MB, MIB, Line, Request, header, requests, step_name

if TYPE_CHECKING:
    from tracer_hooks.analysis.sizing import Sizing


def render(sizing: Sizing) -> str:
    """The text of a profile's `config.yaml`: `snakemake --workflow-profile FOLDER`."""
    lines = [f"# {line}" for line in header(sizing, "Requests")]
    rules: list[Request] = []
    others: list[Request] = []
    for request in requests(sizing):
        (rules if request.step.isidentifier() else others).append(request)
    if others:
        names = ", ".join(step_name(request.step) for request in others)
        lines.append(f"# No names of rules, so nothing can be set for: {names}.")
    if any(request.retry for request in rules):
        lines += ["# Some ran out of what they had: a retry gets twice, then three times as much.",
                  "retries: 2"]  # fmt: skip
    threads = [r for r in rules if r.cpus is not None]
    if threads:
        lines += ["set-threads:", *(f"  {_key(r)}: {r.cpus}" for r in threads)]
    resources = [(r, found) for r in rules if (found := _resources(r))]
    if resources:
        lines.append("set-resources:")
    for request, found in resources:
        lines += [f"  # {note}" for note in request.notes]
        lines.append(f"  {_key(request)}:")
        lines += [f"    {name}: {json.dumps(value)}" for name, value in found.items()]
    return "\n".join([*lines, *_options(threads, resources)]) + "\n"


def _key(request: Request) -> str:
    """A rule's name, in quotes: `on`, `no` and `null` are names of rules too."""
    return json.dumps(request.step)


def _resources(request: Request) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    memory, minutes = request.memory(MB), request.minutes()
    if request.line is not None:
        found["mem_mb"] = f"{_expression(request.line)} * attempt"
    elif memory is not None:
        found["mem_mb"] = f"{memory} * attempt"
    if minutes is not None:
        found["runtime"] = f"{minutes} * attempt"
    return found


def _expression(line: Line) -> str:
    """Megabytes, from the input's MiB."""
    # `input.size_mb` is a float, and Snakemake takes whole numbers.
    per_mib = line.per_byte * MIB / MB
    base, least = math.ceil(line.base_bytes / MB), math.ceil(line.least_bytes / MB)
    return f"max({least}, int({base} + {per_mib:.6g} * input.size_mb) + 1)"


def _options(
    threads: list[Request], resources: list[tuple[Request, dict[str, int | str]]]
) -> list[str]:
    if not threads and not resources:
        return []
    words = ["--set-threads", *(f"{r.step}={r.cpus}" for r in threads)] if threads else []
    if resources:
        words.append("--set-resources")
        words += [
            f"{r.step}:{name}={value}" for r, found in resources for name, value in found.items()
        ]
    return ["", "# The same on the command line:", f"# snakemake {shlex.join(words)}"]
