"""tracer-hooks for Airflow 2.11 and 3: `@traced`, `@task.traced`, and the listener.

    from tracer_hooks_airflow import traced

    @traced
    @task
    def train(): ...

Airflow imports this package in its scheduler, DAG processor, workers and web server: importing
it costs nothing and never fails, whatever Airflow is there.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tracer_hooks_airflow.decorator import traced

__all__ = ["traced"]


def __getattr__(name: str) -> "Any":
    if name != "traced":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tracer_hooks_airflow.decorator import traced

    globals()["traced"] = traced
    return traced
