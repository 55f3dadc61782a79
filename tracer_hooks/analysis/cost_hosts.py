"""What hosts cost, and what of it no task had: idle. Where tasks together were allocated more
than the host costs (it was oversubscribed), all of them are scaled down to its cost.

A host's window goes from the start of the first attempt on it to the end of the last, whichever
runs they belong to. It ends where nothing ran on it for an hour: then it is taken to have been
given back, and a run that is resumed a week later is not charged for the week.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from tracer_hooks.analysis.cost_attempts import PARTS, priced_attempts

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from tracer_hooks.analysis.tables import Relations

GIVEN_BACK_S = 3600.0


def billed_attempts(t: Relations, gpus: bool) -> ir.Table:
    """`priced_attempts`, scaled where their host was oversubscribed, with `failed` (what a wasted
    attempt cost, else 0), `host_cost` (of the window, on every attempt in it), `window_cost` (the
    same on the window's first attempt and null on others, so that it adds up) and `host_known`."""
    a = priced_attempts(t, gpus)
    a = a.mutate(host_known=a.host_rate.notnull() & a.start_s.notnull() & a.end_s.notnull())
    a = a.mutate(host_key=a.host_known.ifelse(a.host.fill_null(""), ibis.null("string")))
    host, order = _host(a), [a.start_s, a.end_s, a.run_id, a.task_id, a.spool]
    before = ibis.window(group_by=host, order_by=order, preceding=(None, 1))
    a = a.mutate(ended_before_s=a.end_s.max().over(before))
    begins = a.ended_before_s.isnull() | (a.start_s > a.ended_before_s + GIVEN_BACK_S)
    a = a.mutate(begins=begins.cast("int64"))
    order = [a.start_s, a.end_s, a.run_id, a.task_id, a.spool]
    so_far = ibis.window(group_by=_host(a), order_by=order, preceding=(None, 0))
    a = a.mutate(window=a.begins.sum().over(so_far))
    whole = ibis.window(group_by=[*_host(a), a.window])
    a = a.mutate(
        host_cost=a.host_rate * (a.end_s.max().over(whole) - a.start_s.min().over(whole)) / 3600.0,
        window_allocated=a.allocated.sum().over(whole),
    )
    over = a.host_known & (a.window_allocated > a.host_cost)
    scale = over.fill_null(False).ifelse(
        a.host_cost / a.window_allocated.nullif(0.0), ibis.literal(1.0)
    )
    a = a.mutate(
        allocated=a.allocated * scale, **{part: a[part] * scale for part in PARTS}, scale=scale
    )
    return a.mutate(
        failed=a.wasted.ifelse(a.allocated, a.allocated * 0.0),
        window_cost=(a.host_known & (a.begins == 1)).ifelse(a.host_cost, ibis.null("float64")),
        hosted=a.host_known.ifelse(a.allocated, ibis.null("float64")),
    ).drop("ended_before_s", "begins", "window_allocated", "host_key")


def _host(a: ir.Table) -> list[ir.Value]:
    """What makes a host one: its name, in whichever run, at one price."""
    return [a.host_key, a.host_rate]
