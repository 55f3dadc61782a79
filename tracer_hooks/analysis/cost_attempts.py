"""What each attempt cost, before its host's bill is looked at (DESIGN 9), as Ibis expressions.

An attempt has three amounts of each resource, in core-hours, GiB-hours and GPU-hours:

- allocated: the larger of what was asked for and what was used,
- needed: the larger of observed peak x (1 + margin) and what was used, no more than allocated,
- used.

Each is priced and combined over the resources (added up, or the largest for the methods that charge
the dominant share), and the differences are the cost's parts:
allocated = useful + headroom + over_requested + unmeasured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.tables import Relations
from tracer_hooks.analysis.times import epoch_s

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

RATES = "cost_rates"
PARTS = ("useful", "headroom", "over_requested", "unmeasured")
GIB_SECONDS = 1024.0**3 * 3600.0  # bytes x seconds in a GiB-hour
GPU_TAG = "gpus"
_LOST = ("failed", "lost", "cancelled")
_COLUMNS = (
    "run_id", "pipeline", "step", "task_id", "attempt", "sample", "host", "status",
    "failure_cause", "exit_code", "signal", "spool",
    "started_at", "ended_at", "wall_s", "wall_cpu_s", "cpu_s", "cpu_unattributed_s",
    "threads_peak", "cpus_requested", "memory_requested_bytes", "memory_mean_bytes",
    "memory_peak_bytes", "tags",
)  # fmt: skip
_RATES = (
    "cpu_rate", "memory_rate", "gpu_rate", "cpu_capacity", "memory_capacity", "gpu_capacity",
    "dominant", "host_rate", "margin",
)  # fmt: skip


class Priced(Relations):
    """The store's tables, and beside them the prices of their hosts (`prices.rates.schema`)."""

    def __init__(self, tables: Relations, rates: pa.Table) -> None:
        super().__init__(tables._source, tables._run_id, tables._only)  # noqa: SLF001 - the same class
        self._rates = rates

    def __getitem__(self, name: str) -> ir.Table:
        """A table of the store, or the prices."""
        if name != RATES:
            return super().__getitem__(name)
        if self._memory is None:
            return ibis.memtable(self._rates)
        return ibis.table(ibis.Schema.from_pyarrow(self._rates.schema), name=RATES)

    def _load(self, name: str, *how: Any) -> Any:
        return self._rates if name == RATES else super()._load(name, *how)


def priced_attempts(t: Relations, gpus: bool) -> ir.Table:
    """One row per attempt: who, `allocated` and its PARTS in units of currency, null where there
    is no price; `wasted`: failed, lost, cancelled or repeated; `start_s`, `end_s` (UNIX seconds)
    and `host_rate`. `gpus`: whether GPUs have a price at all."""
    a = _amounts(t, gpus)
    terms = {kind: _combined(a, kind) for kind in ("allocated", "measured", "needed", "used")}
    a = a.mutate(**terms)
    # Nothing of it was measured: not 0 but unknown.
    known = a.allocated.notnull() & (a.cpu_used.notnull() | a.memory_used.notnull())
    return a.mutate(
        unmeasured=a.allocated - a.measured,
        over_requested=known.ifelse(a.measured - a.needed, ibis.null("float64")),
        headroom=known.ifelse(a.needed - a.used, ibis.null("float64")),
        useful=known.ifelse(a.used, ibis.null("float64")),
    ).drop("measured", "needed", "used")


def _amounts(t: Relations, gpus: bool) -> ir.Table:
    tasks, rates = _with_superseded(t["tasks"].select(*_COLUMNS)), t[RATES]
    prices = rates.select(rates_run=rates.run_id, rates_host=rates.host, **_columns(rates, _RATES))
    # A host that nobody named is one too, so nulls are to meet.
    same = [
        tasks.run_id.fill_null("") == prices.rates_run.fill_null(""),
        tasks.host.fill_null("") == prices.rates_host.fill_null(""),
    ]
    a = tasks.left_join(prices, same).drop("rates_run", "rates_host")
    seconds = epoch_s(a.ended_at) - epoch_s(a.started_at)
    a = a.mutate(
        start_s=epoch_s(a.started_at),
        lasted_s=a.wall_s.fill_null(seconds),
        gpus=_gpus(a) if gpus else ibis.literal(0.0),
    )
    hours = a.lasted_s / 3600.0
    mean_bytes = a.memory_mean_bytes.fill_null(a.memory_peak_bytes).cast("float64")
    peak_bytes = a.memory_peak_bytes.fill_null(a.memory_mean_bytes).cast("float64")
    a = a.mutate(
        hours=hours,
        end_s=a.start_s + a.lasted_s,
        cpu_asked=a.cpu_capacity.fill_null(a.cpus_requested) * hours,
        cpu_used=a.cpu_s / 3600.0,
        cpu_peak=_peak_cores(a) * hours,
        memory_asked=a.memory_capacity.fill_null(a.memory_requested_bytes / 1024.0**3) * hours,
        memory_used=mean_bytes * a.lasted_s / GIB_SECONDS,
        memory_peak=peak_bytes * a.lasted_s / GIB_SECONDS,
        gpu_asked=a.gpu_capacity.fill_null(a.gpus) * hours,
        gpu_used=ibis.null("float64"),
        gpu_peak=ibis.null("float64"),
        wasted=a.status.isin(_LOST).fill_null(False) | a.superseded,
    )
    for resource in ("cpu", "memory", "gpu"):
        a = a.mutate(**_resource(a, resource))
    return a


