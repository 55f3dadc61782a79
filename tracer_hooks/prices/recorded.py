"""Which machine a run's tasks ran on, kept with the run: an event `instance` for each host.

It is asked for when a run is closed or read, never beside a task, and only about tasks that ran on
this very machine since it booted: a report made elsewhere, or after the machine was started anew
as another type under the same name, says nothing of where a run once was.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from tracer_hooks.prices.metadata import cloud, this_instance
from tracer_hooks.supervisor import identifiers

if TYPE_CHECKING:
    from tracer_hooks.prices.instance import Instance
    from tracer_hooks.store import Store

EVENT = "instance"
_NOW_OR_LATER = 10  # seconds by which two clocks of one machine may differ


def record_instance(store: Store, run_id: str) -> bool:
    """Keep what machine this is with the run, if its tasks ran here; True if that was written.

    Never raises for what the machine or its cloud does not say; OSError if the store can't be
    written.
    """
    provider = cloud()
    if provider is None:
        return False
    host = os.uname().nodename
    if not _ran_here(store, run_id, host) or _known(store, run_id, host):
        return False
    instance = this_instance(provider)
    if instance is None:
        return False
    _write(store.path, run_id, host, instance)
    return True


def _ran_here(store: Store, run_id: str, host: str) -> bool:
    booted = _booted_at()
    if booted is None:
        return False
    tasks = store.table("tasks", run_id, ["host", "started_at"])
    since = dt.datetime.fromtimestamp(booted - _NOW_OR_LATER, dt.timezone.utc)
    mine = pc.and_(pc.equal(tasks["host"], host), pc.greater_equal(tasks["started_at"], since))
    others = pc.and_(pc.equal(tasks["host"], host), pc.less(tasks["started_at"], since))
    return bool(pc.any(mine).as_py()) and not pc.any(others).as_py()


def _known(store: Store, run_id: str, host: str) -> bool:
    events = store.table("events", run_id, ["kind", "detail"])
    said = events.filter(pc.equal(events["kind"], EVENT))["detail"].to_pylist()
    return any(_host_of(detail) == host for detail in said)


def _host_of(detail: str | None) -> Any:
    try:
        return json.loads(detail or "{}").get("host")
    except (ValueError, AttributeError):
        return None


def _write(store: Path, run_id: str, host: str, instance: Instance) -> None:
    folder = store / "spool" / identifiers.escape(run_id, identifiers.MAX_RUN_ID)
    folder.mkdir(parents=True, exist_ok=True)
    detail = {
        "host": host,
        "provider": instance.provider,
        "region": instance.region,
        "instance_type": instance.sku,
        "purchase": instance.purchase,
        "source": instance.source,
    }
    lines = [
        {"t": "e", "at": time.time(), "kind": EVENT, "detail": detail},
        {"t": "run_end"},  # nothing more will come of this file
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    # In one write: a reader sees all of it, or nothing.
    with (folder / f"@run.{identifiers.unique(host)}.jsonl").open("ab", buffering=0) as file:
        file.write(text.encode("ascii"))


def _booted_at() -> float | None:
    try:
        rows = Path("/proc/stat").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((float(row.split()[1]) for row in rows if row.startswith("btime ")), None)
