"""How an attempt ended, from its wait status and the signals that came from outside."""

import posix

_CANCELLING = (1, 2, 15)  # SIGHUP, SIGINT, SIGTERM from outside


def outcome(status: int, received: "list[int]") -> "dict[str, object]":
    """status, exit_code, signal and failure_cause; `received` are signals sent to the task."""
    if status < 0:  # somebody else reaped it
        return {"status": "failed", "exit_code": None, "signal": None, "failure_cause": "unknown"}
    signal = posix.WTERMSIG(status) if posix.WIFSIGNALED(status) else None
    code = None if signal is not None else posix.WEXITSTATUS(status)
    if code == 0:
        return {"status": "succeeded", "exit_code": 0, "signal": None, "failure_cause": None}
    # a program that catches the signal and leaves by itself exits with any status but 0
    if any(number in _CANCELLING for number in received):
        ended, cause = "cancelled", "cancelled"
    else:
        ended, cause = "failed", "signal" if signal is not None else "exit_code"
    return {"status": ended, "exit_code": code, "signal": signal, "failure_cause": cause}
