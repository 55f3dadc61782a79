"""The options that say how a run is priced, of every command that shows what something cost."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tracer_hooks.cli.parsing import one_of

if TYPE_CHECKING:
    from tracer_hooks.analysis.carbon import Assumptions
    from tracer_hooks.prices.rates import Pricing


def add_prices(parser: argparse.ArgumentParser) -> None:
    """`--prices`, `--method`, `--margin`, `--instance`, `--region`."""
    from tracer_hooks.prices.rates import DEFAULT_MARGIN, METHODS

    group = parser.add_argument_group("prices (see docs/cost.md)")
    group.add_argument(
        "--prices",
        metavar="SHEET",
        action="append",
        help="a file (.csv or .toml, FOCUS column names), or list, generic, libcloud, or a"
        " plugin's; repeated: the first that knows a host wins ($TRACER_HOOKS_PRICES)",
    )
    group.add_argument(
        "--method",
        metavar="METHOD",
        type=one_of(*METHODS),
        default=METHODS[0],
        help=f"{', '.join(METHODS[:-1])} or {METHODS[-1]} (default: {METHODS[0]})",
    )
    group.add_argument(
        "--margin",
        metavar="SHARE",
        type=_share,
        default=DEFAULT_MARGIN,
        help="what a request should have above the observed peak"
        f" (default: {DEFAULT_MARGIN}, a quarter)",
    )
    group.add_argument(
        "--instance",
        metavar="[HOST=]TYPE",
        action="append",
        help="what machine ran it: m5.xlarge, aws/eu-west-1/m5.xlarge or with :spot after it;"
        " repeated for several hosts ($TRACER_HOOKS_INSTANCE)",
    )
    group.add_argument("--region", metavar="REGION", help="the region of instances that name none")


def pricing_of(options: argparse.Namespace) -> Pricing:
    """What these options say. Raises PriceError, UsageError."""
    from tracer_hooks.prices.choose import pricing

    return pricing(
        options.prices,
        method=options.method,
        margin=options.margin,
        instances=options.instance,
        region=options.region,
    )


def add_carbon(parser: argparse.ArgumentParser) -> None:
    """`--carbon`, and the assumptions that its figure rests on."""
    group = parser.add_argument_group("energy and carbon (the Green Algorithms formula)")
    group.add_argument("--carbon", action="store_true", help="show energy and emissions too")
    for option, what in (
        ("--carbon-intensity", "grams of CO2e per kWh of the grid (default: 475, the world's)"),
        ("--pue", "power usage effectiveness of the data centre (default: 1.67)"),
        ("--core-watts", "watts of a busy core (default: 12)"),
    ):
        group.add_argument(option, metavar="N", type=_amount, help=what)


def assumptions_of(options: argparse.Namespace) -> Assumptions | None:
    """The assumptions, or None if neither `--carbon` nor one of them was given."""
    from tracer_hooks.analysis.carbon import Assumptions

    said = {
        "carbon_g_per_kwh": options.carbon_intensity,
        "pue": options.pue,
        "watts_per_core": options.core_watts,
    }
    given = {name: value for name, value in said.items() if value is not None}
    return Assumptions(**given) if given or options.carbon else None


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return value


def _share(text: str) -> float:
    """`0.25` or `25%`."""
    stripped = text.strip()
    value = _amount(stripped.removesuffix("%"))
    return value / 100 if stripped.endswith("%") else value
