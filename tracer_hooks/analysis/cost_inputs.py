"""Which hosts a run had, and what is known of them: what prices are looked up by."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import Relations, records
from tracer_hooks.prices.instance import Instance, provider_name
from tracer_hooks.prices.rates import Host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import ibis.expr.types as ir

# Of the event that says what machine a host is; `tracer_hooks.prices.recorded` writes it.
INSTANCE_EVENT = "instance"


def hosts_of(t: Relations, instances: Mapping[str | None, Instance]) -> list[Host]:
    """Each run's hosts. `instances`: what the user says of hosts, by name; None: of all others.

    The user's word wins over what was recorded on the host.
    """
    recorded = dict(_recorded(records(t.frame(_instances))))
    return [
        Host(
            row["run_id"],
            row["host"],
            instances.get(row["host"])
            or instances.get(None)
            or recorded.get((row["run_id"], row["host"])),
        )
        for row in records(t.frame(_hosts))
    ]


def measured(t: Relations, hosts: list[Host]) -> list[Host]:
    """The same hosts with how many CPUs and how much memory was seen there."""
    sizes = {(row["run_id"], row["host"]): row for row in records(t.frame(_sizes))}
    return [
        replace(host, cpus=row["cpus"], memory_gib=row["memory_gib"]) if row else host
        for host, row in ((host, sizes.get((host.run_id, host.name))) for host in hosts)
    ]


def _hosts(t: Relations) -> ir.Table:
    return t["tasks"].select("run_id", "host").distinct().order_by("run_id", "host")


def _sizes(t: Relations) -> ir.Table:
    hosts = t["hosts"]
    return hosts.group_by("run_id", "host").agg(
        cpus=hosts.cpu_count.max().cast("float64"),
        memory_gib=hosts.memory_total_bytes.max() / 1024.0**3,
    )


def _instances(t: Relations) -> ir.Table:
    events = t["events"]
    return events.filter(events.kind == INSTANCE_EVENT).select("run_id", "detail", "at")


def _recorded(events: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, str], Instance]]:
    """By run and host; a later event wins."""
    for event in sorted(events, key=lambda event: (event["at"] is not None, event["at"])):
        try:
            said = json.loads(event["detail"] or "{}")
            host, sku = said["host"], said["instance_type"]
        except (ValueError, KeyError, TypeError):
            continue  # from another version
        texts = {key: said.get(key) for key in ("region", "provider", "purchase", "source")}
        if not all(isinstance(value or "", str) for value in (host, sku, *texts.values())):
            continue
        provider = texts["provider"]
        yield (
            (event["run_id"], host),
            Instance(
                sku,
                texts["region"],
                provider_name(provider) if provider else None,
                texts["purchase"] or "Standard",
                texts["source"] or "recorded",
            ),
        )
