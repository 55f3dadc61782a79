"""What hosts cost, and what of it no task had: idle. Where tasks together were allocated more
than the host costs (it was oversubscribed), all of them are scaled down to its cost.

A host's window goes from the start of the first attempt on it to the end of the last, whichever
runs they belong to. It ends where nothing ran on it for an hour: then it is taken to have been
given back, and a run that is resumed a week later is not charged for the week.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.analysis.cost_attempts import PARTS, priced_attempts
from tracer_hooks.analysis.later import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from tracer_hooks.analysis.tables import Relations

GIVEN_BACK_S = 3600.0


def billed_attempts(t: Relations, gpus: bool, hosts: bool) -> ir.Table:
    """`priced_attempts`, scaled where their host was oversubscribed, with `failed` (what a wasted
    attempt cost, else 0), `window_cost` (what the host cost, on the first attempt of its window and
    null on others, so that it adds up) and `hosted` (what is to be set against that).

    `gpus`: whether GPUs have a price, `hosts`: whether any whole host has one.
    """
    a = priced_attempts(t, gpus)
    if hosts:
        a = _scaled(a)
    else:
        a = a.mutate(window_cost=ibis.null("float64"), hosted=ibis.null("float64"))
    return a.mutate(failed=a.wasted.ifelse(a.allocated, a.allocated * 0.0))


def _scaled(a: ir.Table) -> ir.Table:
    known = a.host_rate.notnull() & a.start_s.notnull() & a.end_s.notnull()
    a = a.mutate(host_known=known)
    a = a.mutate(host_key=a.host_known.ifelse(a.host.fill_null(""), ibis.null("string")))
    before = ibis.window(group_by=_host(a), order_by=a.start_s, preceding=(None, 1))
    a = a.mutate(ended_before_s=a.end_s.max().over(before))
    begins = a.ended_before_s.isnull() | (a.start_s > a.ended_before_s + GIVEN_BACK_S)
    a = a.mutate(begins=begins.cast("int64"))
    # By range, not by row: attempts that start at once are in no order.
    so_far = ibis.window(group_by=_host(a), order_by=a.start_s, range=(None, 0))
    a = a.mutate(window=a.begins.sum().over(so_far))
    whole = ibis.window(group_by=[*_host(a), a.window])
    seconds = a.end_s.max().over(whole) - a.start_s.min().over(whole)
    a = a.mutate(
        host_cost=a.host_rate * seconds / 3600.0, window_allocated=a.allocated.sum().over(whole)
    )
    over = (a.host_known & (a.window_allocated > a.host_cost)).fill_null(False)
    scale = over.ifelse(a.host_cost / a.window_allocated.nullif(0.0), ibis.literal(1.0))
    a = a.mutate(allocated=a.allocated * scale, **{part: a[part] * scale for part in PARTS})
    nothing = ibis.null("float64")
    return a.mutate(
        window_cost=(a.host_known & (a.begins == 1)).ifelse(a.host_cost, nothing),
        hosted=a.host_known.ifelse(a.allocated, nothing),
    ).drop("ended_before_s", "begins", "window_allocated", "host_key", "host_cost", "window")


def _host(a: ir.Table) -> list[ir.Value]:
    """What makes a host one: its name, in whichever run, at one price."""
    return [a.host_key, a.host_rate]
