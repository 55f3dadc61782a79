"""What verdicts are made of: seconds and counts of each attempt, null where nothing was measured.

All columns but the keys add up, or have a largest value, over attempts: the same verdict can then
be computed for a step, from the sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.analysis.attempts import attempts
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.tables import Relations, attempt_key
from tracer_hooks.analysis.thresholds import threshold

if TYPE_CHECKING:
    import ibis.expr.types as ir

# What is added up over attempts, and what is not: the most of it counts.
SUMS = (
    "wall_s", "known_s", "cpu_part_s", "runnable_part_s", "disk_part_s", "network_part_s",
    "idle_part_s", "kernel_part_s", "cpu_s", "asked_s", "asked_cpu_s", "reading_count",
    "process_count", "short_process_count", "helper_count", "helper_cpu_s", "helper_s",
    "major_faults", "memory_stall_s", "throttled_s", "network_bytes", "oom_count",
    "elsewhere_count",
)  # fmt: skip
LARGEST = (
    "threads_peak", "memory_peak_bytes", "memory_limit_share", "host_memory_short",
)  # fmt: skip


def inputs(t: Relations) -> ir.Table:
    """One row per attempt: `step`, `started_at`, `ended_at`, its key, and the columns named above.

    `<part>_part_s`: wall time by what the tree did; where it is not known which of the time asleep
    was for the network, `network_part_s` is null and `idle_part_s` holds both. `kernel_part_s`: the
    part of `cpu_part_s` that the kernel computed. `known_s`: the parts together. `helper_*`: tools
    whose processes mostly lived shorter than one polling interval, and the CPU of no named process.
    `memory_stall_s`: swap, reclaim and thrashing as the kernel counted them. `memory_limit_share`:
    the peak as a share of the control group's limit.
    """
    # Verdicts of attempts and of steps are made of it: computed once.
    return t.derived("verdict_inputs", _inputs)


def _inputs(t: Relations) -> ir.Table:
    a = attempts(t)
    key = attempt_key(a)
    a = _with(a, _helpers(t), key)
    a = _with(a, _told(t), key)
    a = _with(a, _short_hosts(t), ["run_id", "host"])
    blind = a.wall_network_s.isnull()
    idle = a.wall_idle_s
    cpu, runnable, disk = a.wall_cpu_s, a.wall_runnable_s, a.wall_disk_s
    asked = a.cpus_requested.nullif(0.0)
    timed = ibis.ifelse(a.cpu_s.notnull(), a.wall_s, ibis.null("float64"))
    # Helpers that no look saw: what is known of them is the CPU of no named process.
    estimated = (a.process_count_source == "estimated").fill_null(False)
    unnamed = ibis.ifelse(estimated, a.cpu_unattributed_s, ibis.null("float64"))
    rows = a.select(
        "step", "started_at", "ended_at", *key,
        wall_s=a.wall_s,
        known_s=cpu + runnable + disk + idle + a.wall_network_s.fill_null(0.0),
        cpu_part_s=cpu,
        runnable_part_s=runnable,
        disk_part_s=disk,
        network_part_s=ibis.ifelse(blind, ibis.null("float64"), a.wall_network_s),
        idle_part_s=idle,
        kernel_part_s=cpu * at_most(a.cpu_system_s / a.cpu_s.nullif(0.0), 1.0),
        cpu_s=a.cpu_s,
        asked_s=asked * timed,
        asked_cpu_s=ibis.ifelse(asked.isnull(), ibis.null("float64"), a.cpu_s),
        reading_count=a.reading_count,
        process_count=a.process_count,
        short_process_count=a.short_process_count,
        helper_count=ibis.ifelse(estimated, a.short_process_count, a.helper_count),
        helper_cpu_s=ibis.coalesce(a.helper_cpu_s + unnamed.fill_null(0.0), unnamed),
        helper_s=ibis.coalesce(a.helper_wall_s + unnamed.fill_null(0.0), unnamed),
        major_faults=a.major_faults,
        memory_stall_s=a.memory_stall_s,
        throttled_s=a.throttled_s,
        network_bytes=a.network_rx_bytes + a.network_tx_bytes,
        oom_count=ibis.greatest(
            a.oom_count.fill_null(0), (a.failure_cause == "oom").fill_null(False).cast("int64")
        ),
        elsewhere_count=a.elsewhere.cast("int64"),
        threads_peak=a.threads_peak,
        memory_peak_bytes=a.memory_peak_bytes,
        memory_limit_share=a.memory_peak_bytes / a.memory_limit_bytes.nullif(0),
        host_memory_short=a.host_memory_short,
    )  # fmt: skip
    # What a broken store holds as no number is not known; in comparisons it would be the largest.
    broken = {
        name: ibis.ifelse(rows[name].isnan() | rows[name].isinf(), ibis.null("float64"), rows[name])
        for name, kind in rows.schema().items()
        if kind.is_floating()
    }
    return rows.mutate(**broken)


def at_most(value: ir.NumericValue, limit: float) -> ir.NumericValue:
    """The smaller of both; null stays null, which `ibis.least` passes over."""
    return ibis.ifelse(value > limit, limit, value)


def _with(left: ir.Table, right: ir.Table, keys: list[str]) -> ir.Table:
    """`left` with the other columns of `right`, which has at most one row for each key."""
    keys = [key for key in keys if key in left.columns and key in right.columns]
    # Two null spools are two unknown files; the other keys are then enough.
    same = [left[key].identical_to(right[key]) for key in keys]
    more = [right[name] for name in right.columns if name not in keys]
    return left.left_join(right, same).select(left, *more)


def _helpers(t: Relations) -> ir.Table:
    tools = t["tools"]
    short = tools.filter(
        (tools.short_count > 0) & (tools.short_count >= threshold("short_share") * tools["count"])
    )
    return short.group_by(attempt_key(tools)).agg(
        helper_count=short["count"].sum(),
        helper_cpu_s=short.cpu_s.sum(),
        helper_wall_s=short.wall_s.sum(),
    )


def _told(t: Relations) -> ir.Table:
    """What events say of an attempt; a detail of another version, or a broken one, says nothing."""
    events = t["events"]

    def figure(kind: str, name: str) -> ir.FloatingColumn:
        found = events.detail.re_extract(f'"{name}": *([0-9][0-9.eE+-]*)', 1).try_cast("float64")
        return ibis.ifelse(events.kind == kind, found, ibis.null("float64"))

    stalls = [figure("delays", f"{what}_s") for what in ("swap", "reclaim", "thrashing")]
    known = ibis.coalesce(*stalls)
    stall = sum((one.fill_null(0.0) for one in stalls), ibis.literal(0.0))
    return events.group_by(attempt_key(events)).agg(
        memory_stall_s=ibis.ifelse(known.isnull(), ibis.null("float64"), stall).sum(),
        throttled_s=figure("throttled", "seconds").max(),
        memory_limit_bytes=figure("limit", "memory_bytes").min(),
        oom_count=(events.kind == "oom").sum(),
    )


def _short_hosts(t: Relations) -> ir.Table:
    """Whether a host had next to no memory left, or swapped out, while the run was there."""
    hosts = t["hosts"]
    free = (hosts.memory_available_bytes / hosts.memory_total_bytes.nullif(0)).min()
    swapped = hosts.swap_used_bytes.max() - hosts.swap_used_bytes.min()
    short = (free < threshold("host_memory_free")) | (swapped >= threshold("swap_grown_bytes"))
    return hosts.group_by("run_id", "host").agg(host_memory_short=short.cast("int64"))
