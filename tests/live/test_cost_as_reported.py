"""What `serve` counts of a run that has ended is what its report says, to the cent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.pricing import METHODS
from tests.live.following import NOW, value, watched
from tests.store import spools
from tracer_hooks.analysis.cost import cost
from tracer_hooks.store import Store

SEALED = [
    {},
    {"status": "failed", "cpu_s": 3.0, "memory_peak_bytes": 3 << 30},
    {"wall_s": 0.0, "cpu_s": 0.0},
    {"cpu_s": 5.0, "wall_cpu_s": 1.2, "threads_peak": 8, "memory_mean_bytes": 1 << 30},
]


@pytest.mark.parametrize("method", ["rates alone", "dominant_share", "resource_rates"])
def test_counters_and_report_agree(method: str, tmp_path: Path) -> None:
    for number, figures in enumerate(SEALED):
        # One after another: where they share a host, the report bills no more than the host.
        begin = spools.START + 10 * number
        card = {"memory_requested_bytes": 2 << 30, "task_id": f"t{number}"}
        lines = [spools.card_line(f"t{number}", card=card, started_at=begin), spools.reading_line()]
        sealed = {"ended_at": begin + 1.5, **figures}
        spools.write(tmp_path, [*lines, spools.sealed_line(**sealed)])
    pricing = METHODS[method]
    with watched(tmp_path, pricing=pricing) as found:
        found.look(NOW)
        counted = value(found, "tracer_task_cost_total")
        run_cost = sum(found.ledger.run_costs.values())
    store = Store(tmp_path, on_warning=spools.ignore)
    tables = {name: store.table(name, "r1") for name in ("runs", "tasks", "tools", "hosts")}
    said = cost(tables, pricing, "r1").run
    assert run_cost == pytest.approx(said["allocated"], rel=1e-6)
    assert counted == pytest.approx(run_cost)  # its parts add up
