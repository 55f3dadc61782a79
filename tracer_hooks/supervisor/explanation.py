"""Why an attempt failed, from what was seen on the way.

`failure_cause` says oom, timeout or cancelled only on evidence; without it what `outcome` said
stays.
"""

import posix

from tracer_hooks.supervisor.evidence import EARLY_S
from tracer_hooks.supervisor.outcome import cancelling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.supervisor.evidence import Evidence, Received

_SIGKILL, _SIGTERM = 9, 15
_TIMED_OUT = 124  # what coreutils' timeout exits with
_SHELL = 128  # a shell's exit status for a command killed by signal N is 128 + N
# What sends signals by the clock; slurmstepd also does so for scancel, so it needs the clock too.
_TIMERS = ("timeout", "gtimeout")
_SLURM = ("slurmstepd", "slurmd")
_SLURM_EARLY_S = 60.0  # Slurm may signal up to a minute before a limit
_AFTER_TIMEOUT_S = 5.0


def explain(
    ended: "dict[str, object]",
    received: "Sequence[Received]",
    evidence: "Evidence",
    started: float,
    now: float,
) -> "tuple[dict[str, object], dict[str, object]]":
    """`ended` (see `outcome`) with the cause that the evidence shows, and what shows it."""
    if ended["status"] not in ("failed", "cancelled"):
        return ended, {}
    code, signal = ended["exit_code"], ended["signal"]
    shown = {"exit_code": code, "signal": signal}  # type: dict[str, object]
    if evidence.oom_counters:
        shown["oom_kills"] = len(evidence.oom_kills)
        shown["oom_counters"] = evidence.oom_counters
    if received:
        shown["received"] = [one.detail() for one in received]
    killed = signal == _SIGKILL or code == _SHELL + _SIGKILL
    if killed and evidence.oom_kills:
        return _because(ended, "oom"), shown
    ending = cancelling(received, code, signal, now)
    clock = _by_the_clock(ending, evidence, started)
    if clock is None and not ending:
        clock = _inner_timer(code, signal, evidence, now) or _overdue(
            signal, evidence, now - started
        )
    if clock is not None:
        shown.update(clock)
        return _because(ended, "timeout"), shown
    if ended["status"] == "failed" and evidence.oom_kills:
        return _because(ended, "oom"), shown
    return ended, shown


def _because(ended: "dict[str, object]", cause: str) -> "dict[str, object]":
    return dict(ended, status="failed", failure_cause=cause)


def _by_the_clock(
    ending: "Sequence[Received]", evidence: "Evidence", started: float
) -> "dict[str, object] | None":
    """A terminating signal from outside that somebody sent because time was up."""
    for one in ending:
        if one.comm in _TIMERS:
            return {"timeout_by": one.comm, "timeout_sender_pid": one.pid}
        end = evidence.slurm_end
        by_slurm = one.comm in _SLURM or not one.pid
        if end is not None and by_slurm and one.at >= end - _SLURM_EARLY_S:
            return {"timeout_by": "slurm"}
        asked_s = evidence.time_requested_s
        if asked_s and one.at - started >= asked_s - EARLY_S:
            return {"timeout_by": "time_requested_s", "timeout_s": asked_s}
    return None


def _inner_timer(
    code: object, signal: object, evidence: "Evidence", now: float
) -> "dict[str, object] | None":
    """A `timeout` within the task that ran out, and an end that fits it."""
    for timer in evidence.timers:
        timer_ended = timer.image.ended
        just_now = timer_ended is None or now - timer_ended <= _AFTER_TIMEOUT_S
        fits = code == _TIMED_OUT or (
            just_now
            and (signal in (_SIGKILL, _SIGTERM) or code in (_SHELL + _SIGKILL, _SHELL + _SIGTERM))
        )
        if fits and timer.ran_out(now):
            pid = timer.image.pid
            return {"timeout_by": "timeout", "timeout_pid": pid, "timeout_s": timer.seconds}
    return None


def _overdue(signal: object, evidence: "Evidence", wall_s: float) -> "dict[str, object] | None":
    """Killed from outside once its time was up: SIGKILL tells not who sent it."""
    asked_s = evidence.time_requested_s
    if asked_s and signal in (_SIGKILL, _SIGTERM) and wall_s >= asked_s - EARLY_S:
        return {"timeout_by": "time_requested_s", "timeout_s": asked_s}
    return None


def limits_of_time(evidence: "Evidence", card: str, since: float) -> None:
    """Fill in the time that the card asked for, and the end of the Slurm job."""
    if '"time_requested_s"' in card:
        import json

        asked = json.loads(card).get("time_requested_s")
        if isinstance(asked, (int, float)) and asked > 0:
            evidence.time_requested_s = float(asked)
    end = posix.environ.get(b"SLURM_JOB_END_TIME", b"")
    if end.isdigit():
        evidence.slurm_end = int(end) - since
