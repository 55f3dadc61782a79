"""`trace`: watch this very process, and all it starts, for the length of a block.

An external monitor does the watching (see `monitor`), so that a crash, `os._exit` or SIGKILL in
the block is recorded too. Nothing here ever breaks the block: if the monitor cannot be started
there is one warning, and the block runs unobserved.
"""

from __future__ import annotations

import functools
import inspect
import os
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

from tracer_hooks.adapter import store_path
from tracer_hooks.cards import CardOptions, make_card, secrets
from tracer_hooks.errors import UsageError
from tracer_hooks.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from tracer_hooks.report.notebook import Report

    Function = TypeVar("Function", bound=Callable[..., Any])


class trace:  # noqa: N801  (reads as a verb: `with trace(...)`)
    """Record what this process and all its children do from enter to exit.

    A context manager and a decorator (of plain and of async functions). `run, pipeline, step,
    task, attempt, sample, tags, cpus, memory, time` say who the task is, as the options of
    `tracer-hooks run` do; blocks without `run` belong to one run for this whole Python process.
    An exception in the block makes the task failed, KeyboardInterrupt cancelled, and both go on
    as they would. Blocks may nest and may overlap in threads: each is a task of its own, and each
    sees the whole process.

    `run_id`, `task_id`, `attempt` and `store` say where the record is. Raises UsageError, before
    the block, for an argument that makes no sense.
    """

    def __init__(
        self,
        *,
        store: str | os.PathLike[str] | None = None,
        capture: str | None = None,
        interval: float | None = None,
        **card: Unpack[CardOptions],
    ) -> None:
        self._options = card
        self._how = {"store": store, "capture": capture, "interval": interval}
        self._card = make_card("python", "trace", card)
        self._supervisor_options: list[str] = []
        if capture is not None:
            self._supervisor_options += ["--capture", capture]
        if interval is not None:
            self._supervisor_options += ["--interval", repr(float(interval))]
        for pattern in secrets():
            self._supervisor_options += ["--redact", pattern]
        self.store = store_path(store)
        self.run_id = self._card.run_id
        self.task_id = self._card.task_id
        self.attempt = self._card.attempt
        self._monitor: Monitor | None = None
        self._pid: int | None = None
        self._warned = False

    def __enter__(self) -> Self:
        if self._pid is not None:
            raise UsageError("this trace had its block already: make a new one for another block")
        self._pid = os.getpid()
        try:
            monitor = Monitor(self._card, self.store, self._supervisor_options)
        except Exception as error:
            _warn(f"this block runs unobserved: cannot start the monitor: {error}")
            return self
        try:
            if not monitor.wait_until_ready():
                _warn("this block runs unobserved: the monitor does not answer")
                self._warned = True
        except BaseException:  # Ctrl-C while waiting: the block will not run
            monitor.forget()
            raise
        self._monitor = monitor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        monitor, self._monitor = self._monitor, None
        # A child that was forked inside the block leaves it too; the task is its parent's.
        if monitor is None or self._pid != os.getpid():
            return
        try:
            recorded = monitor.end(*_outcome(error))
        except Exception as problem:
            _warn(f"the end of this block was not recorded: {problem}")
            return
        if not recorded and not self._warned:
            _warn(f"the end of this block was not recorded: {monitor.problem}")

    def __call__(self, function: Function) -> Function:
        """Decorate `function`: each call is a task of its own."""
        options = dict(self._options)
        options.setdefault("step", function.__name__)

        def again() -> trace:
            return trace(**self._how, **options)  # type: ignore[arg-type]

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def traced_async(*args: Any, **kwargs: Any) -> Any:
                with again():
                    return await function(*args, **kwargs)

            return traced_async  # type: ignore[return-value]

        @functools.wraps(function)
        def traced(*args: Any, **kwargs: Any) -> Any:
            with again():
                return function(*args, **kwargs)

        return traced  # type: ignore[return-value]

    def report(self) -> Report:
        """What this task did; see tracer_hooks.report. Raises TracerError if it has no record."""
        from tracer_hooks.reading import task_report

        return task_report(self.run_id, self.task_id, self.attempt, self.store)


def _outcome(error: BaseException | None) -> tuple[str, int | None]:
    """How a block that ended with `error` went: status and exit code."""
    if error is None or isinstance(error, GeneratorExit):
        return "succeeded", None
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        return ("failed" if code else "succeeded"), code & 0xFF
    if isinstance(error, KeyboardInterrupt):
        return "cancelled", None
    return "failed", None


def _warn(what: str) -> None:
    warnings.warn(f"tracer-hooks: {what}", RuntimeWarning, stacklevel=3)
