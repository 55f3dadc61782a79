"""What happened to an attempt, as sentences: each kind of event, and the evidence of its end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tracer_hooks.report.text import clean, fit
from tracer_hooks.report.units import asked, count, duration, number, size

Detail: TypeAlias = Mapping[str, Any]
# Kinds that have a place of their own on the page.
_MAX_RECEIVED = 3
# What another version's, or a broken, detail raises.
_UNREADABLE = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
ELSEWHERE = ("degraded", "stepped_down", "limit", "delays", "failure", "network_unattributed")


def detail_of(row: Mapping[str, Any]) -> Detail:
    """The detail of an event; what is no JSON object is under `detail`."""
    try:
        read = json.loads(row["detail"] or "{}")
    except ValueError:
        read = row["detail"]
    return read if isinstance(read, dict) else {"detail": read}


def sentence(kind: str | None, detail: Detail) -> str:
    """What an event says beside its kind; another version's details are shown as they are."""
    try:
        return _cut(_SENTENCES[kind or ""](detail))
    except _UNREADABLE:
        return _cut(", ".join(f"{key} {_word(value)}" for key, value in detail.items()))


def ending(attempt: Mapping[str, Any], events: list[tuple[str, Detail]]) -> list[str]:
    """Why an attempt ended as it did, as far as there is evidence; one sentence each."""
    found = [detail for kind, detail in events if kind == "failure"]
    try:
        return [_cut(line) for line in _ending(attempt, found[-1], events)] if found else []
    except _UNREADABLE:
        return []


def _ending(
    attempt: Mapping[str, Any], shown: Detail, events: list[tuple[str, Detail]]
) -> list[str]:
    lines = []
    if attempt["failure_cause"] == "timeout":
        lines.append(_timeout(shown))
    if shown.get("oom_kills"):
        victims = [_oom(detail) for kind, detail in events if kind == "oom"]
        lines.append(f"Memory ran out: {victims[-1] if victims else 'the kernel killed for it'}.")
    received = (shown.get("received") or [])[:_MAX_RECEIVED]
    lines += [f"It received {_signal(one)}." for one in received]
    if attempt["signal"] and not lines:
        memory = "no out-of-memory kill was counted" if shown.get("oom_counters") else (
            "whether memory ran out could not be watched"
        )  # fmt: skip
        lines.append(
            f"Who sent {name_of(attempt['signal'])} is not known: {memory}, no time limit was"
            " reached, and it did not come through the supervisor."
        )
    return lines


def _timeout(shown: Detail) -> str:
    by = shown.get("timeout_by")
    allowed = f" ({duration(shown['timeout_s'])})" if shown.get("timeout_s") else ""
    if by == "time_requested_s":
        return f"Its time was up{allowed}: the limit that was asked for."
    pid = shown.get("timeout_pid") or shown.get("timeout_sender_pid")
    return f"Its time was up{allowed}: ended by {_word(by)}{f', pid {pid}' if pid else ''}."


def _oom(detail: Detail) -> str:
    victim = f"{_word(detail['comm'])} (pid {detail['pid']}" if detail.get("comm") else ""
    if victim:
        peak = detail.get("memory_peak_bytes")
        victim += f", peak {size(peak)})" if peak is not None else ")"
    where = "the task's cgroup" if detail.get("own") else "a cgroup that others share"
    return f"the kernel killed {victim or 'a process'}; counted by {where}"


def _signal(detail: Detail) -> str:
    text = name_of(detail["signal"])
    if detail.get("sender_pid"):
        sender = _word(detail.get("sender") or "a process")
        text += f" from {sender} (pid {detail['sender_pid']}, user {detail['sender_uid']})"
    return text


def _throttled(detail: Detail) -> str:
    text = f"a CPU quota held it back for {duration(detail['seconds'])}"
    if detail.get("periods"):
        held, periods = count(detail["throttled_periods"]), count(detail["periods"])
        text += f", in {held} of {periods} periods"
    return text + ("" if detail.get("own", True) else "; others share the quota")


