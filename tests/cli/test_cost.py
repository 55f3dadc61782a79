"""`cost`, and what `report` says of prices, on a store that the real supervisor wrote."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path

import pytest

from tests.cli.command import here, one_error

Capsys = pytest.CaptureFixture[str]
PRICED = ("--instance", "m5.xlarge", "--region", "us-east-1")
COSTS = ("allocated", "useful", "headroom", "over_requested", "unmeasured", "failed")


@pytest.fixture(autouse=True)
def no_prices_of_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRACER_HOOKS_PRICES", "TRACER_HOOKS_INSTANCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRACER_HOOKS_METADATA", "off")


def test_a_report_says_what_a_run_cost(store: Path, capsys: Capsys) -> None:
    done = here(capsys, "report", "second", "--store", store, *PRICED, "--carbon")
    assert done.returncode == 0
    _, _, section = done.stdout.partition("\nCost ")
    head = section.splitlines()[0]
    assert "prices: list, as of 2025-03-01; method resource_rates" in head
    assert "allocated" in section
    assert "CO2e/kWh; the Green Algorithms formula" in " ".join(section.split())


def test_the_json_of_a_report_adds_up(store: Path, capsys: Capsys) -> None:
    done = here(capsys, "report", "second", "--store", store, "--format", "json", *PRICED)
    said = json.loads(done.stdout)
    run = said["cost"]
    assert (run["currency"], run["price_as_of"], run["unpriced_share"]) == ("USD", "2025-03-01", 0)
    for name in COSTS:
        assert run[name] is not None
        for rows in (
            [task["cost"] for task in said["tasks"]],
            [step["cost"] for step in said["steps"]],
            run["tools"],
            run["samples"],
        ):
            assert math.isclose(math.fsum(row[name] for row in rows), run[name], abs_tol=1e-10)
    parts = sum(run[name] for name in ("useful", "headroom", "over_requested", "unmeasured"))
    assert math.isclose(parts, run["allocated"], abs_tol=1e-10)
    assert math.isclose(run["allocated"] + run["idle"], run["host_cost"], abs_tol=1e-10)
    failed = [t["cost"]["failed"] for t in said["tasks"] if t["status"] == "failed"]
    assert failed == [run["failed"]]
    assert run["failed"] > 0


def test_without_a_price_nothing_is_said_to_cost_nothing(store: Path, capsys: Capsys) -> None:
    done = here(capsys, "report", "second", "--store", store, "--format", "json")
    said = json.loads(done.stdout)
    assert [said["cost"][name] for name in (*COSTS, "idle")] == [None] * 7
    assert said["cost"]["unpriced_share"] == 1
    assert said["tasks"][0]["cost"]["allocated"] is None
    text = here(capsys, "report", "second", "--store", store).stdout
    assert "No price for" in text
    assert "--prices generic" in text
    page = here(capsys, "report", "second", "--store", store, "--format", "markdown").stdout
    assert "- Say what it is with `--instance TYPE --region REGION`, or name" in page


@pytest.mark.parametrize(
    ("instance", "why", "remedy"),
    [
        ("m5.large", "the region of its m5.large is not known", "Say what it is with `--instance"),
        ("m5.larch", "no sheet has a price for m5.larch", "Name prices with `--prices FILE`"),
    ],
)
def test_what_was_said_already_is_no_remedy(
    instance: str, why: str, remedy: str, store: Path, capsys: Capsys
) -> None:
    told = here(capsys, "cost", "first", "--store", store, "--instance", instance).stdout
    assert why in told
    assert remedy in told
    assert told.count("--instance") == remedy.count("--instance")


def test_formats_of_a_report(store: Path, capsys: Capsys) -> None:
    markdown = here(capsys, "report", "--store", store, "--format", "markdown", *PRICED).stdout
    assert "### Cost" in markdown
    assert "| step | cost |" in markdown


@pytest.mark.parametrize("by", ["run", "pipeline", "step", "task", "tool", "sample", "tag:lane"])
def test_costs_of_all_runs_add_up(store: Path, capsys: Capsys, by: str) -> None:
    done = here(capsys, "cost", "--all", "--store", store, "--by", by, "--format", "json", *PRICED)
    said = json.loads(done.stdout)
    for name in COSTS:
        total = math.fsum(row[name] for row in said["rows"])
        assert math.isclose(total, said["total"][name], abs_tol=1e-10)
    if by == "tag:lane":
        assert [row["tag"] for row in said["rows"]] == ["3"]


def test_costs_as_text_and_csv(store: Path, capsys: Capsys) -> None:
    text = here(capsys, "cost", "first", "second", "--store", store, *PRICED).stdout
    assert re.search(r"^ +second +3 ", text, re.M)
    assert re.search(r"^ +all +4 ", text, re.M)
    assert "idle hosts" in text
    read = here(capsys, "cost", "--all", "--store", store, "--format", "csv", *PRICED).stdout
    rows = {row["run_id"]: row for row in csv.DictReader(io.StringIO(read))}
    assert set(rows) == {"first", "second", "(idle)"}
    assert {row["currency"] for row in rows.values()} == {"USD"}
    unpriced = here(capsys, "cost", "--all", "--store", store, "--format", "csv").stdout
    assert {row["allocated"] for row in csv.DictReader(io.StringIO(unpriced))} == {""}


def test_a_name_from_a_run_is_shown_and_obeyed_by_nothing(store: Path, capsys: Capsys) -> None:
    done = here(capsys, "cost", "--all", "--store", store, "--by", "task", *PRICED)
    assert "\x1b" not in done.stdout
    assert "many[red]" in done.stdout


def test_the_users_own_sheet_wins(store: Path, tmp_path: Path, capsys: Capsys) -> None:
    sheet = tmp_path / "ours.csv"
    sheet.write_text("PricingUnit,BillingCurrency,ListUnitPrice\nvCPU-Hours,EUR,3600\n")
    done = here(
        capsys, "cost", "second", "--store", store, "--prices", str(sheet), "--format", "json",
        *PRICED,
    )  # fmt: skip
    total = json.loads(done.stdout)["total"]
    assert total["currency"] == "EUR"
    # Two cores were asked for, all the while, at one EUR a second.
    assert total["allocated"] >= 2 * total["wall_s"] * 0.999
    assert total["idle"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "guess"), "did you mean|is not one of"),
        (("--prices", "nowhere.csv"), "no price sheet nowhere.csv"),
        (("--instance", "a//b"), "is not an instance"),
        (("--margin", "much"), "is not a number"),
        (("--by", "moon"), "is not one of run"),
        (("--all",), "not both"),
    ],
)
def test_what_is_wrong_is_one_line(
    store: Path, capsys: Capsys, arguments: tuple[str, ...], said: str
) -> None:
    done = here(capsys, "cost", "second", "--store", store, *arguments)
    assert re.search(said, one_error(done, done.returncode))
    assert done.returncode in (1, 2)
