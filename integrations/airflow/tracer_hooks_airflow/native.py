"""`@task.traced`: the native decorator, which Airflow finds through the provider's description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from airflow.sdk.bases.decorator import task_decorator_factory
except ImportError:
    from airflow.decorators.base import task_decorator_factory
try:
    from airflow.providers.standard.decorators.python import _PythonDecoratedOperator
except ImportError:
    from airflow.decorators.python import _PythonDecoratedOperator

from tracer_hooks_airflow.decorator import Asked, traced

if TYPE_CHECKING:
    from collections.abc import Callable


class TracedOperator(_PythonDecoratedOperator):  # type: ignore[misc]  # Airflow's are untyped here
    """A Python task whose instances are observed."""

    custom_operator_name = "@task.traced"


def traced_task(
    python_callable: Callable[..., Any] | None = None,
    multiple_outputs: bool | None = None,
    **kwargs: Any,
) -> Any:
    """As `@task`, and takes what `@traced` takes: `sample, tags, cpus, memory, time`."""
    asked = {name: kwargs.pop(name) for name in Asked.__annotations__ if name in kwargs}

    def decorate(function: Callable[..., Any]) -> Any:
        return task_decorator_factory(
            python_callable=traced(**asked)(function),
            multiple_outputs=multiple_outputs,
            decorated_operator_class=TracedOperator,
            **kwargs,
        )

    return decorate if python_callable is None else decorate(python_callable)
