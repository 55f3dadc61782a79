"""Prices for tests, as a user's own sheet would have them."""

from __future__ import annotations

from typing import Any

from tracer_hooks.prices.files import parse_sheet
from tracer_hooks.prices.instance import Instance
from tracer_hooks.prices.rates import Pricing


def host_price(**columns: Any) -> dict[str, Any]:
    """A row of a sheet: a machine of four cores and 16 GiB for 1.00 an hour."""
    return {
        "ProviderName": "AWS", "RegionId": "here", "SkuId": "m", "PricingUnit": "Hours",
        "BillingCurrency": "USD", "ListUnitPrice": 1.0, "x_VCpus": 4, "x_MemoryGiB": 16,
        "x_AsOf": "2025-01-01",
    } | columns  # fmt: skip


def rate(unit: str, price: float, **columns: Any) -> dict[str, Any]:
    """A row with a rate that holds anywhere."""
    return {"PricingUnit": unit, "BillingCurrency": "USD", "ListUnitPrice": price} | columns


RATES = [rate("vCPU-Hours", 0.04), rate("GiB-Hours", 0.005), rate("GPU-Hours", 1.0)]
BILLING = rate("Billing-Hours", 0.02, x_TRESBillingWeights="CPU=1.0,Mem=0.25G,GRES/gpu=10")


def priced(*rows: dict[str, Any], instance: Instance | None = None, **how: Any) -> Pricing:
    """Pricing by one sheet of these rows; every host is `instance`."""
    instances = {} if instance is None else {None: instance}
    return Pricing((parse_sheet(rows, "ours"),), instances=instances, **how)


HERE = Instance("m", "here", "AWS")
# Every method, with prices that it can use.
METHODS = {
    "resource_rates": priced(host_price(), instance=HERE),
    "rates alone": priced(*RATES),
    "dominant_share": priced(host_price(), instance=HERE, method="dominant_share"),
    "whole_instance": priced(host_price(), instance=HERE, method="whole_instance"),
    "slurm_tres": priced(BILLING, method="slurm_tres"),
    "slurm_tres, the largest": priced({**BILLING, "x_MaxTRES": "yes"}, method="slurm_tres"),
}
