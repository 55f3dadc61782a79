"""What a host dashboard showed, beside what the tasks did in the same time.

A dashboard scrapes each host every so many seconds: it sees utilisation, and of processes only
those that happen to live at a scrape. The tasks' own figures say what that load was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis import signals
from tracer_hooks.analysis.attempts import WAITS, attempts
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.tables import Relations, Tables, attempt_key, relations
from tracer_hooks.analysis.times import epoch_s
from tracer_hooks.analysis.usage import counted_exactly, totals

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

SCRAPE_S = 15.0  # what Prometheus sets out with is 60; 15 is what its documentation shows


def dashboard(
    tables: Tables,
    scrape_s: float = SCRAPE_S,
    of_run: Mapping[str, Any] | None = None,
    of_hosts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A dict of plain values; None for what was not measured.

    Of the hosts, while the run was there: `host_count`, `host_busy_share`, `host_iowait_share`,
    `host_cpu_busy_s`. Of the tasks' wall time: `tasks_<part>_share`; `tasks_of_busy_share`: the
    run's part of the hosts' busy CPU time. Of helpers, which are all processes of an attempt but
    its first: `helper_count` lived shorter than `scrape_s`; `helper_s` and `helper_share` is the
    wall time of attempts in which at least one of them was alive, `helper_cpu_s` and
    `helper_cpu_share` the CPU that they used. `helpers_exact`: every process was seen; else
    these are lower bounds. `of_run`: `usage.totals`, `of_hosts`: `signals.hosts`, if at
    hand.
    """
    t = relations(tables)
    hosts = signals.hosts(t) if of_hosts is None else of_hosts
    sums = totals(t) if of_run is None else of_run
    helpers = t.record(_helpers, scrape_s)
    busy, used = hosts["cpu_busy_s"], sums["cpu_s"]
    return {
        "scrape_s": scrape_s,
        "host_count": hosts["host_count"],
        "host_busy_share": hosts["busy_share"],
        "host_iowait_share": hosts["iowait_share"],
        "host_cpu_busy_s": busy,
        **{f"tasks_{part}_share": sums[f"{part}_share"] for part in WAITS},
        "tasks_of_busy_share": used / busy if busy and used is not None else None,
        **helpers,
        "helper_share": _ratio(helpers["helper_s"], sums["wall_s"]),
        "helper_cpu_share": _ratio(helpers["helper_cpu_s"], used),
    }


def _helpers(t: Relations, scrape_s: float) -> ir.Table:
    """One row: what processes shorter than a scrape were and took, over all attempts."""
    rows, folded, a = _rows(t, scrape_s), _folded(t, scrape_s), attempts(t)
    keys = attempt_key(a)
    a = a.select(*keys, "wall_s", "process_count_source")
    joined = _joined(_joined(a, rows, keys), folded, keys)
    alive = joined.alive_s.fill_null(0.0) + joined.folded_s.fill_null(0.0)
    seen = joined.row_count.notnull() | joined.folded_count.notnull()
    # What ran side by side counts once among the rows; those folded cannot be told.
    helped = ibis.ifelse(seen, ibis.least(alive, joined.wall_s), ibis.null("float64"))
    count = joined.row_count.fill_null(0) + joined.folded_count.fill_null(0)
    cpu = joined.row_cpu_s.fill_null(0.0) + joined.folded_cpu_s.fill_null(0.0)
    return joined.agg(
        helper_count=ibis.ifelse(seen, count, ibis.null("int64")).sum(),
        helper_s=helped.sum(),
        helper_cpu_s=ibis.ifelse(seen, cpu, ibis.null("float64")).sum(),
        helpers_exact=counted_exactly(joined).all(),
    )


def _rows(t: Relations, scrape_s: float) -> ir.Table:
    """Per attempt: helpers that have a row, and the time in which one was alive."""
    p = t["processes"]
    key = attempt_key(p)
    known = p.filter(p.started_at.notnull() & p.ended_at.notnull() & p.parent_id.notnull())
    timed = known.select(
        *key, "process_id", "cpu_s", began=epoch_s(known.started_at), ended=epoch_s(known.ended_at)
    )
    short = timed.filter(timed.ended - timed.began < scrape_s)
    earlier = ibis.window(
        group_by=key, order_by=["began", "ended", "process_id"], preceding=(None, 1)
    )
    until = short.mutate(covered=short.ended.max().over(earlier))
    since = ibis.greatest(until.began, until.covered.fill_null(until.began))
    counted = until.mutate(alive=ibis.greatest(0.0, until.ended - since))
    every = p.group_by(key).agg(any_count=p.count())
    found = counted.group_by(key).agg(
        short_rows=counted.count(), alive_s=counted.alive.sum(), row_cpu_s=counted.cpu_s.sum()
    )
    both = _joined(every, found, key)
    return both.select(*key, "alive_s", "row_cpu_s", row_count=both.short_rows.fill_null(0))


def _folded(t: Relations, scrape_s: float) -> ir.Table:
    """Per attempt: helpers that were too many for a row each. What has rows is taken off."""
    tools, p = t["tools"], t["processes"]
    key = attempt_key(tools)
    lived = epoch_s(p.ended_at) - epoch_s(p.started_at)
    named = p.group_by([*key, "tool"]).agg(named_s=lived.sum(), named_cpu_s=p.cpu_s.sum())
    many = tools.filter(tools.folded_count > 0).select(
        *key, "tool", "folded_count", "wall_s", "cpu_s"
    )
    rest = _joined(many, named, [*key, "tool"])
    left = rest.mutate(
        wall=ibis.greatest(0.0, rest.wall_s - rest.named_s.fill_null(0.0)),
        cpu=ibis.greatest(0.0, rest.cpu_s - rest.named_cpu_s.fill_null(0.0)),
    )
    short = left.filter(left.wall / left.folded_count < scrape_s)
    return short.group_by(key).agg(
        folded_count=short.folded_count.sum(),
        folded_s=short.wall.sum(),
        folded_cpu_s=short.cpu.sum(),
    )


def _joined(left: ir.Table, right: ir.Table, keys: list[str]) -> ir.Table:
    same = [left[key].identical_to(right[key]) for key in keys]
    return left.left_join(right, same).select(
        left, *(right[name] for name in right.columns if name not in left.columns)
    )


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
