"""The listener: Airflow's hooks around every task instance, and at the end of a DAG run.

A task's hooks are called in the task's own process, those of a DAG run in the scheduler's. No
hook raises, and none does more there than start a process.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pluggy

from tracer_hooks_airflow import observation
from tracer_hooks_airflow.complaints import complain, explain
from tracer_hooks_airflow.decorator import asked_of
from tracer_hooks_airflow.outcomes import failed, of_state

if TYPE_CHECKING:
    from tracer_hooks_airflow.settings import Settings


hookimpl = pluggy.HookimplMarker("airflow")

# When a task of a DAG run first ran in this process. Airflow 3 has one listener for tasks and one
# for DAG runs.
_began: dict[tuple[str, str], float] = {}


class Listener:
    """Begins and ends observations. Without `settings` it ends only what a decorator began."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings
        if settings is not None:
            observation.masked()

    @hookimpl
    def on_task_instance_running(self, task_instance: Any) -> None:
        """A task instance is about to run in this process."""
        chosen = self._settings
        try:
            _began.setdefault((task_instance.dag_id, task_instance.run_id), time.time())
            if chosen is not None and chosen.observes(task_instance.dag_id):
                observation.begin(task_instance, chosen, asked_of(task_instance))
            elif observation.current(task_instance) is None:
                observation.close_left_over()
        except Exception as error:
            complain(f"this task runs unobserved: {explain(error)}")

    @hookimpl
    def on_task_instance_success(self, task_instance: Any) -> None:
        """It succeeded."""
        _ended(task_instance, "success")

    @hookimpl
    def on_task_instance_failed(self, task_instance: Any, error: Any) -> None:
        """It failed, for good or to be tried again."""
        _ended(task_instance, getattr(task_instance, "state", None) or "failed", error)

    @hookimpl
    def on_task_instance_skipped(self, task_instance: Any) -> None:
        """It asked to be skipped. Airflow 2 has no such hook, and calls none then."""
        _ended(task_instance, "skipped")

    @hookimpl
    def before_stopping(self) -> None:
        """The process is about to end: also after a deferral, which no other hook tells of."""
        try:
            observation.close_left_over()
        except Exception as error:
            complain(f"the end of this task was not recorded: {explain(error)}")

    @hookimpl
    def on_dag_run_success(self, dag_run: Any) -> None:
        """All tasks are done; in the scheduler."""
        self._finish(dag_run, "succeeded")

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any) -> None:
        """All tasks are done, and it failed; in the scheduler."""
        self._finish(dag_run, "failed")

    def _finish(self, dag_run: Any, status: str) -> None:
        chosen = self._settings
        try:
            observation.close_left_over()  # a DAG that runs in one process
            if chosen is not None and chosen.observes(dag_run.dag_id):
                from tracer_hooks_airflow.run_end import finish_apart

                # One process that runs a whole DAG gives the run its logical date as its start.
                began = _began.pop((dag_run.dag_id, dag_run.run_id), None)
                finish_apart(dag_run, status, chosen, began)
        except Exception as error:
            complain(f"the end of this run was not noted: {explain(error)}")


def listen_here() -> None:
    """Have Airflow's hooks call us in this process, which a decorator began to observe."""
    try:
        from airflow.sdk.listener import get_listener_manager
    except ImportError:
        from airflow.listeners.listener import get_listener_manager
    global _here
    manager = get_listener_manager()
    if any(isinstance(plugin, Listener) for plugin in manager.pm.get_plugins()):
        return
    if _here is None:
        _here = Listener()
    manager.add_listener(_here)


_here: Listener | None = None


def _ended(ti: Any, state: object, error: Any = None) -> None:
    try:
        found = observation.current(ti)
        if found is None:
            return
        outcome = of_state(state, error)
        observation.end(failed(error) if outcome is None else outcome)
    except Exception as problem:
        complain(f"the end of this task was not recorded: {explain(problem)}")
