"""The evidence of one failure in sentences; what is only likely says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.report.events import name_of
from tracer_hooks.report.text import clean, fit
from tracer_hooks.report.units import count, duration, moment, plural, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    Row = Mapping[str, Any]

_NAME = 60
_LIMITED = {"time_requested_s": "the limit that was asked for", "slurm": "Slurm's limit"}


def evidence_lines(failed: Row, evidence: Row) -> list[str]:
    """Why the attempt ended as it did: `failed` is a row of `failures.failed_attempts`,
    `evidence` what `failure_evidence.explain` makes of it."""
    lines = []
    if evidence["lost"]:
        lines.append(_lost(evidence["lost"]))
    if evidence["timeout"]:
        lines.append(_timeout(evidence["timeout"]))
    if evidence["oom"]:
        lines.append(_oom(evidence["oom"]))
    elif evidence["sender"]:
        lines += _sender(failed, evidence)
    elif evidence["exit_code"] and failed["status"] == "failed" and not evidence["timeout"]:
        lines.append(_by_itself(evidence))
    if evidence["killed"] and not evidence["oom"] and failed["signal"] is None:
        lines.append(_killed(evidence["killed"]))
    return lines


def last_words(failed: Row, evidence: Row) -> list[str]:
    """What the last reading before the end showed."""
    reading = evidence["last_reading"]
    if not reading:
        return []
    allowed = (evidence["oom"] or {}).get("limit_bytes") or failed["memory_requested_bytes"]
    parts = []
    if reading["memory_bytes"] is not None:
        limit = f" of {size(allowed)}" if allowed else ""
        parts.append(f"{size(reading['memory_bytes'])}{limit} in memory")
    if reading["processes"]:  # none: it was ending
        parts.append(plural(reading["processes"], "process", "processes"))
    if not parts:
        return []
    before = reading["before_end_s"]
    when = f"+{duration(reading['elapsed_s'])}"
    if before is not None and evidence["lost"] is None:
        when += f", {duration(before)} before the end"
    return [f"Last reading ({when}): {' and '.join(parts)}."]


def _lost(lost: Row) -> str:
    last = lost["last_at"]
    text = (
        "Nothing was recorded of its end: whoever watched it was killed, its host stopped, or the"
        " store was full"
    )
    if lost["host_lived_on"]:
        text = (
            "Nothing was recorded of its end, though its host lived on for at least"
            f" {duration(lost['host_lived_on_s'])}: the supervisor was killed, or the store was"
            " full"
        )
    return text + (f"; last heard of at {moment(last)}." if last is not None else ".")


def _timeout(timeout: Row) -> str:
    allowed = f" ({duration(timeout['limit_s'])})" if timeout["limit_s"] else ""
    by = timeout["by"]
    if by in _LIMITED:
        return f"Its time was up{allowed}: {_LIMITED[by]}."
    if not by:
        return f"Its time was up{allowed}."
    pid = f", pid {timeout['pid']}" if timeout["pid"] else ""
    return f"Its time was up{allowed}: ended by {fit(by, _NAME)}{pid}."


def _oom(oom: Row) -> str:
    victim = "a process"
    if oom["victim"]:
        facts = [f"pid {oom['pid']}"] if oom["pid"] else []
        if oom["memory_peak_bytes"] is not None:
            facts.append(f"peak {size(oom['memory_peak_bytes'])}")
        victim = fit(oom["victim"], _NAME) + (f" ({', '.join(facts)})" if facts else "")
    where = {"task": "the task's cgroup", "shared": "a cgroup that others share"}
    counted = f"; counted by {where[oom['scope']]}" if oom["scope"] else ""
    limit = f", which allows {size(oom['limit_bytes'])}" if counted and oom["limit_bytes"] else ""
    return f"Memory ran out: the kernel killed {victim}{counted}{limit}."


def _killed(killed: Row) -> str:
    pid = f" (pid {killed['pid']})" if killed["pid"] else ""
    others = killed["count"] - 1
    more = f"; so were {count(others)} others by this or another signal" if others > 1 else ""
    name = fit(killed["tool"], _NAME)
    return f"Its process {name}{pid} was ended by {name_of(killed['signal'])}{more}."


def _by_itself(evidence: Row) -> str:
    code = evidence["exit_code"]
    text = f"It ended by itself with exit status {code}"
    number = code - 128
    if 0 < number <= 64 and evidence["killed"] is None:
        text += f", as a shell does when {name_of(number)} ends a command; no such death was seen"
    return text + "."


def _sender(failed: Row, evidence: Row) -> list[str]:
    """Who sent the signal."""
    sender, signal = evidence["sender"], evidence["signal"]
    name = name_of(signal) if signal else "A signal"
    by = _process(sender)
    who, sent = sender["who"], sender.get("received") or signal
    if who == "time_limit":
        return []  # said already
    if who == "process":
        return [f"It received {name_of(sent) if sent else 'a signal'} from {by}."]
    said = {
        "terminal": "It was interrupted: most likely Ctrl-C at the terminal.",
        "hangup": "Its terminal or connection was closed, most likely.",
        "kernel_fault": f"{name}: most likely the program itself, by {sender['name']}.",
        "kernel_limit": f"{name}: most likely the kernel, because it reached {sender['name']}.",
        "kernel_oom": f"{name} from an unseen sender: most likely the kernel, for want of memory,"
        " which was at its limit.",
        "itself": f"{name}: most likely the program itself, which gave up.",
        "closed_pipe": f"{name}: it wrote to a pipe that nobody read any more, most likely.",
        "own_process": f"{name}: most likely from {by}, a process of the task.",
        "engine": _engine(sender, by),
    }
    if who in said:
        return [said[who]]
    told = "no out-of-memory kill was counted" if _watched(failed) else (
        "whether memory ran out could not be watched"
    )  # fmt: skip
    unknown = f"Who sent {name_of(signal) if signal else 'the signal'} is not known: {told}, no"
    return [f"{unknown} time limit was reached, and it did not come through the supervisor."]


def _engine(sender: Row, by: str) -> str:
    together = sender.get("together") or 0
    if not together:
        return f"It was cancelled by {by}, most likely the engine."
    others = plural(together, "other task", "other tasks")
    return f"It was cancelled by {by}, together with {others}: most likely the engine stopped."


def _process(sender: Row) -> str:
    """`bash (pid 79, user 1000)`."""
    facts = [f"{label} {sender[key]}" for label, key in (("pid", "pid"), ("user", "uid"))
             if sender[key] is not None]  # fmt: skip
    name = fit(sender["name"], _NAME) if sender["name"] else "a process that was not seen"
    return name + (f" ({', '.join(facts)})" if facts else "")


def _watched(failed: Row) -> bool:
    """Whether a counter of out-of-memory kills was watched."""
    return '"oom_counters"' in clean(failed["failure_detail"] or "")
