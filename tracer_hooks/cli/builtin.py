"""The commands that come with the package, in the order of the help. `run` goes its own road."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.cli import (
    compact,
    compare,
    cost,
    demo,
    doctor,
    export,
    grafana,
    nextflow,
    report,
    runs,
    serve,
    show,
    top,
    tune,
)
from tracer_hooks.plugins import hookimpl

if TYPE_CHECKING:
    from tracer_hooks.cli.command import Command

COMMANDS = (
    runs.COMMAND,
    report.COMMAND,
    show.COMMAND,
    cost.COMMAND,
    export.COMMAND,
    grafana.COMMAND,
    compare.COMMAND,
    tune.COMMAND,
    nextflow.COMMAND,
    top.COMMAND,
    serve.COMMAND,
    compact.COMMAND,
    doctor.COMMAND,
    demo.COMMAND,
)


@hookimpl
def tracer_hooks_cli_commands() -> list[Command]:
    """Every built-in command but `run`."""
    return list(COMMANDS)
