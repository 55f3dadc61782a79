"""`@traced`: above a task's function, or above `@task` itself.

It marks the function and, in the task's process, begins the observation if the listener did not.
Where the DAG file is parsed it does nothing else: XCom, templates and pickling are as without it.
"""

from __future__ import annotations

import copy
import functools
import inspect
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from typing_extensions import Unpack

    Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_MARK = "__tracer_hooks__"
# These copy the function's source text elsewhere, where the name `traced` means nothing.
_BY_SOURCE = ("virtualenv", "external_python", "docker", "kubernetes")


class Asked(TypedDict, total=False):
    """What `@traced(...)` may be told: what was asked for, so that it can be compared with use.

    `cpus` in cores, `memory` in bytes or as text (`"4G"`), `time` in seconds, as text (`"1h30m"`)
    or a timedelta.
    """

    sample: str | None
    tags: Mapping[str, str] | None
    cpus: float | None
    memory: int | str | None
    time: float | str | timedelta | None


@overload
def traced(function: Decorated, /) -> Decorated: ...
@overload
def traced(**asked: Unpack[Asked]) -> Callable[[Decorated], Decorated]: ...
def traced(function: Any = None, /, **asked: Unpack[Asked]) -> Any:
    """Observe each instance of this task.

    Below or above `@task` (and `@task.bash`, `@task.branch`, …), with or without arguments:

        @traced(cpus=4, memory="8G")
        @task(retries=2)
        def align(sample): ...

    Raises UsageError, where the DAG file is parsed, for an argument that makes no sense or for
    something that is no task function.
    """
    wanted = _checked(asked)

    def decorate(target: Any) -> Any:
        return _decorated(target, wanted)

    return decorate if function is None else decorate(function)


def asked_of(ti: Any) -> dict[str, Any]:
    """What the function of a task instance was decorated to ask for; empty for any other task."""
    function = getattr(getattr(ti, "task", None), "python_callable", None)
    return dict(getattr(function, _MARK, None) or {})


def _decorated(target: Any, wanted: dict[str, Any]) -> Any:
    from tracer_hooks.errors import UsageError

    if getattr(target, "_airflow_is_task_decorator", False):
        kind = str(getattr(target.operator_class, "custom_operator_name", "")).rpartition(".")[2]
        if kind in _BY_SOURCE:
            raise UsageError(
                f"@traced can't be combined with @task.{kind}, which copies the function's source"
                " text; observe such tasks by the listener: [tracer_hooks] dags"
            )
        decorator = copy.copy(target)
        decorator.function = _wrapped(target.function, wanted)
        return decorator
    if not callable(target) or isinstance(target, type):
        raise UsageError(
            f"@traced is for task functions, not for {type(target).__name__}; observe operators by"
            " the listener: [tracer_hooks] dags"
        )
    return _wrapped(target, wanted)


def _wrapped(function: Callable[..., Any], wanted: dict[str, Any]) -> Callable[..., Any]:
    traced_function: Callable[..., Any]
    if inspect.iscoroutinefunction(function):  # Airflow 3 awaits those

        @functools.wraps(function)
        async def traced_function(*args: Any, **kwargs: Any) -> Any:
            with _Watched(wanted):
                return await function(*args, **kwargs)

    else:

        @functools.wraps(function)
        def traced_function(*args: Any, **kwargs: Any) -> Any:
            with _Watched(wanted):
                return function(*args, **kwargs)

    setattr(traced_function, _MARK, wanted)
    return traced_function


class _Watched:
    """Around a call of the function: begins the observation, unless there is one."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self._wanted = wanted
        self._began = False

    def __enter__(self) -> None:
        self._began = _begin(self._wanted)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._began and error is not None:
            _saw(error)


def _begin(wanted: dict[str, Any]) -> bool:
    """Whether this call began an observation. Never raises, except what is raised into it."""
    from tracer_hooks_airflow.complaints import complain, explain

    try:
        ti = _task_instance()
        if ti is None:  # called as a plain function, by a test for instance
            return False
        from tracer_hooks_airflow import observation
        from tracer_hooks_airflow.listener import listen_here
        from tracer_hooks_airflow.settings import settings

        if not observation.begin(ti, settings(), wanted):
            return False
        listen_here()
        return True
    except Exception as error:
        complain(f"this task runs unobserved: {explain(error)}")
        return False


def _saw(error: BaseException) -> None:
    """What the function raised says by itself whether it pauses or skips."""
    from tracer_hooks_airflow import observation
    from tracer_hooks_airflow.outcomes import of_error

    outcome = of_error(error)
    if outcome is not None:
        observation.end(outcome)


def _task_instance() -> Any:
    """The task instance that this process runs; None outside of one."""
    try:
        from airflow.sdk import get_current_context
    except ImportError:
        try:
            from airflow.operators.python import get_current_context
        except ImportError:  # a function that is tested where there is no Airflow
            return None
    try:
        return get_current_context()["ti"]
    except Exception:  # Airflow raises one of several where there is no task
        return None


def _checked(asked: Asked) -> dict[str, Any]:
    """As plain values: cores, bytes, seconds. Nothing is imported for a bare `@traced`."""
    if not asked:
        return {}
    from tracer_hooks.cards import make_card

    card = make_card("airflow", "task", asked)  # type: ignore[arg-type]
    wanted = {
        "sample": card.sample,
        "tags": dict(card.tags),
        "cpus": card.cpus_requested,
        "memory": card.memory_requested_bytes,
        "time": card.time_requested_s,
    }
    return {name: value for name, value in wanted.items() if value not in (None, {})}
