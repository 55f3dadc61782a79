"""What machine a host is, as its provider sells it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tracer_hooks.errors import UsageError

VARIABLE = "TRACER_HOOKS_INSTANCE"

# What people write, and what FOCUS writes, for the same provider.
_PROVIDERS = {
    "aws": "AWS", "amazon": "AWS", "amazon web services": "AWS", "ec2": "AWS",
    "gcp": "Google Cloud", "google": "Google Cloud", "google cloud": "Google Cloud",
    "gce": "Google Cloud", "google cloud platform": "Google Cloud",
    "azure": "Microsoft Azure", "microsoft": "Microsoft Azure",
    "microsoft azure": "Microsoft Azure",
}  # fmt: skip
CLOUDS = frozenset(_PROVIDERS.values())
# FOCUS's PricingCategory: Dynamic prices are those of spot and preemptible machines.
_PURCHASES = {
    "on-demand": "Standard", "ondemand": "Standard", "standard": "Standard",
    "spot": "Dynamic", "preemptible": "Dynamic", "dynamic": "Dynamic",
    "reserved": "Committed", "committed": "Committed",
}  # fmt: skip


@dataclass(frozen=True)
class Instance:
    """A machine type where it runs. `source`: `user`, or the metadata service that said so."""

    sku: str
    region: str | None = None
    provider: str | None = None
    purchase: str = "Standard"
    source: str = "user"


def provider_name(text: str) -> str:
    """The provider as FOCUS writes it, where it is one that we know."""
    return _PROVIDERS.get(text.strip().casefold(), text.strip())


def purchase_name(text: str) -> str:
    """FOCUS's PricingCategory for `on-demand`, `spot`, `reserved`; what else is said stays."""
    return _PURCHASES.get(text.strip().casefold(), text.strip())


def parse_instance(text: str, region: str | None = None) -> tuple[str | None, Instance]:
    """`[HOST=][PROVIDER/[REGION/]]TYPE[:PURCHASE]` -> the host's name or None for any, and it.

    For example `m5.xlarge`, `aws/eu-west-1/m5.xlarge:spot`, `node7=azure/eastus/Standard_D4s_v5`.
    `region` is for those that name none. Raises UsageError.
    """
    host, equals, rest = text.strip().rpartition("=")
    rest, _, purchase = rest.partition(":")
    parts = [part.strip() for part in rest.split("/")]
    if not all(parts) or len(parts) > 3 or (equals and not host.strip()):
        raise UsageError(
            f"{text!r} is not an instance: write m5.xlarge, aws/eu-west-1/m5.xlarge, "
            "aws/eu-west-1/m5.xlarge:spot, or HOST=aws/eu-west-1/m5.xlarge"
        )
    provider = provider_name(parts[0]) if len(parts) > 1 else None
    if len(parts) == 2 and provider not in CLOUDS:
        provider, region = None, parts[0]  # REGION/TYPE
    elif len(parts) == 3:
        region = parts[1]
    purchased = purchase_name(purchase or "on-demand")
    return host.strip() or None, Instance(parts[-1], region, provider, purchased)


def chosen_instances(
    texts: list[str] | None = None, region: str | None = None
) -> dict[str | None, Instance]:
    """What the user says of hosts, by host name; None: of every other host.

    `texts` (from `--instance`) win over the variable TRACER_HOOKS_INSTANCE, whose items are
    separated by blanks.
    """
    given = [*os.environ.get(VARIABLE, "").split(), *(texts or [])]
    return dict(parse_instance(text, region) for text in given)
