"""Which job attempt a thread of Snakemake is running right now.

Snakemake runs each local job in a thread of its pool, from `Executor.cached_or_run` down to
`shell()`, and passes no job along. A variable of the thread does.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from snakemake_executor_plugin_tracer.attempt import JobAttempt

_thread = threading.local()


def current_attempt() -> JobAttempt | None:
    """The attempt that this thread runs; None outside a traced job."""
    return getattr(_thread, "attempt", None)


def running_as(attempt: JobAttempt, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, during which this thread runs `attempt`."""

    def run(*args: Any, **kwargs: Any) -> Any:
        _thread.attempt = attempt
        try:
            return function(*args, **kwargs)
        finally:
            _thread.attempt = None

    return run
