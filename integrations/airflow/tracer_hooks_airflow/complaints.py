"""What goes wrong on our side is said once, in the task's own log, and changes nothing else."""

import logging
from contextlib import suppress

_said: set[str] = set()


def complain(message: str) -> None:
    """Warn in Airflow's log, once for each message and process. Never raises."""
    if message in _said:
        return
    _said.add(message)
    with suppress(Exception):  # a log that cannot be written must not stop a task
        logging.getLogger("airflow.task").warning("tracer-hooks: %s", message)


def explain(error: BaseException) -> str:
    """One line that says what an exception says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
