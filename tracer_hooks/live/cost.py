"""What one attempt costs, by the formula of the reports (`tracer_hooks.analysis.cost_attempts`,
where it is explained), for who has one attempt at a time and no tables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracer_hooks.live.attempt import GIB, Attempt, number
from tracer_hooks.prices.rates import Host, Pricing, host_rates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.prices.instance import Instance

PARTS = ("useful", "headroom", "over_requested", "unmeasured")


@dataclass(frozen=True)
class Cost:
    """In units of `currency`; `parts` by their names, None where nothing of it was measured."""

    currency: str
    allocated: float
    parts: Mapping[str, float] | None


class Prices:
    """The prices of hosts, each looked up once."""

    def __init__(self, pricing: Pricing) -> None:
        self._pricing = pricing
        self._known: dict[str, tuple[dict[str, Any], str] | None] = {}
        self._here: Instance | None = None
        self._asked = False

    def of(self, attempt: Attempt, row: Mapping[str, Any], lasted_s: float | None) -> Cost | None:
        """What the attempt cost whose figures are `row` (columns of `tasks`); None without a price
        or without what would be priced."""
        found = self._rates(attempt.host)
        if found is None or lasted_s is None:
            return None
        rates, currency = found
        return _cost(attempt, row, lasted_s, rates, currency)

    def _rates(self, host: str) -> tuple[dict[str, Any], str] | None:
        if host not in self._known:
            self._known[host] = host_rates(self._pricing, self._host(host))
        return self._known[host]

    def _host(self, name: str) -> Host:
        instances = self._pricing.instances
        said = instances.get(name) or instances.get(None)
        if name != os.uname().nodename:
            return Host(None, name, said)
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return Host(None, name, said or self._this(), os.cpu_count(), pages / GIB)

    def _this(self) -> Instance | None:
        from tracer_hooks.prices.metadata import cloud, this_instance

        if not self._asked:
            self._asked = True
            provider = cloud()
            self._here = None if provider is None else this_instance(provider)
        return self._here


def _cost(
    attempt: Attempt,
    row: Mapping[str, Any],
    lasted_s: float,
    rates: Mapping[str, Any],
    currency: str,
) -> Cost | None:
    lasted_s = max(lasted_s, 1e-6)  # a clock that stood still is no time to divide by
    hours = lasted_s / 3600.0
    cpu, gpus = number(row.get("cpu_s")), _gpus(attempt)
    peak_cores = _peak_cores(row, cpu, lasted_s)
    mean, peak = number(row.get("memory_mean_bytes")), number(row.get("memory_peak_bytes"))
    used = mean if mean is not None else peak
    top = peak if peak is not None else mean
    asked_bytes = attempt.memory_requested_bytes
    resources = {
        # name: asked for, used, peak, in units x hours
        "cpu": (
            _or(rates.get("cpu_capacity"), attempt.cores_requested),
            cpu and cpu / lasted_s,
            peak_cores,
        ),
        "memory": (
            _or(rates.get("memory_capacity"), asked_bytes and asked_bytes / GIB),
            used and used / GIB,
            top and top / GIB,
        ),
        "gpu": (_or(rates.get("gpu_capacity"), gpus), None, None),
    }
    sums: dict[str, list[float]] = {"allocated": [], "measured": [], "needed": [], "used": []}
    margin = rates["margin"]
    for name, (asked, spent, top_use) in resources.items():
        rate = rates.get(f"{name}_rate")
        known = [value for value in (asked, spent) if value is not None]
        if rate == 0.0:
            amount = needed = spent = 0.0
        elif rate is None or not known:
            return None  # a sum of which one summand is unknown is unknown
        else:
            amount = max(known)
            needed = min(max((top_use or 0.0) * (1.0 + margin), spent or 0.0), amount)
        measured = spent is not None
        price = (rate or 0.0) * hours
        sums["allocated"].append(price * amount)
        sums["measured"].append(price * amount if measured else 0.0)
        sums["needed"].append(price * needed if measured else 0.0)
        sums["used"].append(price * (spent or 0.0))
    combine = max if rates.get("dominant") else sum
    allocated, all_measured, needed, used_cost = (float(combine(v)) for v in sums.values())
    if cpu is None and used is None:
        return Cost(currency, allocated, None)
    parts = {
        "useful": used_cost,
        "headroom": needed - used_cost,
        "over_requested": all_measured - needed,
        "unmeasured": allocated - all_measured,
    }
    return Cost(currency, allocated, parts)


def _peak_cores(row: Mapping[str, Any], cpu: float | None, lasted_s: float) -> float | None:
    """Cores while computing; no more than there were threads, no less than the mean."""
    if cpu is None:
        return None
    mean = cpu / lasted_s if lasted_s > 0 else None
    wall = number(row.get("wall_cpu_s"))
    busy = cpu / wall if wall else None
    threads = number(row.get("threads_peak"))
    bounded = busy if threads is None or busy is None else min(busy, threads)
    known = [value for value in (bounded, mean) if value is not None]
    return max(known, default=None)


def _gpus(attempt: Attempt) -> float:
    tags = attempt.card.get("tags")
    try:
        return float(tags["gpus"]) if isinstance(tags, dict) else 0.0
    except (KeyError, TypeError, ValueError):
        return 0.0


def _or(first: Any, second: float | None) -> float | None:
    return float(first) if first is not None else second
