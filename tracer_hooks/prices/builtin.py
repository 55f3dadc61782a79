"""The price sheets that come with the package, by name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer_hooks.prices.sheet import PriceSheet

_DATA = Path(__file__).parent / "data"


@hookimpl
def tracer_hooks_price_sheets() -> dict[str, Callable[[], PriceSheet]]:
    """`list`: AWS, Azure and Google Cloud on demand; `generic`: a core, a GiB, a GPU anywhere;
    `libcloud`: what apache-libcloud ships."""
    from tracer_hooks.prices.files import load_sheet
    from tracer_hooks.prices.libcloud import libcloud_sheet

    return {
        "list": partial(load_sheet, _DATA / "list.csv", "list"),
        "generic": partial(load_sheet, _DATA / "generic.csv", "generic"),
        "libcloud": libcloud_sheet,
    }
