"""Puts the supervisor in front of the commands that Snakemake's `shell()` starts.

`snakemake.shell` starts every command of a shell, script, wrapper or notebook job with `sp.Popen`,
`sp` being its name for subprocess. It gets another `sp`: subprocess in everything but `Popen`,
which looks whether this thread runs a traced job. In every other thread nothing is different.
"""

from __future__ import annotations

import subprocess
from importlib import import_module
from typing import Any

from snakemake_executor_plugin_tracer.complaints import complain, explain
from snakemake_executor_plugin_tracer.current_attempt import current_attempt
from snakemake_executor_plugin_tracer.supervised_process import SupervisedProcess


class _Subprocess:
    """The module subprocess, with a `Popen` that knows of traced jobs."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    @staticmethod
    def Popen(*args: Any, **kwargs: Any) -> Any:  # noqa: N802 - takes the place of that name
        process = None
        try:
            process = _start_supervised(args, dict(kwargs))
        except OSError as error:  # too long a command line with ours in front, for instance
            complain("launch", f"a job runs without being observed ({explain(error)})")
        return process or subprocess.Popen(*args, **kwargs)


def _start_supervised(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The process under the supervisor; None if it is none of ours, or not what we know."""
    attempt = current_attempt()
    if attempt is None or len(args) != 1 or not kwargs.get("shell"):
        return None
    if not attempt.observes(piped=kwargs.get("stdout") is subprocess.PIPE):
        return None
    # What shell=True means on POSIX, see subprocess.Popen._execute_child.
    shell = kwargs.pop("executable", None) or "/bin/sh"
    argv = attempt.supervise([str(shell), "-c", args[0]])
    if argv is None:
        return None
    kwargs["shell"] = False
    if kwargs.get("env") is not None:
        kwargs["env"] = attempt.tracing.task_environment(kwargs["env"])
    return SupervisedProcess(argv, attempt.tracing.fork_server, **kwargs)


def install() -> None:
    """Give `snakemake.shell` the other `sp`. Does nothing if it has it already."""
    module: Any = import_module("snakemake.shell")
    if not isinstance(module.sp, _Subprocess):
        module.sp = _Subprocess()


def remove() -> None:
    """Give `snakemake.shell` its own `sp` back."""
    module: Any = import_module("snakemake.shell")
    if isinstance(module.sp, _Subprocess):
        module.sp = subprocess
