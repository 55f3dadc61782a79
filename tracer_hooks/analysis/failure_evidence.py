"""Why one attempt went wrong, from what is on record: who ended it, and how sure that is.

`certainty` says what a statement rests on: `seen` (the kernel or the supervisor told it), `likely`
(it follows from what was seen, and could be otherwise) or `unknown`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]

# What a kernel sends a program that did something that can't be done.
FAULTS = {
    4: "an illegal instruction", 5: "a trap", 7: "a bad memory access", 8: "an arithmetic error",
    11: "an invalid memory access", 31: "a forbidden system call",
}  # fmt: skip
_LIMITS = {24: "its limit of CPU time", 25: "its limit of file size"}
_SIGHUP, _SIGINT, _SIGABRT, _SIGKILL, _SIGPIPE = 1, 2, 6, 9, 13
_SHELL = 128  # a shell's exit status for a command that signal N ended is 128 + N
_SIGNALS = 64
# What ends idle workers and the writers of closed pipes every day.
_USUAL = (1, 13, 15)
_JUST_NOW_S = 1.0
_FULL = 0.95  # of what was allowed: so close to a limit that a kill is likely to be due to it
_ALIVE_S = 5.0  # clocks and readings are not finer than that
# Programs that run tasks: a signal from one of them is the engine's word.
ENGINES = ("snakemake", "nextflow", "java", "airflow", "slurmstepd", "srun")
_MAX_TEXT = 200


def explain(failed: Row) -> dict[str, Any]:
    """The evidence in a row of `failures.failed_attempts`, as plain values.

    `cause` (the recorded one, or `lost`), `exit_code`, `signal` (also where only a shell's status
    tells it: `signal_by` is then `shell`), `sender`: {`who`, `name`, `pid`, `uid`, `certainty`} or
    null, `timeout`, `oom`, `killed`, `lost`, `last_reading`: null or what is known, and
    `recovered`: whether a later attempt succeeded.
    """
    told = _object(failed["failure_detail"])
    signal, by = _signal(failed)
    evidence: dict[str, Any] = {
        "cause": failed["failure_cause"] or ("lost" if failed["status"] == "lost" else "unknown"),
        "exit_code": failed["exit_code"],
        "signal": signal,
        "signal_by": by,
        "sender": None,
        "timeout": _timeout(failed, told),
        "oom": _oom(failed, told),
        "killed": _killed(failed),
        "lost": _lost(failed) if failed["status"] == "lost" else None,
        "last_reading": _last_reading(failed),
        "recovered": not failed["last_attempt"] and failed["final_status"] == "succeeded",
    }
    if signal is not None or failed["status"] == "cancelled" or evidence["oom"]:
        evidence["sender"] = _sender(failed, told, signal, evidence)
    return evidence


def _signal(failed: Row) -> tuple[int | None, str | None]:
    """The signal that ended it: the task's own, or that which a shell's exit status stands for if
    a process of the task is known to have died so."""
    if failed["signal"]:
        return failed["signal"], "kernel"
    number = (failed["exit_code"] or 0) - _SHELL
    if 0 < number <= _SIGNALS and failed["killed_signal"] == number:
        return number, "shell"
    return None, None


def _timeout(failed: Row, told: Row) -> dict[str, Any] | None:
    if failed["failure_cause"] != "timeout":
        return None
    return {
        "by": _text(told.get("timeout_by")),
        "limit_s": _number(told.get("timeout_s")),
        "pid": _whole(told.get("timeout_pid")) or _whole(told.get("timeout_sender_pid")),
    }


def _oom(failed: Row, told: Row) -> dict[str, Any] | None:
    """What was killed for want of memory, where a kill was counted."""
    if failed["failure_cause"] != "oom" and not _whole(told.get("oom_kills")):
        return None
    victim, limit = _object(failed["oom_detail"]), _object(failed["limit_detail"])
    own = victim.get("own")
    return {
        "kill_count": _whole(told.get("oom_kills")),
        "scope": None if not isinstance(own, bool) else "task" if own else "shared",
        "counter": _text(victim.get("counter")),
        "victim": _text(victim.get("comm")),
        "pid": _whole(victim.get("pid")),
        "memory_peak_bytes": _whole(victim.get("memory_peak_bytes")),
        "limit_bytes": _whole(limit.get("memory_bytes")),
    }


def _killed(failed: Row) -> dict[str, Any] | None:
    """The process that a signal ended last, unless that looks like any other day."""
    number, at, last = failed["killed_signal"], failed["killed_at"], failed["last_at"]
    if number is None:
        return None
    told = failed["exit_code"] == _SHELL + number
    late = at is not None and last is not None and (last - at).total_seconds() <= _JUST_NOW_S
    if not told and (number in _USUAL or not late):
        return None
    return {
        "tool": failed["killed_tool"],
        "pid": failed["killed_pid"],
        "signal": failed["killed_signal"],
        "count": failed["killed_count"],
    }


def _lost(failed: Row) -> dict[str, Any]:
    """How long the host is known to have lived after the last sign of the attempt."""
    last, host = failed["last_at"], failed["host_last_at"]
    after = None if last is None or host is None else max(0.0, (host - last).total_seconds())
    return {
        "last_at": last,
        "host_lived_on_s": after,
        "host_lived_on": None if after is None or after <= _ALIVE_S else True,
    }


def _last_reading(failed: Row) -> dict[str, Any] | None:
    elapsed = failed["last_elapsed_s"]
    if elapsed is None:
        return None
    wall = failed["wall_s"]
    return {
        "elapsed_s": elapsed,
        "before_end_s": None if wall is None else max(0.0, wall - elapsed),
        "memory_bytes": failed["last_memory_bytes"],
        "processes": failed["last_processes"],
    }


def _sender(failed: Row, told: Row, signal: int | None, evidence: Row) -> dict[str, Any] | None:
    """Who sent the signal, as far as there is reason to say so."""
    if evidence["oom"] and signal in (None, _SIGKILL):
        return _who("kernel_oom", "seen")
    received = _received(failed, told)
    if received is not None:
        return _of_received(failed, received)
    timeout = evidence["timeout"]
    if timeout and timeout["by"]:
        return _who("time_limit", "seen", name=timeout["by"], pid=timeout["pid"])
    if signal in FAULTS:
        return _who("kernel_fault", "likely", name=FAULTS[signal])
    if signal in _LIMITS:
        return _who("kernel_limit", "likely", name=_LIMITS[signal])
    if signal == _SIGABRT:
        return _who("itself", "likely")
    if signal == _SIGPIPE:
        return _who("closed_pipe", "likely")
    if signal is not None and failed["killer_tool"]:
        name, pid = failed["killer_tool"], failed["killer_pid"]
        return _who("own_process", "likely", name=name, pid=pid)
    if signal == _SIGKILL and _was_full(failed):
        return _who("kernel_oom", "likely")
    # A record that tells nothing of its end does not tell what it was not, either.
    return _who("unknown", "unknown") if told else None


def _was_full(failed: Row) -> bool:
    """Memory was at what the cgroup allows, or at what was asked for."""
    limit = _whole(_object(failed["limit_detail"]).get("memory_bytes"))
    limits = [size for size in (limit, failed["memory_requested_bytes"]) if size]
    most = max(failed["memory_peak_bytes"] or 0, failed["last_memory_bytes"] or 0)
    # Where the counter of kills was watched and showed none, it was no kill of this kind.
    watched = bool(_object(failed["failure_detail"]).get("oom_counters"))
    return bool(limits) and most >= _FULL * min(limits) and not watched


def _received(failed: Row, told: Row) -> Row | None:
    """The last signal that came from outside."""
    listed = told.get("received")
    if isinstance(listed, list) and listed and isinstance(listed[-1], Mapping):
        return listed[-1]
    return _object(failed["signal_detail"]) or None


def _of_received(failed: Row, received: Row) -> dict[str, Any]:
    number, pid = _whole(received.get("signal")), _whole(received.get("sender_pid"))
    name = _text(received.get("sender"))
    more = {"received": number, "pid": pid, "uid": _whole(received.get("sender_uid")), "name": name}
    together = failed["together_count"] or 0
    if failed["failure_cause"] == "timeout":
        return _who("time_limit", "seen", **more)
    if number == _SIGINT and not pid:
        return _who("terminal", "likely", **more)
    if number == _SIGHUP and not pid:
        return _who("hangup", "likely", **more)
    if name in ENGINES or together > 0:
        return _who("engine", "likely", together=together, **more)
    return _who("process", "seen" if pid else "unknown", **more)


def _who(who: str, certainty: str, **more: Any) -> dict[str, Any]:
    return {"who": who, "name": None, "pid": None, "uid": None, **more, "certainty": certainty}


def _object(text: Any) -> dict[str, Any]:
    """The JSON object in a detail; another version's, or a broken one, says nothing."""
    try:
        read = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _text(value: Any) -> str | None:
    return value[:_MAX_TEXT] if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if known else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
