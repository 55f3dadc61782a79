"""How a stretch of a task ended, in tracer-hooks' words.

By the names of states and exceptions, which both majors of Airflow share while their classes move.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# The attempt goes on later, in another process.
_PAUSING = frozenset(("deferred", "up_for_reschedule", "awaiting_input"))
_PAUSING_ERRORS = frozenset(("TaskDeferred", "AirflowRescheduleException", "TaskAwaitingInput"))
_SUCCEEDED = frozenset(("success", "skipped"))
_FAILED = frozenset(("failed", "up_for_retry", "upstream_failed"))
_TIMEOUTS = frozenset(("AirflowTaskTimeout", "AirflowSensorTimeout", "TaskDeferralTimeout"))
_TERMINATED = frozenset(("AirflowTaskTerminated", "KeyboardInterrupt"))
# What Airflow's own operators say of a command that failed.
_EXIT_CODE = re.compile(r"exit (?:code|status)[: ]+(\d{1,3})\b")


@dataclass(frozen=True)
class Outcome:
    """How it ended. `status` is `paused` for an attempt that will go on.

    `state` is Airflow's own word for it, `error` the name of the exception's class, and no more of
    the exception: what it says may be secret.
    """

    status: str
    exit_code: int | None = None
    cause: str | None = None
    state: str | None = None
    error: str | None = None

    @property
    def words(self) -> dict[str, str]:
        """What `Monitor.end` passes on beside status and exit code."""
        said = {"cause": self.cause, "state": self.state, "error": self.error}
        return {name: value for name, value in said.items() if value}


def of_state(state: object, error: object = None) -> Outcome | None:
    """The outcome that Airflow's state tells; None where the state says that it runs still."""
    name = str(getattr(state, "value", state) or "")
    if name in _PAUSING:
        return Outcome("paused", state=name)
    if name in _SUCCEEDED:
        return Outcome("succeeded", state=name)
    if name in _FAILED:
        return failed(error, name)
    return None


def of_error(error: BaseException) -> Outcome | None:
    """What an exception that leaves the task's function says by itself; None: what becomes of it
    is for Airflow to say."""
    names = _class_names(error)
    if names & _PAUSING_ERRORS:
        return Outcome("paused", state="deferred")
    if "AirflowSkipException" in names:
        return Outcome("succeeded", state="skipped")
    return None


def failed(error: object, state: str = "failed") -> Outcome:
    """The outcome of a failure with `error`, an exception or Airflow's text of one."""
    names = _class_names(error)
    kind = type(error).__name__ if isinstance(error, BaseException) else None
    if names & _TIMEOUTS:
        return Outcome("failed", cause="timeout", state=state, error=kind)
    if names & _TERMINATED:
        return Outcome("cancelled", cause="cancelled", state=state, error=kind)
    return Outcome("failed", exit_code=_exit_code(error), state=state, error=kind)


def _class_names(error: object) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__} if error is not None else set()


def _exit_code(error: object) -> int | None:
    if isinstance(error, SystemExit):
        if isinstance(error.code, int):
            return error.code & 0xFF
        return None if error.code is None else 1
    if isinstance(error, BaseException) and "AirflowException" not in _class_names(error):
        return None
    text = str(error or "")
    if text.startswith("Task failed due to SystemExit("):  # Airflow 2
        code = text.partition("(")[2].partition(")")[0]
        return int(code) & 0xFF if code.lstrip("-").isdigit() else 1
    said = _EXIT_CODE.search(text)
    return int(said[1]) if said else None
