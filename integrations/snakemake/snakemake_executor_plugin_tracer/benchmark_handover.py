"""Keeps the supervisor out of what `benchmark:` measures.

Snakemake measures the process that `shell()` started and all below it. With the supervisor in
front that would add its memory to the job's. So `snakemake.benchmark.benchmarked`, which `shell()`
looks up for each job, is told to begin one process further down.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from snakemake_executor_plugin_tracer.current_attempt import current_attempt
from snakemake_executor_plugin_tracer.supervised_process import wait_for_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_stock: Callable[..., Any] | None = None


@contextmanager
def _benchmarked(pid: Any = None, *args: Any, **kwargs: Any) -> Iterator[Any]:
    """`snakemake.benchmark.benchmarked`, of the command instead of its supervisor."""
    assert _stock is not None  # noqa: S101 - this function is in place only after install()
    with ExitStack() as stack:
        record = None
        if pid and current_attempt() is not None:
            command = wait_for_command(pid)
            if command != pid:
                try:
                    record = stack.enter_context(_stock(command, *args, **kwargs))
                except Exception:
                    # It has ended since, and the supervisor has reaped it. Without a supervisor
                    # Snakemake would find it as a zombie: wait until the supervisor is one.
                    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        yield record if record is not None else stack.enter_context(_stock(pid, *args, **kwargs))


def install() -> None:
    """Put this in the place of Snakemake's. Does nothing if it is there already."""
    global _stock
    module: Any = import_module("snakemake.benchmark")
    if module.benchmarked is not _benchmarked:
        _stock, module.benchmarked = module.benchmarked, _benchmarked


def remove() -> None:
    """Put Snakemake's own back."""
    module: Any = import_module("snakemake.benchmark")
    if module.benchmarked is _benchmarked:
        module.benchmarked = _stock
