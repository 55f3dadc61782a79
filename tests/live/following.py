"""A store that is written like a supervisor writes it, and a watcher that follows it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.store import spools
from tracer_hooks.alert.rules import Measure, rule_table
from tracer_hooks.live import catch_up, ingested
from tracer_hooks.live.cost import Prices
from tracer_hooks.live.families import families
from tracer_hooks.live.state import State
from tracer_hooks.live.watcher import Watcher
from tracer_hooks.prices.rates import Pricing
from tracer_hooks.store import Store
from tracer_hooks.tools import default_rules

MEASURE: Measure = rule_table().measure
NOW = spools.START + 100.0


def watcher(store: Path, measure: Measure = MEASURE, **how: Any) -> Watcher:
    """A new watcher on the state that is kept in the store."""
    prices = Prices(how.pop("pricing", Pricing()))
    return Watcher(store, State(store / ".serve"), prices, measure, default_rules(), **how)


@contextmanager
def watched(store: Path, **how: Any) -> Iterator[Watcher]:
    """The same, closed at the end."""
    found = watcher(store, **how)
    try:
        yield found
    finally:
        found.close()


def crash(found: Watcher) -> None:
    """End it as kill -9 would: what was not committed is gone."""
    found.close()


def append(path: Path, *lines: dict[str, Any], torn: bytes = b"") -> None:
    """What a supervisor flushes."""
    with path.open("ab") as file:
        file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines) + torn)


def ingest(store: Path) -> None:
    """What the end of a run does."""
    Store(store, on_warning=spools.ignore).ingest()


def value(found: Watcher, name: str, hold_s: float = 0.0, **labels: str) -> float | None:
    """The sum of a metric's points that have these labels; None if there is none."""
    points = [
        point.value
        for family in families(found.snapshot(), found.ledger.groups, hold_s)
        for point in family.points
        if family.metric.name + point.suffix == name
        and all(dict(point.labels).get(key) == wanted for key, wanted in labels.items())
    ]
    return sum(points) if points else None


def in_this_process(monkeypatch: Any) -> None:
    """Parquet is looked through here, and at every look: a process takes a second to start."""

    def uncounted(store: Path, state: Path, run_ids: Any) -> Iterator[dict[str, Any]]:
        database = sqlite3.connect(f"file:{state}?mode=ro", uri=True)

        def counted(run_id: str, stem: str) -> bool:
            key = ingested.identity(run_id, stem)
            return bool(database.execute("SELECT 1 FROM counted WHERE id=?", (key,)).fetchone())

        for run_id in run_ids:
            reader = Store(store, on_warning=spools.ignore)
            for kind, row in ingested._missing(reader, run_id, counted):
                yield json.loads(json.dumps({kind: row}, default=ingested._plain))
        database.close()

    monkeypatch.setattr(catch_up, "uncounted", uncounted)
    monkeypatch.setattr(catch_up, "_EVERY_S", 0.0)
    monkeypatch.setattr(catch_up, "_LISTED_EVERY_S", 0.0)
