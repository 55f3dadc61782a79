"""How an attempt ended, from its wait status and the signals that came to it.

Without further evidence a death by signal is `signal` and an exit status is `exit_code`, whatever
the number may suggest; `explanation` knows more.
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.supervisor.evidence import Received

_CANCELLING = (1, 2, 15)  # SIGHUP, SIGINT, SIGTERM from outside
# Who wants a task to end grants it 30 s (Kubernetes, Slurm's KillWait), or warns a minute before.
_GRACE_S = 60.0
_SHELL = 128  # a shell's exit status for a command killed by signal N is 128 + N


def outcome(
    status: int, received: "Sequence[Received]" = (), ended_at: float = 0.0
) -> "dict[str, object]":
    """status, exit_code, signal and failure_cause of what ended at monotonic time `ended_at`;
    `received` are signals sent to the task."""
    if status < 0:  # somebody else reaped it
        return {"status": "failed", "exit_code": None, "signal": None, "failure_cause": "unknown"}
    signal = posix.WTERMSIG(status) if posix.WIFSIGNALED(status) else None
    code = None if signal is not None else posix.WEXITSTATUS(status)
    if code == 0:
        return {"status": "succeeded", "exit_code": 0, "signal": None, "failure_cause": None}
    if cancelling(received, code, signal, ended_at):
        ended, cause = "cancelled", "cancelled"
    else:
        ended, cause = "failed", "signal" if signal is not None else "exit_code"
    return {"status": ended, "exit_code": code, "signal": signal, "failure_cause": cause}


def cancelling(
    received: "Sequence[Received]", code: object, signal: object, ended_at: float
) -> "list[Received]":
    """Those of `received` that can have made the task end, which left with `code` or `signal`.

    A program that catches such a signal and leaves by itself exits with any status but 0, but
    soon; one that goes on for long, or ignores it, has failed of something else.
    """
    return [
        one
        for one in received
        if one.number in _CANCELLING
        and not one.ignored
        and (ended_at - one.at <= _GRACE_S or signal == one.number or code == _SHELL + one.number)
    ]
