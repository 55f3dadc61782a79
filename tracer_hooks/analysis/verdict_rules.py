"""The rules of a verdict as one Ibis expression: evidence from the inputs, a label from that.

How sure a share of the wall time is: processor time is exact, what a tree waited for was seen at
so many looks, and either can be off by what the kernel counts elsewhere. Share p of n looks has a
standard error of sqrt(p (1 - p) / n); the confidence that it is more than half is the logistic
approximation of the normal distribution's, 1 / (1 + exp(-1.702 z)) (the constant of Haley 1952).
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.thresholds import threshold
from tracer_hooks.analysis.verdict_inputs import at_most

if TYPE_CHECKING:
    import ibis.expr.types as ir

# The columns of evidence: shares are of `wall_s`, null where it was not measured.
EVIDENCE = (
    "wall_s", "cpu_share", "runnable_share", "disk_share", "network_share", "idle_share",
    "kernel_share", "active_share", "disk_work_share", "network_work_share",
    "contended_share", "cores_mean", "cpus_requested", "cores_when_free", "threads_peak",
    "throttled_s", "reading_count", "process_count", "short_process_count", "helper_count",
    "helper_share", "helper_lifetime_s", "major_faults", "major_faults_per_s",
    "memory_work_share", "memory_stall_share", "memory_peak_bytes", "memory_limit_share",
    "host_memory_short",
    "network_bytes_per_s", "oom_count", "reason",
)  # fmt: skip
_LOGISTIC = 1.702  # of the normal distribution's function, off by less than 0.0095


def judged(table: ir.Table) -> ir.Table:
    """The inputs of `verdict_inputs`, with the evidence, `label` and `confidence`."""
    return _labelled(_measured(table))


def _measured(i: ir.Table) -> ir.Table:
    whole = i.known_s.nullif(0.0)
    shared = i.mutate(
        **{f"{part}_share": i[f"{part}_part_s"] / whole
           for part in ("cpu", "runnable", "disk", "network", "idle", "kernel")},
        cores_mean=i.cpu_s / i.wall_s.nullif(0.0),
        cpus_requested=i.asked_s / i.wall_s.nullif(0.0),
        helper_share=ibis.greatest(i.helper_cpu_s / i.cpu_s.nullif(0.0),
                                   at_most(i.helper_s / whole, 1.0)),
        # No less than the CPU time of each.
        helper_lifetime_s=ibis.coalesce(i.helper_s, i.helper_cpu_s) / i.helper_count.nullif(0),
        major_faults_per_s=i.major_faults / whole,
        memory_stall_share=i.memory_stall_s / whole,
        network_bytes_per_s=i.network_bytes / i.network_part_s.nullif(0.0),
    )  # fmt: skip
    # What the kernel computes for a disk or a connection is part of that work: at most as much as
    # the wait, and shared between the two as the waits are.
    waits = shared.disk_share + shared.network_share.fill_null(0.0)
    for_io = ibis.least(shared.kernel_share.fill_null(0.0), waits)
    each = for_io / waits.nullif(0.0)
    ready = shared.cpu_share + shared.runnable_share
    return shared.mutate(
        active_share=ready - for_io,
        disk_work_share=shared.disk_share * (1 + each.fill_null(0.0)),
        network_work_share=shared.network_share * (1 + each.fill_null(0.0)),
        # To bring pages back is the disk's work, and the kernel's, which also finds room for them.
        memory_work_share=shared.disk_share + shared.kernel_share,
        contended_share=shared.runnable_share / ready.nullif(0.0),
        cores_when_free=shared.cores_mean / (1 - shared.runnable_share).nullif(0.0),
    )


def _labelled(e: ir.Table) -> ir.Table:
    sure = {
        "active": _sure(e, e.active_share, seen=False),
        "disk": _sure(e, e.disk_work_share),
        "network": _sure(e, e.network_work_share),
        "idle": _sure(e, e.idle_share),
    }
    sure_memory = _sure(e, e.memory_work_share)
    least = threshold("confidence")
    active, disk, network, idle = (
        (sure[name] >= least).fill_null(False) for name in ("active", "disk", "network", "idle")
    )
    contended = _beyond(e.contended_share, threshold("contended"))
    churning, moving = _churning(e), e.network_bytes_per_s >= threshold("network_bytes_per_s")
    blind = e.network_share.isnull()
    elsewhere = (e.elsewhere_count > 0).fill_null(False)
    rules: list[tuple[ir.BooleanValue, str, ir.FloatingValue | float]] = [
        # The kernel said so.
        ((e.oom_count > 0).fill_null(False), "memory_bound", 0.95),
        (e.known_s.isnull() | e.cpu_share.isnull(), "uncertain", threshold("confidence_most")),
        (e.wall_s < threshold("too_short_s"), "too_short", 0.95),
        (_paging(e) & (sure_memory >= least), "memory_bound", sure_memory),
        (active & churning, "process_churn", ibis.least(sure["active"], _sure_churn(e))),
        (active & (contended >= least), "cpu_contended", ibis.least(sure["active"], contended)),
        (active & (contended > 1 - least).fill_null(False), "uncertain", 0.5),
        (active & _underused(e), "cpu_underused", sure["active"]),
        (active, "cpu_bound", ibis.least(sure["active"], 1 - contended.fill_null(0.0))),
        (disk, "disk_bound", sure["disk"]),
        ((idle | network) & elsewhere, "uncertain", ibis.greatest(sure["idle"], sure["network"])),
        (network & moving.fill_null(False), "network_bound", sure["network"]),
        (network & moving.notnull(), "idle", sure["network"]),
        (network, "uncertain", sure["network"]),
        (idle & ~blind, "idle", sure["idle"]),
        (idle, "uncertain", sure["idle"]),
    ]
    largest = ibis.greatest(*(one.fill_null(0.0) for one in sure.values()))
    label = ibis.cases(*((test.fill_null(False), name) for test, name, _ in rules),
                       else_="uncertain")  # fmt: skip
    confidence = ibis.cases(
        *((test.fill_null(False), ibis.literal(value) if isinstance(value, float) else value)
          for test, _, value in rules),
        else_=1 - largest,
    )  # fmt: skip
    reason = ibis.cases(
        ((label == "too_short") & elsewhere, "elsewhere"),
        (label != "uncertain", ibis.null("string")),
        (e.known_s.isnull() | e.cpu_share.isnull(), "not_measured"),
        (active, "near_contention"),
        ((idle | network) & elsewhere, "elsewhere"),
        (network, "network_bytes_unknown"),
        (idle & blind, "network_unknown"),
        else_="mixed",
    )
    return e.mutate(
        label=label, confidence=ibis.least(confidence, threshold("confidence_most")), reason=reason
    )


def _sure(e: ir.Table, share: ir.FloatingValue, *, seen: bool = True) -> ir.FloatingValue:
    """How sure it is that a share of the wall time is more than half of it."""
    systematic = threshold("share_error") ** 2
    looks = ibis.greatest(e.reading_count.fill_null(0), 1)
    bounded = ibis.least(ibis.greatest(share, 0.0), 1.0)
    variance = bounded * (1 - bounded) / looks + systematic if seen else ibis.literal(systematic)
    return _logistic((share - 0.5) / variance.sqrt())


def _beyond(value: ir.FloatingValue, limit: float) -> ir.FloatingValue:
    return _logistic((value - limit) / threshold("share_error"))


def _logistic(z: ir.FloatingValue) -> ir.FloatingValue:
    return 1 / (1 + (-_LOGISTIC * ibis.least(ibis.greatest(z, -40.0), 40.0)).exp())


def _churning(e: ir.Table) -> ir.BooleanValue:
    return reduce(
        lambda one, other: one & other,
        (
            (e.short_process_count >= threshold("short_count")).fill_null(False),
            (e.short_process_count >= threshold("short_share") * e.process_count).fill_null(False),
            (e.helper_share >= threshold("helper_share")).fill_null(False),
            (e.helper_lifetime_s <= threshold("helper_lifetime_s")).fill_null(False),
        ),
    )


def _sure_churn(e: ir.Table) -> ir.FloatingValue:
    return ibis.greatest(
        _beyond(e.helper_share, threshold("helper_share")), threshold("confidence")
    )


def _underused(e: ir.Table) -> ir.BooleanValue:
    asked, used = e.cpus_requested, e.cores_when_free
    return (
        (asked >= threshold("cores_asked"))
        & (used < threshold("cores_used") * asked)
        & (asked - used >= threshold("cores_idle"))
    ).fill_null(False)


def _paging(e: ir.Table) -> ir.BooleanValue:
    """Pages come back from the disk because memory is short: it has to be both."""
    faults = (e.major_faults >= threshold("major_faults")) & (
        e.major_faults_per_s >= threshold("major_faults_per_s")
    )
    short = (e.memory_limit_share >= threshold("memory_tight")).fill_null(False) | (
        e.host_memory_short > 0
    ).fill_null(False)
    stalled = e.memory_stall_share >= threshold("memory_stall")
    return (faults.fill_null(False) & short) | stalled.fill_null(False)
