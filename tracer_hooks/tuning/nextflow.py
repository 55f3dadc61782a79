"""Nextflow: `withName` blocks for a configuration file.

Nextflow's `MB` and `GB` are powers of two (`1.GB` is 1024³ bytes). A request is multiplied by
`task.attempt`, so that a retry gets more. The names of a process's inputs are its own, so where
memory follows them the expression stands in a comment, with `INPUT` for the name.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from tracer_hooks.tuning.requests import MIB, Request, header, requests

if TYPE_CHECKING:
    from tracer_hooks.analysis.sizing import Sizing

# What ends a task that took too much: SIGKILL, SIGTERM and what schedulers make of them.
_RETRIED = "[104, 134, 137, 139, 140, 143, 247]"


def render(sizing: Sizing) -> str:
    """A configuration that `nextflow -c FILE run …` takes, or `includeConfig`."""
    lines = [f"// {line}" for line in header(sizing, "Requests")]
    lines += ["process {"]
    for request in requests(sizing):
        lines += _block(request)
    return "\n".join([*lines, "}"]) + "\n"


def _block(request: Request) -> list[str]:
    lines = [f"    withName: {_selector(request.step)} {{"]
    lines += [f"        // {note}" for note in request.notes]
    if request.cpus is not None:
        lines.append(f"        cpus = {request.cpus}")
    memory = request.memory(MIB)
    if memory is not None:
        lines.append(f"        memory = {{ {memory}.MB * task.attempt }}")
    if memory is not None and request.line is not None:
        line = request.line
        needed = (
            f"Math.max({math.ceil(line.least_bytes / MIB)},"
            f" {math.ceil(line.base_bytes / MIB)} + {line.per_byte:.6g} * INPUT.size() / {MIB})"
        )
        lines.append(f"        // memory = {{ 1.MB * ({needed} * task.attempt) }}")
    minutes = request.minutes()
    if minutes is not None:
        lines.append(f"        time = {{ {minutes}.min * task.attempt }}")
    if request.retry:
        lines.append(
            f"        errorStrategy = {{ task.exitStatus in {_RETRIED} ? 'retry' : 'finish' }}"
        )
        lines.append("        maxRetries = 2")
    return [*lines, "    }"]


def _selector(step: str) -> str:
    """The name as a selector, which is a regular expression that has to match all of it."""
    return f"'{re.sub(r'[^A-Za-z0-9_:]', _escaped, step)}'"


def _escaped(sign: re.Match[str]) -> str:
    code = ord(sign[0])
    return f"\\\\u{code:04x}" if code < 0x10000 else "."
