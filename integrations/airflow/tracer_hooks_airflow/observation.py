"""The observation of the task instance that this process runs: one, whoever asked for it.

The decorator and the listener both begin one; whoever comes second finds it there. It ends when
Airflow's hooks say how the task ended, and by itself if the process dies.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from tracer_hooks.cards import secrets
from tracer_hooks.monitor import Monitor
from tracer_hooks_airflow.complaints import complain, explain
from tracer_hooks_airflow.identity import card_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks_airflow.outcomes import Outcome
    from tracer_hooks_airflow.settings import Settings

# What Airflow's executors tell a container that they made for one task.
_FOR_ONE_TASK = ("AIRFLOW_IS_K8S_EXECUTOR_POD", "AIRFLOW_IS_EXECUTOR_CONTAINER")

Key = tuple[str, str, str, int, int]
_current: Observation | None = None


class Observation:
    """A stretch of one task instance under a monitor. No method raises."""

    def __init__(self, ti: Any, monitor: Monitor) -> None:
        self.key = key_of(ti)
        self.ti = ti
        self._pid = os.getpid()
        self._monitor: Monitor | None = monitor

    @property
    def ours(self) -> bool:
        """Not that of a process that forked this one."""
        return self._pid == os.getpid()

    def end(self, outcome: Outcome) -> None:
        """Tell the monitor how it ended, and wait a moment until the last figures are read."""
        monitor, self._monitor = self._monitor, None
        if monitor is None or not self.ours:
            return
        # The process that the attempt comes back in looks for what this one left.
        seal = outcome.status == "paused" or _ends_with_its_task()
        try:
            if not monitor.end(outcome.status, outcome.exit_code, outcome.words, seal=seal):
                complain(f"the end of this task was not recorded: {monitor.problem}")
        except Exception as error:
            complain(f"the end of this task was not recorded: {explain(error)}")


def _ends_with_its_task() -> bool:
    """Whether this container does, and a monitor in it that has not written everything by then."""
    return any(os.environ.get(name) for name in _FOR_ONE_TASK)


def key_of(ti: Any) -> Key:
    """What tells one attempt at one task instance from every other."""
    map_index = getattr(ti, "map_index", -1)
    return (
        ti.dag_id, ti.run_id, ti.task_id,
        -1 if map_index is None else int(map_index), int(getattr(ti, "try_number", 1) or 1),
    )  # fmt: skip


def current(ti: Any = None) -> Observation | None:
    """The observation that this process has under way; of `ti` only, if that is given."""
    found = _current
    if found is None or not found.ours or (ti is not None and found.key != key_of(ti)):
        return None
    return found


@functools.cache
def masked() -> list[str]:
    """The patterns to mask in command lines. Asked for once: it loads our plugins, for 50 ms in an
    environment like Airflow's. A worker is forked from a process that has asked."""
    return secrets()


def begin(ti: Any, settings: Settings, asked: Mapping[str, Any] | None = None) -> bool:
    """Watch this process for `ti` from now on; False if it is watched for it already, or can't be.

    One that is left of another task, as where one process runs a whole DAG, ends first. Raises
    whatever goes wrong; the caller says it, and runs the task.
    """
    global _current
    if current(ti) is not None:
        return False
    close_left_over()
    options = ["--resume"]
    if settings.capture is not None:
        options += ["--capture", settings.capture]
    if settings.interval_s is not None:
        options += ["--interval", repr(settings.interval_s)]
    if not settings.argv:
        options.append("--no-argv")
    for pattern in masked():
        options += ["--redact", pattern]
    monitor = Monitor(card_of(ti, asked), settings.store, options)
    try:
        if not monitor.wait_until_ready():
            complain("the monitor does not answer: what this task does may go unrecorded")
    except BaseException:  # the task's time is up already
        monitor.forget()
        raise
    _current = Observation(ti, monitor)
    return True


def end(outcome: Outcome) -> None:
    """The observation under way is over."""
    global _current
    found, _current = _current, None
    if found is not None:
        found.end(outcome)


def close_left_over() -> None:
    """End what nobody ended, by the state that its task instance has by now."""
    from tracer_hooks_airflow.outcomes import Outcome, of_state

    found = current()
    if found is not None:
        end(of_state(getattr(found.ti, "state", None)) or Outcome("succeeded"))
