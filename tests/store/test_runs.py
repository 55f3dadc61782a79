"""The list of runs: recorded by an adapter, or derived from the tasks."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from tracer_hooks.adapter import RunRecord
from tracer_hooks.analysis.summary import run_facts
from tracer_hooks.store import Store
from tracer_hooks.store.layout import Layout

from . import spools


def only_run(store: Path) -> dict[str, Any]:
    (run,) = Store(store).runs().to_dict("records")
    return run


def finished(task_id: str, status: str, attempt: int = 1, start: float = 0) -> list[dict[str, Any]]:
    return [
        spools.card_line(task_id, card={"attempt": attempt}, started_at=spools.START + start),
        spools.sealed_line(status=status, ended_at=spools.START + start + 10, wall_s=10.0),
    ]


@pytest.mark.parametrize("ingested", [False, True])
def test_a_run_without_a_record_has_its_facts_from_its_tasks(
    tmp_path: Path, ingested: bool
) -> None:
    spools.write(tmp_path, finished("a", "failed"))
    spools.write(tmp_path, finished("a", "succeeded", attempt=2, start=20))
    spools.write(tmp_path, finished("b", "succeeded", start=5))
    if ingested:
        Store(tmp_path).ingest()
    run = only_run(tmp_path)
    assert (run["task_count"], run["attempt_count"], run["failed_count"]) == (2, 3, 0)
    assert (run["status"], run["wall_s"], run["hosts"], run["pipeline"]) == (
        "succeeded", 30.0, 1, "rna",
    )  # fmt: skip
    assert run["cpu_s"] == pytest.approx(3.6)
    assert run["started_at"] == dt.datetime.fromtimestamp(spools.START, dt.timezone.utc)


@pytest.mark.parametrize(
    ("statuses", "expected", "failed"),
    [
        (["succeeded", "failed"], "failed", 1),
        (["failed", "lost", "succeeded"], "lost", 2),
        (["cancelled", "succeeded"], "cancelled", 0),
    ],
)
def test_the_status_follows_from_the_last_attempts(
    tmp_path: Path, statuses: list[str], expected: str, failed: int
) -> None:
    for number, status in enumerate(statuses):
        spools.write(tmp_path, finished(f"t{number}", status))
    run = only_run(tmp_path)
    assert (run["status"], run["failed_count"]) == (expected, failed)


def test_a_run_with_a_task_that_runs_has_no_end(tmp_path: Path) -> None:
    spools.write(tmp_path, finished("a", "failed"))
    spools.write(tmp_path, [spools.card_line("b")])
    run = only_run(tmp_path)
    assert run["status"] == "running"
    assert str(run["ended_at"]) == "NaT"


def test_what_an_adapter_recorded_wins(tmp_path: Path) -> None:
    spools.write(tmp_path, finished("a", "failed"))
    record = RunRecord("r1", store=tmp_path, pipeline="named", engine="snakemake")
    assert (only_run(tmp_path)["status"], only_run(tmp_path)["pipeline"]) == ("running", "named")
    record.end("cancelled", total_tasks=7)
    for _ in range(2):
        run = only_run(tmp_path)
        assert (run["status"], run["total_tasks"], run["task_count"]) == ("cancelled", 7, 1)
        assert run["wall_s"] < 3600
        Store(tmp_path).ingest()
    assert not list(tmp_path.glob("spool/*/*"))


def test_a_run_that_was_resumed_is_one_run(tmp_path: Path) -> None:
    for status in ("failed", "succeeded"):
        RunRecord("r1", store=tmp_path, pipeline="p").end(status)
        Store(tmp_path).ingest()
    assert only_run(tmp_path)["status"] == "succeeded"
    RunRecord("r1", store=tmp_path)
    assert only_run(tmp_path)["status"] == "running"


def test_a_run_that_has_no_task_yet(tmp_path: Path) -> None:
    RunRecord("r1", store=tmp_path)
    run = only_run(tmp_path)
    assert (run["status"], run["task_count"], run["attempt_count"]) == ("running", 0, 0)
    assert Store(tmp_path).resolve("latest") == "r1"
    assert len(Store(tmp_path).tasks("latest")) == 0


def test_runs_come_by_age(tmp_path: Path) -> None:
    for run_id, start in (("b", 5), ("a", 9), ("c", 1)):
        lines = spools.attempt("t", run_id, started_at=spools.START + start)
        spools.write(tmp_path, json.loads(json.dumps(lines)))
    assert Store(tmp_path).runs().run_id.tolist() == ["c", "b", "a"]


def test_the_command_of_a_run_is_masked_with_the_users_patterns_too(tmp_path: Path) -> None:
    command = ["snakemake", "--config", "who=patient-7"]
    RunRecord("r1", store=tmp_path, command=command, redact=[r"patient-\d+"])
    (path,) = tmp_path.glob("spool/*/*")
    text = path.read_text()
    assert "patient-7" not in text
    assert "who=***" in text


def test_a_reader_of_all_runs_looks_for_their_folders_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        spools.write(tmp_path, spools.attempt("t", f"r{number}"))
    scans = []
    whole = Layout.spool_folders

    def counted(layout: Layout, *arguments: Any) -> dict[str, list[Path]]:
        scans.append(arguments)
        return whole(layout, *arguments)

    monkeypatch.setattr(Layout, "spool_folders", counted)
    assert len(Store(tmp_path).runs()) == 12
    assert len(scans) <= 3  # for their ids, their records and their tasks


def test_a_report_says_of_a_resumed_run_what_the_list_does(tmp_path: Path) -> None:
    """From its first start to its last end, however often it was resumed."""
    for start, status in ((0.0, "failed"), (500.0, "succeeded")):
        begun = spools.START + start
        record = RunRecord("r1", store=tmp_path, pipeline="p", started_at=begun)
        record.end(status, ended_at=begun + 10)
    spools.write(tmp_path, finished("a", "lost", start=2))
    listed = only_run(tmp_path)
    assert listed["wall_s"] == 510
    told = run_facts(Store(tmp_path), "r1")
    assert {name: told[name] for name in ("started_at", "ended_at", "wall_s", "status")} == {
        name: listed[name] for name in ("started_at", "ended_at", "wall_s", "status")
    }
