"""A price sheet: rows of prices with where they hold, as of when, and who says so.

Columns are called what FOCUS (the FinOps Open Cost and Usage Specification) calls them; what it
has no column for begins with `x_`, as it asks. See docs/cost.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tracer_hooks.errors import TracerError
from tracer_hooks.prices.instance import CLOUDS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from tracer_hooks.prices.instance import Instance

# What a price is of, by its PricingUnit: the hour of a machine, of a core, of a GiB, of a GPU, of
# a unit of Slurm's billing.
UNITS = {
    "hours": "host",
    "vcpu-hours": "cpu",
    "core-hours": "cpu",
    "gib-hours": "memory",
    "gpu-hours": "gpu",
    "billing-hours": "billing",
}


STANDARD = "Standard"
_RESOURCES = frozenset({
    *("cpu", "cpus", "vcpu", "vcpus", "core", "cores", "gpu", "gpus"),
    *("memory", "mem", "ram", "gib", "billing"),
})  # fmt: skip


class PriceError(TracerError):
    """A price sheet, or what was asked of it, is not what it should be."""


@dataclass(frozen=True)
class Price:
    """One row. `per_hour` is in `currency`; null: the sheet knows the SKU and not its price."""

    unit: str  # one of the values of UNITS
    currency: str
    per_hour: float | None
    provider: str | None = None
    region: str | None = None
    sku: str | None = None
    purchase: str | None = None  # not said: of a whole host Standard, of a rate any
    cpus: float | None = None
    memory_gib: float | None = None
    gpus: float | None = None
    hosts: str | None = None  # a pattern of host names
    weights: Mapping[str, float] | None = field(default=None, hash=False)  # TRESBillingWeights
    max_tres: bool = False
    as_of: dt.date | None = None
    source: str | None = None

    def holds_for(self, host: str | None, instance: Instance | None) -> bool:
        """Whether this row is about the host: everything that the row says has to fit."""
        if self.hosts is not None:
            return host is not None and any(
                fnmatchcase(host, pattern.strip()) for pattern in self.hosts.split(",")
            )
        if self.unit != "host":
            return self._rate_holds_for(instance)
        return (
            instance is not None
            and self._is_of(instance.sku)
            and (self.purchase or STANDARD) == instance.purchase
            and self._placed(instance)
        )

    def _rate_holds_for(self, instance: Instance | None) -> bool:
        """A rate that names no place and no machine holds anywhere; what it names has to fit. Of a
        machine that nobody knows it can't be said that it is one of a cloud's, or spot."""
        of_resource = self.sku is None or _names_resource(self.sku)
        if instance is None:
            at_home = self.region is None and self.provider not in CLOUDS
            return at_home and of_resource and (self.purchase or STANDARD) == STANDARD
        return (
            (of_resource or self._is_of(instance.sku))
            and self.purchase in (None, instance.purchase)
            and self._placed(instance)
        )

    def _is_of(self, sku: str) -> bool:
        return self.sku is not None and _plain(self.sku) == _plain(sku)

    @property
    def says(self) -> tuple[str | None, ...]:
        """Of what it is the price: of two prices of one unit, the one that says more stands."""
        sku = None if self.sku is None or self.unit == "host" else self.sku
        return (self.provider, self.region, sku, self.purchase)

    def _placed(self, instance: Instance) -> bool:
        """In the same region, of the same provider: another region's price is no price. A row that
        names no region is the word of whoever wrote the sheet that it holds in all."""
        if self.provider and instance.provider and not _same(self.provider, instance.provider):
            return False
        return not self.region or _same(self.region, instance.region or "")


@dataclass(frozen=True)
class PriceSheet:
    """Prices from one source, under one name."""

    name: str
    prices: tuple[Price, ...]

    def of(self, host: str | None, instance: Instance | None) -> tuple[Price, ...]:
        """The prices that hold for a host: what the sheet says of that very host, else of its
        SKU and region, else of cores, memory and GPUs wherever they are; empty: none."""
        fitting = [price for price in self.prices if price.holds_for(host, instance)]
        named = [price for price in fitting if price.hosts is not None]
        for chosen in (named, [price for price in fitting if price.unit == "host"]):
            if chosen:
                return tuple(chosen)
        return tuple(fitting)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _names_resource(sku: str) -> bool:
    """`core-hour` is what is sold, and no machine that has to be the host's."""
    return not _RESOURCES.isdisjoint(re.findall(r"[a-z]+", sku.casefold()))


def _plain(sku: str) -> str:
    """`Standard_D4s_v5` and `standardd4sv5` are one: catalogues leave Azure's signs out."""
    return sku.casefold().replace("_", "")
