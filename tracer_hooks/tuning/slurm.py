"""Slurm: the options of `sbatch`, as lines of a job script, step by step.

Slurm's `M` counts powers of two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.tuning.requests import MIB, Request, header, requests, step_name

if TYPE_CHECKING:
    from tracer_hooks.analysis.sizing import Sizing


def render(sizing: Sizing) -> str:
    """Comments, and a block of `#SBATCH` lines for each step."""
    # `# ` and `##` are comments to sbatch as they are to the shell.
    lines = [f"# {line}" for line in header(sizing, "Requests")]
    for request in requests(sizing):
        lines += ["", f"# {step_name(request.step)}", *(f"#   {note}" for note in request.notes)]
        if request.retry:
            lines.append("#   if it is killed all the same, submit it again with twice as much")
        lines += [f"#SBATCH {option}" for option in _options(request)]
    return "\n".join(lines) + "\n"


def _options(request: Request) -> list[str]:
    options = []
    if request.cpus is not None:
        options.append(f"--cpus-per-task={request.cpus}")
    memory, minutes = request.memory(MIB), request.minutes()
    if memory is not None:
        options.append(f"--mem={memory}M")
    if minutes is not None:
        days, rest = divmod(minutes, 24 * 60)
        options.append(f"--time={days}-{rest // 60:02d}:{rest % 60:02d}:00")
    return options