def _resource(a: ir.Table, name: str) -> dict[str, ir.Value]:
    """`allocated`, `measured` (as far as use is known), `needed`, `used` of a resource, priced."""
    rate, asked, used = a[f"{name}_rate"], a[f"{name}_asked"], a[f"{name}_used"]
    known = used.notnull()
    amount = ibis.greatest(asked.fill_null(used), used.fill_null(asked))
    peak = ibis.greatest(a[f"{name}_peak"].fill_null(0.0) * (1.0 + a.margin), used.fill_null(0.0))
    free = rate == 0.0  # what costs nothing may well be unknown
    return {
        f"{name}_allocated": free.ifelse(0.0, rate * amount),
        f"{name}_measured": (free | ~known).ifelse(0.0, rate * amount),
        f"{name}_needed": (free | ~known).ifelse(0.0, rate * ibis.least(peak, amount)),
        f"{name}_spent": (free | ~known).ifelse(0.0, rate * used),
    }


def _combined(a: ir.Table, kind: str) -> ir.Value:
    suffix = "spent" if kind == "used" else kind
    cpu, memory, gpu = (a[f"{name}_{suffix}"] for name in ("cpu", "memory", "gpu"))
    total = cpu + memory + gpu
    # The sum is null if any is: the largest of what is known would not be the largest.
    largest = total.isnull().ifelse(ibis.null("float64"), ibis.greatest(cpu, memory, gpu))
    return a.dominant.fill_null(False).ifelse(largest, total)


def _peak_cores(a: ir.Table) -> ir.Value:
    """Cores while computing: CPU seconds per second in which anything of it was on a CPU; no more
    than it had threads. The mean over all of its time, where that is not known."""
    busy = a.cpu_s / a.wall_cpu_s.nullif(0.0)
    threads = a.threads_peak.cast("float64").fill_null(busy)
    mean = a.cpu_s / a.lasted_s.nullif(0.0)
    return ibis.greatest(ibis.least(busy, threads).fill_null(mean), mean)


def _with_superseded(tasks: ir.Table) -> ir.Table:
    """With `superseded`: a later attempt at the same task was made. As `attempts` has it: a rerun
    may repeat the attempt number. Few tasks are tried twice, so only those are put in order."""
    seen = tasks.group_by("run_id", "task_id").agg(times=tasks.count())
    twice = seen.filter(seen.times > 1).select(twice_run="run_id", twice_task="task_id")
    again = tasks.inner_join(
        twice, [tasks.run_id == twice.twice_run, tasks.task_id == twice.twice_task]
    )
    newest_first = [again.attempt.desc(), again.started_at.desc(), again.spool.desc()]
    rank = ibis.row_number().over(group_by=[again.run_id, again.task_id], order_by=newest_first)
    again = again.select("run_id", "task_id", "attempt", "spool", rank=rank)
    old = again.filter(again.rank > 0).select(
        old_run=again.run_id, old_task=again.task_id, old_attempt=again.attempt,
        old_spool=again.spool.fill_null(""),
    ).distinct()  # fmt: skip
    same = [
        tasks.run_id == old.old_run,
        tasks.task_id == old.old_task,
        tasks.attempt == old.old_attempt,
        tasks.spool.fill_null("") == old.old_spool,
    ]
    joined = tasks.left_join(old, same)
    return joined.mutate(superseded=joined.old_run.notnull()).drop(
        "old_run", "old_task", "old_attempt", "old_spool"
    )


def _gpus(a: ir.Table) -> ir.Value:
    """What the tag `gpus` says was asked for; who asked for none, has none."""
    return a.tags.get(GPU_TAG, ibis.null("string")).try_cast("float64").fill_null(0.0)


def _columns(table: ir.Table, names: tuple[str, ...]) -> dict[str, ir.Value]:
    return {name: table[name] for name in names}
