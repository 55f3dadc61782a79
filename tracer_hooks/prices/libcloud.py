"""The prices that apache-libcloud ships (the extra `libcloud`), for AWS, Azure and Google Cloud.

A 0 there is a price that its scraper did not find, and stays missing here. For AWS its prices of
some types are those of dedicated instances (6 to 10 % above the list), which is why this sheet is
used only where it is asked for by name.
"""

from __future__ import annotations

import datetime as dt
import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer_hooks.prices.sheet import Price, PriceError, PriceSheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SOURCE = "https://github.com/apache/libcloud/blob/trunk/libcloud/data/pricing.json"
_MIB_IN_GIB = 1024.0


def libcloud_sheet() -> PriceSheet:
    """The sheet `libcloud`. Raises PriceError where the extra is not installed."""
    try:
        folder = Path(str(import_module("libcloud").__file__)).parent
        catalogue = json.loads((folder / "data" / "pricing.json").read_text("utf-8"))
        types = import_module("libcloud.compute.constants.ec2_instance_types").INSTANCE_TYPES
    except ImportError as error:
        raise PriceError(
            "the price sheet `libcloud` needs apache-libcloud: pip install 'tracer-hooks[libcloud]'"
        ) from error
    except (OSError, ValueError, AttributeError) as error:
        raise PriceError(f"cannot read the prices of apache-libcloud: {error}") from error
    return PriceSheet("libcloud", tuple(imported(catalogue, types)))


def imported(catalogue: Mapping[str, Any], types: Mapping[str, Any]) -> Iterator[Price]:
    """The prices in libcloud's catalogue; `types`: its table of what an EC2 type has."""
    as_of = dt.datetime.fromtimestamp(catalogue["updated"], dt.timezone.utc).date()
    compute = catalogue["compute"]
    common: dict[str, Any] = {"currency": "USD", "as_of": as_of, "source": _SOURCE}
    for sku, regions in compute.get("ec2_linux", {}).items():
        has = _ec2_sizes(types.get(sku, {}))
        for region, price in regions.items():
            yield Price("host", per_hour=_positive(price), provider="AWS", region=region, sku=sku,
                        **has, **common)  # fmt: skip
    for sku, regions in compute.get("azure_linux", {}).items():
        name, purchase = _azure_name(sku)
        for region, price in regions.items():
            yield Price("host", per_hour=_positive(price), provider="Microsoft Azure",
                        region=region, sku=name, purchase=purchase, **common)  # fmt: skip
    for family, parts in compute.get("gce_instances", {}).items():
        yield from _gce(family, parts, common)


def _gce(family: str, parts: Mapping[str, Any], common: dict[str, Any]) -> Iterator[Price]:
    """Google sells cores and GiB; its machine types are so many of each."""
    if family not in _GCE_SHAPES or not {"cpu", "ram"} <= set(parts):
        return
    for kind, purchase in (("on_demand", "Standard"), ("preemptible", "Dynamic")):
        memory = parts["ram"].get(kind, {})
        for region, core in parts["cpu"].get(kind, {}).items():
            per_core = _positive(core["price"])
            per_gib = _positive(memory.get(region, {}).get("price"))
            known = per_core is not None and per_gib is not None
            for shape, cpus, gib in _GCE_SHAPES[family]:
                yield Price(
                    "host",
                    per_hour=(per_core or 0) * cpus + (per_gib or 0) * gib if known else None,
                    provider="Google Cloud", region=region, sku=f"{family}-{shape}-{cpus}",
                    purchase=purchase, cpus=cpus, memory_gib=gib, gpus=0, **common,
                )  # fmt: skip


def _shapes(sizes: str, **gib_per_core: float) -> list[tuple[str, int, float]]:
    return [
        (shape, int(size), int(size) * gib)
        for shape, gib in gib_per_core.items()
        for size in sizes.split()
        if shape == "standard" or size != "1"
    ]


_GCE_SHAPES = {
    "e2": _shapes("2 4 8 16", standard=4, highmem=8, highcpu=1),
    "n1": _shapes("1 2 4 8 16 32 64 96", standard=3.75, highmem=6.5, highcpu=0.9),
    "n2": _shapes("2 4 8 16 32 48 64 80", standard=4, highmem=8, highcpu=1),
    "n2d": _shapes("2 4 8 16 32 48 64 80", standard=4, highmem=8, highcpu=1),
    "c2": _shapes("4 8 16 30 60", standard=4),
}


def _ec2_sizes(kind: Mapping[str, Any]) -> dict[str, Any]:
    extra = kind.get("extra", {})
    memory = _positive(kind.get("ram"))
    return {
        "cpus": _positive(extra.get("vcpu")),
        "memory_gib": None if memory is None else memory / _MIB_IN_GIB,
        "gpus": _positive(extra.get("gpu")) or 0.0,  # types without a GPU have no such key
    }


def _azure_name(sku: str) -> tuple[str, str]:
    """`lowprioritystandardd4sv3` -> (`standardd4sv3`, spot); Azure's own name without its signs."""
    if sku.startswith("lowpriority"):
        return "standard" + sku.removeprefix("lowpriority"), "Dynamic"
    return sku, "Standard"


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
