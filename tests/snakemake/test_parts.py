"""Parts of the plugin that need no workflow."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("snakemake.executors.local")

from snakemake_executor_plugin_tracer import (
    cards,
    compatibility,
    handover,
    run_tracing,
    sizes,
    tracing,
)

pytestmark = pytest.mark.snakemake
VALUES = st.text(min_size=1, max_size=8)


def _job(wildcards: dict[str, str]) -> SimpleNamespace:
    return SimpleNamespace(rule=SimpleNamespace(name="map"), wildcards_dict=wildcards)


def test_task_ids_are_readable() -> None:
    assert cards.task_id(_job({})) == "map"
    assert cards.task_id(_job({"sample": "A", "lane": "1"})) == "map:sample=A,lane=1"
    assert cards.task_id(_job({"sample": "a,b=c"})) == 'map:sample="a,b=c"'


@given(st.tuples(VALUES, VALUES), st.tuples(VALUES, VALUES))
def test_two_jobs_of_a_rule_never_share_a_task_id(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    ids = [cards.task_id(_job({"a": values[0], "b": values[1]})) for values in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)


@pytest.mark.parametrize(
    ("snakefile", "name"),
    [
        ("/home/me/rnaseq/workflow/Snakefile", "rnaseq"),
        ("/home/me/rnaseq/Snakefile", "rnaseq"),
        ("/home/me/mapping.smk", "mapping"),
        ("/Snakefile", "Snakefile"),
        (None, None),
    ],
)
def test_pipeline_names(snakefile: str | None, name: str | None) -> None:
    assert cards.pipeline_name(snakefile) == name


def test_requests_that_are_texts_or_missing_stay_unknown() -> None:
    found = cards.requested({"mem_mb": "<TBD>", "_cores": 3, "runtime": 1.5, "disk_mb": True})
    assert found == {
        "cpus_requested": 3,
        "memory_requested_bytes": None,
        "disk_requested_bytes": None,
        "time_requested_s": 90,
    }


@given(st.dictionaries(st.text(max_size=20), st.integers(0, 10**6), max_size=20), st.text())
def test_a_handover_survives_the_journey(jobids: dict[str, int], name: str) -> None:
    sent = handover.Handover(run_id=name, store="/s", interval_s=0.5, jobids=jobids)
    text = sent.encode()
    assert handover.Handover.decode(text) == sent
    assert all(c.isascii() and (c.isalnum() or c in "-_") for c in text)


def test_a_handover_of_a_huge_group_goes_without_job_ids() -> None:
    jobids = {os.urandom(16).hex(): number for number in range(5000)}
    text = handover.Handover(run_id="r", store="/s", jobids=jobids).encode()
    assert len(text) < handover.MAX_LENGTH
    assert handover.Handover.decode(text).jobids == {}


def test_what_is_to_be_masked_reaches_the_commands_of_a_remote_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from snakemake_executor_plugin_tracer.attempt import JobAttempt
    from snakemake_executor_plugin_tracer.settings import ExecutorSettings

    from tracer_hooks.adapter import TaskCard

    monkeypatch.setenv("TRACER_HOOKS_REDACT", r"patient-\d+")
    workflow = SimpleNamespace(main_snakefile="/w/Snakefile")
    job = SimpleNamespace(is_group=lambda: False, jobid=3, output=[])
    monkeypatch.setattr(cards, "task_id", lambda _: "map")
    monkeypatch.setattr(cards, "outputs", lambda _: [])
    monkeypatch.setattr(cards, "task_card", lambda _, **__: TaskCard("r", "map"))
    for no_argv in (False, True):
        here = run_tracing.RunTracing(workflow, ExecutorSettings(no_argv=no_argv, no_summary=True))
        sent = handover.Handover.decode(here.handover(job).encode())
        monkeypatch.delenv("TRACER_HOOKS_REDACT", raising=False)
        there = tracing.RemoteTracing(sent)
        for each in (here, there):
            argv = JobAttempt(each, job).supervise(["true"])
            assert argv is not None
            assert argv[argv.index("--redact") + 1] == r"patient-\d+"
            assert ("--no-argv" in argv) is no_argv
        monkeypatch.setenv("TRACER_HOOKS_REDACT", r"patient-\d+")


@pytest.mark.parametrize("text", ["", "%%%", "abcd", "eJwDAAAAAAE"])
def test_a_damaged_handover_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="damaged"):
        handover.Handover.decode(text)


def test_sizes_of_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "file").write_bytes(b"123")
    (tmp_path / "file").write_bytes(b"12345")
    paths = [str(tmp_path / name) for name in ("folder", "file", "missing")]
    assert sizes.total_bytes(paths) == 8
    assert sizes.total_bytes(paths[2:]) is None
    assert sizes.total_bytes([]) is None


def test_sizes_that_cost_too_much_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        (tmp_path / str(number)).write_bytes(b"1")
    monkeypatch.setattr(sizes, "MAX_ENTRIES", 4)
    assert sizes.total_bytes([str(tmp_path)]) is None


def test_this_snakemake_is_made_as_we_know_it() -> None:
    assert compatibility.differences() == []


def test_a_missing_part_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    from snakemake.executors import local

    monkeypatch.delattr(local.Executor, "spawn_job")
    assert any("spawn_job" in problem for problem in compatibility.differences())
