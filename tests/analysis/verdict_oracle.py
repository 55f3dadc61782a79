"""The rules of docs/verdicts.md once more, in plain Python, from the evidence alone."""

from __future__ import annotations

import math
from typing import Any

from tracer_hooks.analysis.thresholds import threshold


def label_of(e: dict[str, Any]) -> str:
    """What the evidence of a row of `Verdicts.tasks` amounts to; None is what was not measured."""
    if (e["oom_count"] or 0) > 0:
        return "memory_bound"
    if e["cpu_share"] is None:
        return "uncertain"
    if e["wall_s"] is not None and e["wall_s"] < threshold("too_short_s"):
        return "too_short"
    if paging(e) and likely(e, e["memory_work_share"]):
        return "memory_bound"
    if likely(e, e["active_share"], looked=False):
        return computing(e)
    if likely(e, e["disk_work_share"]):
        return "disk_bound"
    if likely(e, e["network_work_share"]):
        moved = e["network_bytes_per_s"]
        if moved is None:
            return "uncertain"
        return "network_bound" if moved >= threshold("network_bytes_per_s") else "idle"
    if likely(e, e["idle_share"]) and e["network_share"] is not None:
        return "idle"
    return "uncertain"


def computing(e: dict[str, Any]) -> str:
    if churning(e):
        return "process_churn"
    contended = logistic((e["contended_share"] - threshold("contended")) / threshold("share_error"))
    if contended >= threshold("confidence"):
        return "cpu_contended"
    if contended > 1 - threshold("confidence"):
        return "uncertain"
    asked, used = e["cpus_requested"], e["cores_when_free"]
    if (
        None not in (asked, used)
        and asked >= threshold("cores_asked")
        and used < threshold("cores_used") * asked
        and asked - used >= threshold("cores_idle")
    ):
        return "cpu_underused"
    return "cpu_bound"


def churning(e: dict[str, Any]) -> bool:
    needed = ("short_process_count", "process_count", "helper_share", "helper_lifetime_s")
    if any(e[name] is None for name in needed):
        return False
    return bool(
        e["short_process_count"] >= threshold("short_count")
        and e["short_process_count"] >= threshold("short_share") * e["process_count"]
        and e["helper_share"] >= threshold("helper_share")
        and e["helper_lifetime_s"] <= threshold("helper_lifetime_s")
    )


def paging(e: dict[str, Any]) -> bool:
    if (e["memory_stall_share"] or 0.0) >= threshold("memory_stall"):
        return True
    short = (e["memory_limit_share"] or 0.0) >= threshold("memory_tight") or bool(
        e["host_memory_short"]
    )
    return (
        short
        and (e["major_faults"] or 0) >= threshold("major_faults")
        and (e["major_faults_per_s"] or 0.0) >= threshold("major_faults_per_s")
    )


def likely(e: dict[str, Any], share: float | None, *, looked: bool = True) -> bool:
    """Whether a share of the wall time is more than half of it, as far as can be told."""
    if share is None:
        return False
    variance = threshold("share_error") ** 2
    if looked:
        inside = min(max(share, 0.0), 1.0)
        variance += inside * (1 - inside) / max(e["reading_count"] or 0, 1)
    return logistic((share - 0.5) / math.sqrt(variance)) >= threshold("confidence")


def logistic(z: float) -> float:
    return 1 / (1 + math.exp(-1.702 * min(max(z, -40.0), 40.0)))
