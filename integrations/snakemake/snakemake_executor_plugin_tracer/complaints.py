"""What goes wrong on our side is said once, in Snakemake's own log, and changes nothing else."""

import threading

PREFIX = "tracer-hooks: "
_said: set[str] = set()
_lock = threading.Lock()


def complain(subject: str, message: str) -> None:
    """Warn in Snakemake's log; only the first complaint about a subject is shown. Never raises."""
    with _lock:
        if subject in _said:
            return
        _said.add(subject)
    try:
        from snakemake.logging import logger

        logger.warning(PREFIX + message)
    except Exception:  # noqa: S110 - a log that cannot be written must not stop a workflow
        pass


def explain(error: BaseException) -> str:
    """One line that says what an exception says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
