"""From price sheets to what an hour of a core, a GiB and a GPU costs on each host of a run.

Four methods (docs/cost.md); each is a weight per hour for a core, a GiB and a GPU, and how an
attempt's three amounts are combined: `sum` adds them up, `max` takes the largest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tracer_hooks.prices.sheet import Price, PriceError, PriceSheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from tracer_hooks.prices.instance import Instance

# Ends the reasons for which a host has no price that who knows the host can mend in a word.
NOT_KNOWN = "is not known"
METHODS = ("resource_rates", "dominant_share", "whole_instance", "slurm_tres")
# How much of a machine's price its cores, memory and GPUs are worth, one against the other: what
# an hour of each costs in the generic sheet, which is the ratio that OpenCost splits nodes by.
SPLIT = {"cpu": 0.031611, "memory": 0.004237, "gpu": 0.95}
DEFAULT_MARGIN = 0.25
_NAMES = {"host": "the host", "cpu": "a core", "memory": "a GiB", "gpu": "a GPU",
          "billing": "a unit of billing"}  # fmt: skip
_SIZE_UNKNOWN = "how large the host is is not known"


@dataclass(frozen=True)
class Host:
    """A host of a run: what is known of it before a price is looked up.

    `cpus` and `memory_gib` are what was measured there, for sheets that do not say.
    """

    run_id: str | None
    name: str | None
    instance: Instance | None = None
    cpus: float | None = None
    memory_gib: float | None = None


@dataclass(frozen=True)
class Pricing:
    """How to price: the first sheet that knows a host decides, so the user's own comes first."""

    sheets: tuple[PriceSheet, ...] = ()
    method: str = "resource_rates"
    margin: float = DEFAULT_MARGIN
    instances: Mapping[str | None, Instance] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise PriceError(f"{self.method!r} is no method: choose {', '.join(METHODS)}")
        if not 0 <= self.margin < 100:
            raise PriceError(f"a margin of {self.margin} makes no sense: write 0.25 for a quarter")


@dataclass(frozen=True)
class Rates:
    """The prices of a run's hosts: `table` has the columns of `schema`."""

    table: pa.Table
    method: str
    margin: float
    currency: str | None
    source: str | None
    as_of: str | None  # the oldest of the dates
    hosts: tuple[tuple[Host, str | None], ...]  # and why it has no price, if it has none

    @property
    def lacks_sizes(self) -> bool:
        """Whether a host's price is of no use because nobody said how large it is."""
        return any(why and _SIZE_UNKNOWN in why for _, why in self.hosts)


def schema() -> pa.Schema:
    """One row per run and host. Prices are per hour, of a core, a GiB, a GPU and the whole host;
    null: not known. `cpu_capacity` and the like: what the host has, where the method charges for
    all of it."""
    import pyarrow as pa  # who prices single attempts does without

    resources = [f"{unit}_{what}" for what in ("rate", "capacity") for unit in SPLIT]
    return pa.schema(
        [
            *((name, pa.string()) for name in ("run_id", "host")),
            *((name, pa.float64()) for name in resources),
            ("dominant", pa.bool_()),
            ("host_rate", pa.float64()),
            ("margin", pa.float64()),
        ]
    )


def host_rates(pricing: Pricing, host: Host) -> tuple[dict[str, Any], str] | None:
    """The columns of `schema` that a host's price has, and its currency; None without a price."""
    row, prices, _ = _host_rates(pricing, host)
    return ({**row, "margin": pricing.margin}, prices[0][1].currency) if prices else None


def rates(pricing: Pricing, hosts: Iterable[Host]) -> Rates:
    """Look up each host. Raises PriceError where prices are in currencies that don't add up."""
    import pyarrow as pa

    rows, found = [], []
    used: dict[Price, str] = {}
    for host in hosts:
        row, prices, why = _host_rates(pricing, host)
        rows.append({"run_id": host.run_id, "host": host.name, "margin": pricing.margin, **row})
        found.append((host, why))
        used.update({price: sheet for sheet, price in prices})
    currencies = sorted({price.currency for price in used})
    if len(currencies) > 1:
        raise PriceError(
            f"prices are in {' and '.join(currencies)}, which do not add up: "
            "name one price sheet that has all hosts in one currency"
        )
    sources = dict.fromkeys(
        f"{sheet} ({price.source})" if price.source else sheet for price, sheet in used.items()
    )
    dates = [price.as_of for price in used if price.as_of is not None]
    return Rates(
        table=pa.Table.from_pylist(rows, schema()),
        method=pricing.method,
        margin=pricing.margin,
        currency=currencies[0] if currencies else None,
        source="; ".join(sources) or None,
        as_of=str(min(dates)) if dates else None,
        hosts=tuple(found),
    )


_Row = dict[str, Any]
_Found = tuple[_Row, list[tuple[str, Price]], str | None]


