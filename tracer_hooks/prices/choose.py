"""From what the user says to the price sheets that are used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.prices.files import load_sheet
from tracer_hooks.prices.instance import chosen_instances
from tracer_hooks.prices.rates import DEFAULT_MARGIN, METHODS, Pricing
from tracer_hooks.prices.sheet import PriceError, PriceSheet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

VARIABLE = "TRACER_HOOKS_PRICES"
LIST = "list"
# Used only where they are asked for: they are no list price of where a host stands.
ON_REQUEST = frozenset({"generic", "libcloud"})


def pricing(
    prices: Sequence[str] | None = None,
    *,
    method: str = METHODS[0],
    margin: float = DEFAULT_MARGIN,
    instances: Sequence[str] | None = None,
    region: str | None = None,
) -> Pricing:
    """How to price a run.

    `prices` are files or names of sheets; the first that knows a host decides. Without any, those
    of TRACER_HOOKS_PRICES (separated by `:`). After them come the sheets of plugins, and the list
    prices that come with the package. Raises PriceError, UsageError.
    """
    from tracer_hooks.plugins import price_sheets

    named = price_sheets()
    given = list(prices or filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)))
    rest = [name for name in named if name not in {*ON_REQUEST, LIST, *given}]
    chain = [*given, *rest, *([] if LIST in given else [LIST])]
    return Pricing(
        sheets=tuple(_sheet(name, named) for name in chain),
        method=method,
        margin=margin,
        instances=chosen_instances(list(instances or ()), region),
    )


def _sheet(name: str, named: Mapping[str, Callable[[], PriceSheet]]) -> PriceSheet:
    if name in named:
        return named[name]()
    if not Path(name).is_file():
        known = ", ".join(named)
        raise PriceError(f"there is no price sheet {name}: give a file (.csv, .toml), or {known}")
    return load_sheet(name)
