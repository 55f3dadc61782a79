"""Price sheets: what comes with the package, the user's own, and what apache-libcloud ships."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tracer_hooks.errors import UsageError
from tracer_hooks.plugins import price_sheets
from tracer_hooks.prices.choose import pricing
from tracer_hooks.prices.files import load_sheet, parse_sheet
from tracer_hooks.prices.instance import Instance, parse_instance
from tracer_hooks.prices.libcloud import imported
from tracer_hooks.prices.rates import SPLIT, Host, Pricing, rates
from tracer_hooks.prices.sheet import PriceError

ROW = {
    "ProviderName": "aws", "RegionId": "eu-west-1", "SkuId": "m5.large", "PricingUnit": "Hours",
    "BillingCurrency": "eur", "ListUnitPrice": "0.1", "x_VCpus": "2", "x_MemoryGiB": "8",
}  # fmt: skip
LARGE = Instance("m5.large", "eu-west-1", "AWS")


def test_the_list_says_of_each_price_where_when_and_who() -> None:
    sheet = price_sheets()["list"]()
    seen = set()
    for price in sheet.prices:
        assert price.per_hour
        assert price.per_hour > 0
        assert price.provider in ("AWS", "Google Cloud", "Microsoft Azure")
        assert price.region
        assert price.cpus
        assert price.memory_gib
        assert price.currency == "USD"
        assert price.as_of is not None
        assert dt.date(2024, 1, 1) < price.as_of < dt.date.today()
        assert price.source is not None
        assert price.source.startswith("https://")
        key = (price.provider, price.region, price.sku, price.purchase)
        assert key not in seen
        seen.add(key)
    assert len({price.provider for price in sheet.prices}) == 3


@pytest.mark.parametrize(
    ("provider", "region", "sku", "price"),
    [
        ("AWS", "us-east-1", "m5.xlarge", 0.192),
        ("AWS", "eu-central-1", "c5.9xlarge", 1.746),
        ("Google Cloud", "us-central1", "n1-standard-4", 0.19),
        ("Microsoft Azure", "westeurope", "Standard_D4s_v3", 0.24),
    ],
)
def test_a_few_of_its_prices(provider: str, region: str, sku: str, price: float) -> None:
    (found,) = price_sheets()["list"]().of(None, Instance(sku, region, provider))
    assert found.per_hour == pytest.approx(price, rel=0.001)


def test_the_generic_rates_are_what_machines_are_split_by() -> None:
    sheet = price_sheets()["generic"]()
    assert {price.unit: price.per_hour for price in sheet.prices} == SPLIT
    assert len(sheet.of("anything", None)) == 3


def test_a_users_sheet_as_csv_and_toml(tmp_path: Path) -> None:
    as_csv, as_toml = tmp_path / "a.csv", tmp_path / "a.toml"
    as_csv.write_text(
        "\ufeff" + ",".join([*ROW, "Ignored"]) + "\n" + ",".join([*ROW.values(), "x"]) + "\n"
    )
    as_toml.write_text("[[price]]\n" + "".join(f'{k} = "{v}"\n' for k, v in ROW.items()))
    first, second = load_sheet(as_csv, "s"), load_sheet(as_toml, "s")
    assert first == second
    (price,) = first.of(None, LARGE)
    assert (price.provider, price.currency, price.per_hour) == ("AWS", "EUR", 0.1)


def test_a_users_price_wins_and_the_list_has_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    path.write_text(",".join(ROW) + "\n" + ",".join(ROW.values()).replace("eur", "USD") + "\n")
    chosen = pricing([str(path)])
    found = rates(
        chosen, [Host("r", "a", LARGE), Host("r", "b", Instance("c5.large", "eu-west-1"))]
    )
    assert found.table["host_rate"].to_pylist() == [0.1, 0.096]
    assert found.source is not None
    assert "ours.csv" in found.source


def test_the_sheet_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACER_HOOKS_PRICES", "generic")
    assert [sheet.name for sheet in pricing().sheets] == ["generic", "list"]
    monkeypatch.setenv("TRACER_HOOKS_INSTANCE", "a=m5.large aws/eu-west-1/m5.large:spot")
    assert pricing(region="there").instances == {
        "a": Instance("m5.large", "there"),
        None: Instance("m5.large", "eu-west-1", "AWS", "Dynamic"),
    }


def test_what_was_negotiated_comes_before_the_list_price() -> None:
    (price,) = parse_sheet([{**ROW, "ContractedUnitPrice": "0.07"}], "s").prices
    assert price.per_hour == 0.07


def test_the_newest_of_two_prices_stands() -> None:
    sheet = parse_sheet(
        [{**ROW, "x_AsOf": "2025-02-01"}, {**ROW, "x_AsOf": "2024-02-01", "ListUnitPrice": 9}], "s"
    )
    found = rates(Pricing((sheet,)), [Host("r", "h", LARGE)])
    assert found.table["host_rate"].to_pylist() == [0.1]
    assert found.as_of == "2025-02-01"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"PricingUnit": "Requests"}, "PricingUnit is one of"),
        ({"BillingCurrency": ""}, "BillingCurrency is missing"),
        ({"ListUnitPrice": "-1"}, "ListUnitPrice is not a number"),
        ({"ListUnitPrice": "nan"}, "ListUnitPrice is not a number"),
        ({"x_AsOf": "soon"}, "x_AsOf is not a date"),
        ({"x_TRESBillingWeights": "CPU=x"}, "is no TRES billing weight"),
    ],
)
def test_a_wrong_row_is_named(change: dict[str, str], said: str) -> None:
    with pytest.raises(PriceError, match=f"mine: price 2: .*{said}"):
        parse_sheet([ROW, {**ROW, **change}], "mine")


@pytest.mark.parametrize("text", ["", "price = 1", "[[price", "a,b\n1,2\n"])
def test_a_file_that_is_no_sheet_is_one_clear_error(tmp_path: Path, text: str) -> None:
    for name in ("x.csv", "x.toml"):
        (tmp_path / name).write_text(text)
        with pytest.raises(PriceError, match=r"x\.(csv|toml)"):
            load_sheet(tmp_path / name)


def test_a_sheet_that_is_not_there() -> None:
    with pytest.raises(PriceError, match=r"no price sheet nowhere\.csv.*generic"):
        pricing(["nowhere.csv"])


def test_slurms_weight_for_memory_is_for_each_megabyte_unless_it_says_otherwise() -> None:
    for text, per_gib in (("Mem=1", 1024), ("Mem=0.25G", 0.25), ("Mem=1T", 1 / 1024)):
        (price,) = parse_sheet([{**ROW, "x_TRESBillingWeights": text}], "s").prices
        assert price.weights == {"cpu": 0, "memory": per_gib, "gpu": 0}


def test_hosts_are_named_by_patterns() -> None:
    rows = [{**ROW, "ResourceId": "node*,login", "ListUnitPrice": 0.5}, ROW]
    sheet = parse_sheet(rows, "s")
    assert [p.per_hour for p in sheet.of("node7", LARGE)] == [0.5]
    assert [p.per_hour for p in sheet.of("other", LARGE)] == [0.1]
    assert sheet.of("other", None) == ()


@pytest.mark.parametrize(
    ("text", "host", "instance"),
    [
        ("m5.large", None, Instance("m5.large", "here")),
        ("eu-west-1/m5.large", None, Instance("m5.large", "eu-west-1")),
        ("gcp/n1-standard-4", None, Instance("n1-standard-4", "here", "Google Cloud")),
        ("n7=azure/eastus/Standard_D4s_v5:spot", "n7",
         Instance("Standard_D4s_v5", "eastus", "Microsoft Azure", "Dynamic")),
    ],
)  # fmt: skip
def test_how_an_instance_is_written(text: str, host: str | None, instance: Instance) -> None:
    assert parse_instance(text, "here") == (host, instance)


@pytest.mark.parametrize("text", ["", "a//b", "a/b/c/d", "=m5", "h="])
def test_what_is_no_instance(text: str) -> None:
    with pytest.raises(UsageError, match="is not an instance"):
        parse_instance(text)


def test_libclouds_zero_is_a_missing_price() -> None:
    catalogue = {
        "updated": 1740936978,
        "compute": {
            "ec2_linux": {"m5.large": {"us-east-1": 0.096, "us-east-2": 0.0}},
            "azure_linux": {"standardd4sv3": {"eastus": 0.192}},
            "gce_instances": {
                "n1": {
                    "cpu": {"on_demand": {"r1": {"price": 0.03}, "r2": {"price": 0.0}}},
                    "ram": {"on_demand": {"r1": {"price": 0.004}, "r2": {"price": 0.004}}},
                }
            },
        },
    }
    types = {"m5.large": {"ram": 8192, "extra": {"vcpu": "2"}}}
    found = {(p.sku, p.region): p for p in imported(catalogue, types)}
    assert found["m5.large", "us-east-1"].per_hour == 0.096
    assert found["m5.large", "us-east-1"].memory_gib == 8
    assert found["m5.large", "us-east-2"].per_hour is None
    assert found["n1-standard-4", "r1"].per_hour == pytest.approx(4 * 0.03 + 15 * 0.004)
    assert found["n1-standard-4", "r2"].per_hour is None
    assert found["standardd4sv3", "eastus"].as_of == dt.date(2025, 3, 2)


def test_libclouds_own_catalogue() -> None:
    pytest.importorskip("libcloud")
    sheet = price_sheets()["libcloud"]()
    assert all(price.per_hour is None or price.per_hour > 0 for price in sheet.prices)
    (found,) = sheet.of(None, Instance("Standard_D4s_v3", "eastus", "Microsoft Azure"))
    assert found.per_hour == pytest.approx(0.192)


RATE = {"PricingUnit": "vCPU-Hours", "BillingCurrency": "USD", "ListUnitPrice": "0.05"}


@pytest.mark.parametrize(
    ("says", "instance", "holds"),
    [
        ({}, None, True),
        ({}, Instance("m5.large", "eu-west-1", "AWS", "Dynamic"), True),
        ({"ProviderName": "AWS"}, LARGE, True),
        ({"ProviderName": "AWS"}, Instance("n1-standard-4", "eu", "Google Cloud"), False),
        ({"ProviderName": "AWS"}, None, False),
        ({"ProviderName": "our cluster"}, None, True),
        ({"ProviderName": "our cluster"}, LARGE, False),
        ({"PricingCategory": "Dynamic"}, LARGE, False),
        ({"PricingCategory": "Dynamic"}, None, False),
        ({"PricingCategory": "spot"}, Instance("m5.large", None, "AWS", "Dynamic"), True),
        ({"PricingCategory": "Standard"}, Instance("m5.large", None, "AWS", "Dynamic"), False),
        ({"SkuId": "m5.large"}, LARGE, True),
        ({"SkuId": "m5.large"}, Instance("c5.large", "eu-west-1", "AWS"), False),
        ({"SkuId": "m5.large"}, None, False),
        ({"SkuId": "core-hours"}, LARGE, True),
        ({"RegionId": "us-east-1"}, LARGE, False),
    ],
)
def test_what_a_rate_says_has_to_fit_the_host(
    says: dict[str, str], instance: Instance | None, holds: bool
) -> None:
    (price,) = parse_sheet([{**RATE, **says}], "s").prices
    assert price.holds_for("h", instance) is holds


def test_of_two_rates_the_one_that_says_more_stands() -> None:
    more = {**RATE, "RegionId": "eu-west-1", "ListUnitPrice": "0.07"}
    for rows in ([RATE, more], [more, RATE]):
        found = rates(Pricing((parse_sheet(rows, "s"),)), [Host("r", "h", LARGE)])
        assert found.table["cpu_rate"].to_pylist() == [0.07]


def test_two_rates_that_fit_alike_are_no_price() -> None:
    rows = [
        {**RATE, "RegionId": "eu-west-1", "ListUnitPrice": "0.07"},
        {**RATE, "ProviderName": "AWS", "ListUnitPrice": "0.06"},
    ]
    sheets = (parse_sheet(rows, "mine"), price_sheets()["generic"]())
    found = rates(Pricing(sheets), [Host("r", "h", LARGE)])
    assert found.table["cpu_rate"].to_pylist() == [None]
    ((_, why),) = found.hosts
    assert why is not None
    assert why.startswith("mine: it has two prices for a core that fit alike (0.06 and 0.07)")
    rows[1]["ListUnitPrice"] = "0.07"
    found = rates(Pricing((parse_sheet(rows, "mine"),)), [Host("r", "h", LARGE)])
    assert found.table["cpu_rate"].to_pylist() == [0.07]