def _pressure(detail: Detail) -> str:
    named = (("cpu", "a core"), ("memory", "memory"), ("io", "I/O"))
    parts = [f"{duration(detail[f'{key}_some_s'])} for {what}" for key, what in named
             if detail.get(f"{key}_some_s")]  # fmt: skip
    return f"some of its cgroup waited {', '.join(parts)}" if parts else ""


def _container(detail: Detail) -> str:
    keys = ("runtime", "image", "name", "id", "why")
    parts = [fit(str(detail[key]), 60) for key in keys if detail.get(key)]
    return ", ".join(parts + _container_used(detail))


def _container_used(detail: Detail) -> list[str]:
    """What the container alone used: the task's own figures have its runtime's in them."""
    parts = []
    if _is_number(detail.get("cpu_user_s")) and _is_number(detail.get("cpu_system_s")):
        parts.append(f"{duration(detail['cpu_user_s'] + detail['cpu_system_s'])} of CPU")
    named = {"memory_peak_bytes": "memory at its peak", "disk_read_bytes": "read from disk",
             "disk_write_bytes": "written to disk"}  # fmt: skip
    parts += [
        f"{size(detail[key])} {what}" for key, what in named.items() if _is_number(detail.get(key))
    ]
    return parts


def _attached(detail: Detail) -> str:
    held = detail.get("memory_bytes")
    return f"its process held {size(held)} when watching began" if _is_number(held) else ""


def _engine(detail: Detail) -> str:
    parts = [_word(detail["state"]).replace("_", " ")] if detail.get("state") else []
    if detail.get("error"):
        parts.append(f"raised {_word(detail['error'])}")
    return ", ".join(parts)


def _resumed(detail: Detail) -> str:
    return f"it goes on in another process (pid {detail['pid']} on {_word(detail['host'])})"


def limits(detail: Detail) -> dict[str, str]:
    """What the cgroup allows: `cores`, `memory` and `processes`, those that are limited."""
    found = {}
    if _is_number(detail.get("cpus")):
        found["cores"] = asked(number(detail["cpus"]))
    if _is_number(detail.get("memory_bytes")):
        found["memory"] = asked(size(detail["memory_bytes"]))
    if _is_number(detail.get("pids")):
        found["processes"] = count(detail["pids"])
    return found


def delays(detail: Detail) -> str:
    """What the kernel itself counted of waiting, over all processes that ended; '' for nothing."""
    named = {
        "cpu_s": "for a core", "disk_s": "for the disk", "swap_s": "for swap",
        "reclaim_s": "to free memory", "thrashing_s": "for pages just dropped",
        "compact_s": "to compact memory",
    }  # fmt: skip
    parts = [f"{duration(detail[key])} {what}" for key, what in named.items()
             if _is_number(detail.get(key)) and detail[key] >= 0.0005]  # fmt: skip
    # The wait for cores alone is in the bar already.
    if not parts or (len(parts) == 1 and parts[0].endswith("a core")):
        return ""
    return f"The kernel counted, all processes added up: {', '.join(parts)}."


def unattributed_network(detail: Detail) -> str:
    """Bytes that no process accounts for; '' where there are none."""
    received, sent = detail.get("rx_bytes"), detail.get("tx_bytes")
    known = [value for value in (received, sent) if _is_number(value)]
    if len(known) < 2 or not any(known):
        return ""
    return f"{size(received)} in and {size(sent)} out are of no process that was seen."


def name_of(number_: int) -> str:
    """`SIGTERM`, or `signal 64` where it has no name."""
    try:
        return signal.Signals(number_).name
    except (TypeError, ValueError):
        return f"signal {number_}"


_SENTENCES: dict[str, Callable[[Detail], str]] = {
    "signal": _signal,
    "oom": _oom,
    "throttled": _throttled,
    "pressure": _pressure,
    "container": _container,
    "attached": _attached,
    "engine": _engine,
    "resumed": _resumed,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _word(value: Any) -> str:
    return clean(value if isinstance(value, str) else json.dumps(value))


def _cut(text: str) -> str:
    return fit(text, 300) if text else ""
