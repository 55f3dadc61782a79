"""How an attempt ended, from its wait status and the signals that came to it.

Without further evidence a death by signal is `signal` and an exit status is `exit_code`, whatever
the number may suggest; `explanation` knows more.
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.supervisor.evidence import Received

CANCELLING = (1, 2, 15)  # SIGHUP, SIGINT, SIGTERM from outside


def outcome(status: int, received: "Sequence[Received]") -> "dict[str, object]":
    """status, exit_code, signal and failure_cause; `received` are signals sent to the task."""
    if status < 0:  # somebody else reaped it
        return {"status": "failed", "exit_code": None, "signal": None, "failure_cause": "unknown"}
    signal = posix.WTERMSIG(status) if posix.WIFSIGNALED(status) else None
    code = None if signal is not None else posix.WEXITSTATUS(status)
    if code == 0:
        return {"status": "succeeded", "exit_code": 0, "signal": None, "failure_cause": None}
    # a program that catches the signal and leaves by itself exits with any status but 0
    if any(one.number in CANCELLING for one in received):
        ended, cause = "cancelled", "cancelled"
    else:
        ended, cause = "failed", "signal" if signal is not None else "exit_code"
    return {"status": ended, "exit_code": code, "signal": signal, "failure_cause": cause}
