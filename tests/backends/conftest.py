"""A small store: a run with every kind of row, one more beside it, and an attempt that waits."""

from __future__ import annotations

import pyarrow.compute as pc
import pytest
from analysis.synthetic import RUN, one_task, sequencing_run, table
from store import spools

from tracer_hooks.store import Store
from tracer_hooks.store.layout import Layout
from tracer_hooks.store.parts import write_part
from tracer_hooks.store.schema import TABLES

OTHER = "with space, é and {braces}"


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = tmp_path_factory.mktemp("a {store} with [any] name*")
    events = [
        {"task_id": "align/S01", "attempt": 1, "kind": kind, "detail": detail, "spool": "e"}
        for kind, detail in (
            ("degraded", '{"what": "perf", "why": "12345 records"}'),
            ("degraded", "no JSON"),
            ("oom", '{"killed": "python"}'),
            ("throttled", "{}"),
            ("network_unattributed", '{"rx_bytes": 12, "tx_bytes": 3}'),
        )
    ]
    layout = Layout(path)
    for run_id, tables in ((RUN, {**sequencing_run(), "events": table("events", events)}),
                           (OTHER, one_task())):  # fmt: skip
        for name, rows in tables.items():
            held = pc.unique(rows["spool"]).to_pylist()
            part = rows.select(TABLES[name].names)
            write_part(layout.partition(name, run_id), name, [part], [s or "none" for s in held])
    spools.write(path, spools.attempt("waits", RUN))
    return Store(path)
