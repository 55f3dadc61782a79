"""Energy and carbon by the Green Algorithms formula, with the assumptions that it rests on.

energy = (core-hours used x watts per core + GiB-hours of memory held x watts per GiB) x PUE
emissions = energy x carbon intensity of the grid

Lannelongue, Grealey, Inouye: Green Algorithms: Quantifying the Carbon Footprint of Computation,
Advanced Science 8 (2021) 2100707. Its runtime x cores x usage factor is the CPU time that was
measured; its multiplier for repeated runs is 1, since repeated attempts are counted themselves.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.attempts import attempts
from tracer_hooks.analysis.cost_attempts import GIB_SECONDS
from tracer_hooks.errors import UsageError

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from tracer_hooks.analysis.tables import Relations


@dataclass(frozen=True)
class Assumptions:
    """What the formula needs and no record holds: the defaults are the paper's world averages."""

    watts_per_core: float = 12.0  # the tool's value for a CPU that it does not know
    watts_per_gib: float = 0.3725
    pue: float = 1.67  # power usage effectiveness: what a data centre draws per watt of computing
    carbon_g_per_kwh: float = 475.0

    def __post_init__(self) -> None:
        if self.pue < 1 or min(asdict(self).values()) < 0:
            raise UsageError("watts and carbon intensity are 0 or more, and the PUE 1 or more")


def carbon(t: Relations, assumed: Assumptions) -> dict[str, Any]:
    """`energy_kwh`, `carbon_g`, `cpu_core_hours`, `memory_gib_hours`, `measured_share` (of the wall
    time: attempts whose CPU and memory are known) and `assumptions`; null where nothing is."""
    amounts = t.record(_amounts)
    cores, memory = amounts["cpu_core_hours"], amounts["memory_gib_hours"]
    energy = None
    if cores is not None and memory is not None:
        watt_hours = cores * assumed.watts_per_core + memory * assumed.watts_per_gib
        energy = watt_hours * assumed.pue / 1000.0
    return {
        "energy_kwh": energy,
        "carbon_g": None if energy is None else energy * assumed.carbon_g_per_kwh,
        **amounts,
        "assumptions": asdict(assumed),
    }


def _amounts(t: Relations) -> ir.Table:
    a = attempts(t)
    # Memory draws power for being held, used or not: what was asked for, where that is more.
    held = a.memory_mean_bytes.fill_null(a.memory_peak_bytes).fill_null(a.memory_requested_bytes)
    asked = a.memory_requested_bytes.fill_null(0)
    held = (asked > held).ifelse(asked, held)
    known = a.cpu_s.notnull() & held.notnull() & a.wall_s.notnull()
    return a.agg(
        cpu_core_hours=a.cpu_s.sum(where=known) / 3600.0,
        memory_gib_hours=(held.cast("float64") * a.wall_s).sum(where=known) / GIB_SECONDS,
        measured_share=a.wall_s.sum(where=known) / a.wall_s.sum().nullif(0.0),
    )
