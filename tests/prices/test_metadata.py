"""What machine this is: asked of a local server that answers as the clouds' services do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.web import Asked, answering
from tracer_hooks.prices import metadata, recorded
from tracer_hooks.prices.instance import Instance
from tracer_hooks.prices.metadata import cloud, this_instance
from tracer_hooks.store import Store
from tracer_hooks.supervisor.spool import make_folders

# As the services' documents show their answers, shortened.
DOCUMENT = {
    "accountId": "123456789012", "architecture": "x86_64", "availabilityZone": "us-west-2b",
    "imageId": "ami-5fb8c835", "instanceId": "i-1234567890abcdef0", "instanceType": "m5.xlarge",
    "region": "us-west-2", "version": "2017-09-30",
}  # fmt: skip
GOOGLE = {
    "machineType": "projects/123456789/machineTypes/n1-standard-4",
    "zone": "projects/123456789/zones/europe-west1-b",
    "scheduling": {"automaticRestart": "FALSE", "preemptible": "TRUE"},
}
AZURE = {
    "location": "westeurope", "name": "vm", "osType": "Linux", "priority": "",
    "vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6", "vmSize": "Standard_D4s_v3",
}  # fmt: skip


def services(asked: Asked) -> tuple[int, bytes]:
    """The three services on one port; each refuses what the real one refuses."""
    path, _, query = asked.path.partition("?")
    if asked.method == "PUT":
        lasts = asked.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        right = path == "/latest/api/token" and lasts is not None
        return (200, b"TOKEN==") if right else (403, b"")
    if path.startswith("/latest/"):
        if asked.headers.get("X-aws-ec2-metadata-token") != "TOKEN==":
            return 401, b""  # IMDSv1 is switched off
        known = {
            "/latest/dynamic/instance-identity/document": json.dumps(DOCUMENT).encode(),
            "/latest/meta-data/instance-life-cycle": b"spot",
        }
        return (200, known[path]) if path in known else (404, b"")
    if path == "/computeMetadata/v1/instance/":
        right = asked.headers.get("Metadata-Flavor") == "Google" and query == "recursive=true"
        return (200, json.dumps(GOOGLE).encode()) if right else (403, b"")
    if path == "/metadata/instance/compute":
        right = asked.headers.get("Metadata") == "true" and "api-version=" in query
        return (200, json.dumps(AZURE).encode()) if right else (400, b"")
    return 404, b""


@pytest.fixture
def address() -> Iterator[str]:
    with answering(services) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("provider", "instance"),
    [
        ("AWS", Instance("m5.xlarge", "us-west-2", "AWS", "Dynamic", "AWS IMDSv2")),
        ("Google Cloud", Instance("n1-standard-4", "europe-west1", "Google Cloud", "Dynamic",
                                  "Google Cloud metadata server")),
        ("Microsoft Azure", Instance("Standard_D4s_v3", "westeurope", "Microsoft Azure",
                                     "Standard", "Microsoft Azure IMDS")),
    ],
)  # fmt: skip
def test_each_cloud_says_what_it_is(
    address: str, provider: str, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # must be passed by
    assert this_instance(provider, address) == instance


@pytest.mark.parametrize("provider", ["AWS", "Google Cloud", "Microsoft Azure"])
def test_a_service_that_is_not_there_or_speaks_otherwise_says_nothing(
    address: str, provider: str
) -> None:
    assert this_instance(provider, "http://127.0.0.1:1") is None
    assert this_instance(provider, address + "/elsewhere") is None


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, None),
        ({"sys_vendor": "QEMU", "product_name": "Standard PC"}, None),
        ({"sys_vendor": "Amazon EC2\n"}, "AWS"),
        ({"sys_vendor": "Xen", "bios_version": "4.11.amazon"}, "AWS"),
        ({"product_name": "Google Compute Engine\n"}, "Google Cloud"),
        ({"sys_vendor": "Microsoft Corporation",
          "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"}, "Microsoft Azure"),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, None),
    ],
)  # fmt: skip
def test_the_firmware_names_the_cloud(
    tmp_path: Path, files: dict[str, str], found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert cloud(tmp_path) == found
    monkeypatch.setenv("TRACER_HOOKS_METADATA", "off")
    assert cloud(tmp_path) is None


HERE = os.uname().nodename
BOOTED = 1_700_000_000.0


@pytest.fixture
def on_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is one of AWS's, started anew at BOOTED."""
    instance = Instance("m5.xlarge", "us-west-2", "AWS", source="AWS IMDSv2")
    monkeypatch.setattr(recorded, "cloud", lambda: "AWS")
    monkeypatch.setattr(recorded, "this_instance", lambda _: instance)
    monkeypatch.setattr(recorded, "_booted_at", lambda: BOOTED)


def a_store(folder: Path, host: str, started_at: float) -> Store:
    spool = folder / "spool" / "r"
    make_folders(str(spool))
    card = {"run_id": "r", "task_id": "t", "attempt": 1}
    lines = [
        {"t": "card", "v": 1, "card": card, "host": host, "started_at": started_at, "argv": ["x"]},
        {"t": "sealed", "status": "succeeded", "exit_code": 0, "ended_at": started_at + 1},
    ]
    (spool / "t.1.x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Store(folder)


@pytest.mark.usefixtures("on_aws")
def test_a_run_that_went_on_after_the_machine_was_started_anew_learns_nothing(
    tmp_path: Path,
) -> None:
    a_store(tmp_path, HERE, BOOTED - 3600)
    before = tmp_path / "spool" / "r" / "t.1.x.jsonl"
    before.rename(before.with_name("before.1.x.jsonl"))
    assert not recorded.record_instance(a_store(tmp_path, HERE, BOOTED + 60), "r")


def instances(store: Store) -> list[dict[str, str]]:
    events = store.events("r")
    said = events[events["kind"] == "instance"]["detail"]
    return [json.loads(detail) for detail in said]


@pytest.mark.usefixtures("on_aws")
def test_what_this_machine_is_stays_with_the_runs_that_ran_on_it(tmp_path: Path) -> None:
    store = a_store(tmp_path, HERE, BOOTED + 60)
    assert recorded.record_instance(store, "r")
    (said,) = instances(store)
    assert (said["host"], said["region"]) == (HERE, "us-west-2")
    assert said["instance_type"] == "m5.xlarge"
    assert not recorded.record_instance(store, "r")  # once is enough
    store.ingest("r")
    assert len(instances(Store(tmp_path))) == 1
    assert not list((tmp_path / "spool" / "r").glob("*.jsonl"))
    assert len(store.runs()) == 1
    assert store.runs()["status"].tolist() == ["succeeded"]


@pytest.mark.usefixtures("on_aws")
@pytest.mark.parametrize(
    ("host", "started_at"), [("elsewhere", BOOTED + 60), (HERE, BOOTED - 3600)]
)
def test_a_run_that_was_elsewhere_or_before_this_boot_learns_nothing(
    tmp_path: Path, host: str, started_at: float
) -> None:
    store = a_store(tmp_path, host, started_at)
    assert not recorded.record_instance(store, "r")
    assert instances(store) == []


def test_where_no_cloud_is_named_nothing_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "_DMI", tmp_path)

    def asked(_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(recorded, "cloud", lambda: cloud(tmp_path))
    monkeypatch.setattr(recorded, "this_instance", asked)
    assert not recorded.record_instance(a_store(tmp_path, HERE, BOOTED + 60), "r")
