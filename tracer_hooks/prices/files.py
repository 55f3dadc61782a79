"""Price sheets from files: CSV, or TOML with a `[[price]]` for each row."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tracer_hooks.prices.instance import provider_name, purchase_name
from tracer_hooks.prices.sheet import UNITS, Price, PriceError, PriceSheet

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# The price that is paid comes before the one on the list, as FOCUS has it.
_PRICES = ("ContractedUnitPrice", "ListUnitPrice")
_COLUMNS = frozenset({
    *_PRICES, "ProviderName", "RegionId", "SkuId", "PricingCategory", "PricingUnit",
    "BillingCurrency", "ResourceId", "x_VCpus", "x_MemoryGiB", "x_Gpus", "x_AsOf", "x_SourceUrl",
    "x_TRESBillingWeights", "x_MaxTRES",
})  # fmt: skip
_NEEDED = ("PricingUnit", "BillingCurrency")
_BINARY = {"K": 2.0**-20, "M": 2.0**-10, "G": 1.0, "T": 2.0**10}  # in GiB


def load_sheet(path: str | Path, name: str | None = None) -> PriceSheet:
    """The sheet in a file (`.toml`, else CSV). Raises PriceError, naming the row that is wrong."""
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix.lower() == ".toml":
            rows = tomllib.loads(text).get("price", [])
        else:
            rows = list(csv.DictReader(io.StringIO(text)))
    except (OSError, ValueError, csv.Error) as error:
        said = error.strerror if isinstance(error, OSError) else None
        raise PriceError(f"cannot read price sheet {path}: {said or error}") from error
    return parse_sheet(rows, name or str(path))


def parse_sheet(rows: Iterable[Mapping[str, Any]], name: str) -> PriceSheet:
    """A sheet from rows by FOCUS's column names; columns that are not known are ignored, since a
    FOCUS export has many. Raises PriceError, naming the row that is wrong."""
    if not isinstance(rows, Iterable) or isinstance(rows, (str, Mapping)):
        raise PriceError(f"{name}: prices are written as [[price]]")
    prices = []
    for place, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise PriceError(f"{name}: prices are written as [[price]]")
        try:
            prices.append(_price({k: v for k, v in row.items() if k in _COLUMNS}))
        except ValueError as error:
            raise PriceError(f"{name}: price {place}: {error}") from error
    if not prices:
        raise PriceError(f"{name}: there is no price in it")
    return PriceSheet(name, tuple(prices))


def _price(row: Mapping[str, Any]) -> Price:
    missing = [column for column in _NEEDED if not _text(row, column)]
    if missing or not any(column in row for column in _PRICES):
        raise ValueError(f"{', '.join(missing) or 'ListUnitPrice'} is missing")
    unit = UNITS.get(str(row["PricingUnit"]).strip().lower())
    if unit is None:
        units = "Hours, vCPU-Hours, GiB-Hours, GPU-Hours, Billing-Hours"
        raise ValueError(f"PricingUnit is one of {units}, not {row['PricingUnit']!r}")
    per_hour = next((p for p in (_number(row, column) for column in _PRICES) if p), None)
    as_of = row.get("x_AsOf")
    weights = _text(row, "x_TRESBillingWeights")
    return Price(
        unit=unit,
        currency=str(row["BillingCurrency"]).strip().upper(),
        # 0 is what catalogues write for a price that they do not have.
        per_hour=per_hour or None,
        provider=provider_name(text) if (text := _text(row, "ProviderName")) else None,
        region=_text(row, "RegionId"),
        sku=_text(row, "SkuId"),
        purchase=purchase_name(text) if (text := _text(row, "PricingCategory")) else None,
        cpus=_number(row, "x_VCpus"),
        memory_gib=_number(row, "x_MemoryGiB"),
        gpus=_number(row, "x_Gpus"),
        hosts=_text(row, "ResourceId"),
        weights=_weights(weights) if weights else None,
        max_tres=str(row.get("x_MaxTRES", "")).strip().lower() in ("true", "yes", "1"),
        as_of=as_of if isinstance(as_of, dt.date) else _date(_text(row, "x_AsOf")),
        source=_text(row, "x_SourceUrl"),
    )


def _weights(text: str) -> dict[str, float]:
    """Slurm's `CPU=1.0,Mem=0.25G,GRES/gpu=2.0` as weights for a core, a GiB and a GPU.

    A weight for memory is for each MB unless it ends in K, M, G or T, as in slurm.conf.
    """
    found = {"cpu": 0.0, "memory": 0.0, "gpu": 0.0}
    names = {"cpu": "cpu", "mem": "memory", "gres/gpu": "gpu"}
    for item in text.split(","):
        name, _, value = item.partition("=")
        resource = names.get(name.strip().lower())
        value = value.strip()
        unit = value[-1:].upper()
        number, unit = (value[:-1], unit) if unit in _BINARY else (value, "M")
        try:
            weight = float(number)
        except ValueError:
            weight = -1.0
        if not (0 <= weight < math.inf):
            raise ValueError(f"{item.strip()!r} is no TRES billing weight, as CPU=1.0,Mem=0.25G is")
        if resource is not None:  # what else Slurm can bill, no task is known to have used
            found[resource] = weight / _BINARY[unit] if resource == "memory" else weight
    return found


def _text(row: Mapping[str, Any], column: str) -> str | None:
    value = row.get(column)
    return str(value).strip() or None if value is not None else None


def _number(row: Mapping[str, Any], column: str) -> float | None:
    text = _text(row, column)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise ValueError(f"{column} is not a number of 0 or more: {text!r}")
    return number


def _date(text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        raise ValueError(f"x_AsOf is not a date like 2025-03-01: {text!r}") from None