def _host_rates(pricing: Pricing, host: Host) -> _Found:
    whys = []
    for sheet in pricing.sheets:
        prices = sheet.of(host.name, host.instance)
        if not prices:
            continue
        best = _best(prices)
        if isinstance(best, str):
            # Not on to the next sheet: this one knows the host, and its price comes first.
            return {}, [], f"{sheet.name}: {best}"
        row = _METHODS[pricing.method](best, host)
        if isinstance(row, str):
            whys.append(f"{sheet.name}: {row}")
            continue
        return row, [(sheet.name, price) for price in best.values()], None
    return {}, [], "; ".join(whys) or _why_none(pricing, host)


def _best(prices: Iterable[Price]) -> dict[str, Price] | str:
    """One price for each unit: of those that say most, the newest; or why that can't be told."""
    best: dict[str, Price] = {}
    for price in sorted(prices, key=_says):  # stable: what stands below is later
        before = best.get(price.unit)
        if before is None or _says(price) > _says(before) or _newer(price, before):
            best[price.unit] = price
    for price in prices:
        chosen = best[price.unit]
        alike = price.says == chosen.says or _says(price) < _says(chosen) or price.hosts
        if not alike and price.per_hour != chosen.per_hour:
            amounts = " and ".join(f"{p.per_hour}" for p in sorted((price, chosen), key=_amount))
            return (
                f"it has two prices for {_NAMES[price.unit]} that fit alike ({amounts}): let them "
                "say by ProviderName, RegionId, SkuId, PricingCategory what they are of"
            )
    return best


def _says(price: Price) -> int:
    return sum(said is not None for said in price.says)


def _amount(price: Price) -> float:
    return price.per_hour or 0.0


def _newer(price: Price, before: Price) -> bool:
    if price.as_of is None or before.as_of is None:
        return True  # the last row stands
    return price.as_of >= before.as_of


def _why_none(pricing: Pricing, host: Host) -> str:
    if host.instance is None:
        return f"what machine it is {NOT_KNOWN}"
    known = host.instance
    prices = (price for sheet in pricing.sheets for price in sheet.prices)
    if known.region is None and any(
        price.region and price.holds_for(host.name, replace(known, region=price.region))
        for price in prices
    ):
        return f"the region of its {known.sku} {NOT_KNOWN}"
    place = f" in {known.region}" if known.region else ""
    spot = "" if known.purchase == "Standard" else f" ({known.purchase})"
    return f"no sheet has a price for {known.sku}{place}{spot}"


def _resource_rates(best: Mapping[str, Price], host: Host) -> _Row | str:
    if "host" not in best:
        given = {unit: best[unit].per_hour for unit in ("cpu", "memory", "gpu") if unit in best}
        if all(price is None for price in given.values()):
            return "it has no price for a core, a GiB or a GPU"
        # What a sheet of rates does not charge for costs nothing there.
        return {f"{unit}_rate": given.get(unit) or 0.0 for unit in SPLIT}
    sizes = _sizes(best["host"], host)
    price = best["host"].per_hour
    if price is None or sizes is None:
        return _lacks(price)
    worth = sum(SPLIT[unit] * size for unit, size in sizes.items())
    return {
        **{f"{unit}_rate": value * price / worth for unit, value in SPLIT.items()},
        "host_rate": price,
    }


def _dominant_share(best: Mapping[str, Price], host: Host) -> _Row | str:
    if "host" not in best:
        return "it has no price for the whole host, which this method needs"
    price, sizes = best["host"].per_hour, _sizes(best["host"], host)
    if price is None or sizes is None:
        return _lacks(price)
    row: _Row = {f"{unit}_rate": price / size if size else 0.0 for unit, size in sizes.items()}
    return {**row, "dominant": True, "host_rate": price}


def _whole_instance(best: Mapping[str, Price], host: Host) -> _Row | str:
    row = _dominant_share(best, host)
    sizes = _sizes(best["host"], host) if "host" in best else None
    if isinstance(row, str) or sizes is None:
        return row
    return {**row, **{f"{unit}_capacity": size for unit, size in sizes.items()}}


def _slurm_tres(best: Mapping[str, Price], host: Host) -> _Row | str:  # noqa: ARG001 - as the others
    price = best.get("billing")
    if price is None or price.per_hour is None:
        return "it has no price for Billing-Hours, which this method needs"
    if not price.weights:
        return "its Billing-Hours have no x_TRESBillingWeights"
    row: _Row = {f"{unit}_rate": price.per_hour * weight for unit, weight in price.weights.items()}
    return {**row, "dominant": price.max_tres}


def _sizes(price: Price, host: Host) -> dict[str, float] | None:
    cpus, memory = price.cpus or host.cpus, price.memory_gib or host.memory_gib
    if not cpus or not memory:
        return None
    return {"cpu": cpus, "memory": memory, "gpu": price.gpus or 0.0}


def _lacks(price: float | None) -> str:
    return "it has no price for it" if price is None else _SIZE_UNKNOWN


_METHODS = {
    "resource_rates": _resource_rates,
    "dominant_share": _dominant_share,
    "whole_instance": _whole_instance,
    "slurm_tres": _slurm_tres,
}
