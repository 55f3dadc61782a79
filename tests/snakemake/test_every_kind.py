"""Every kind of job, under the traced and the stock local executor: the same, plus records."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

# Shell variables that are the shell's own business and differ from run to run.
VOLATILE = re.compile(r"^(PWD|OLDPWD|SHLVL|_|TMPDIR)=")


@pytest.fixture(scope="module")
def both(snakemake: Any) -> Any:
    """(traced workdir, its log), (stock workdir, its log) of the same workflow."""

    def run(executor: str) -> Any:
        workdir = snakemake("every_kind")
        extra = ["--tracer-no-summary"] if executor == "tracer" else []
        arguments = ["--cores", "4", "--config", "notebook=1"]
        done = workdir.run("--executor", executor, *arguments, *extra)
        assert done.returncode == 0, done.stdout
        return workdir, done.stdout

    with ThreadPoolExecutor() as side_by_side:
        return list(side_by_side.map(run, ("tracer", "local")))


def test_the_outputs_are_the_same(both: Any) -> None:
    (traced, _), (stock, _) = both
    ours, theirs = traced.files(), stock.files()
    assert set(ours) == set(theirs)
    for name in ours:
        if not name.startswith("env."):
            assert ours[name] == theirs[name], name


def test_a_jobs_environment_is_the_same(both: Any) -> None:
    (traced, _), (stock, _) = both

    def variables(text: str) -> set[str]:
        return {line for line in text.splitlines() if not VOLATILE.match(line)}

    assert variables(traced.files()["env.A"]) == variables(stock.files()["env.A"])


def test_the_log_tells_of_the_same_jobs(both: Any) -> None:
    def jobs(log: str) -> list[str]:
        pattern = r"^ *(?:local)?(?:rule|checkpoint) \w+:$|steps \(100%\)|Error in rule \w+"
        return sorted(re.findall(pattern, log, re.MULTILINE))

    (_, traced), (_, stock) = both
    assert jobs(traced) == jobs(stock)
    assert len(jobs(traced)) > 20
    assert "tracer-hooks:" not in traced


def test_each_attempt_is_recorded_once(both: Any) -> None:
    (traced, _), _ = both
    names = set(traced.attempts())
    tasks = [
        "make_input:sample=A",
        "make_input:sample=B",
        "map:sample=A",
        "map:sample=B",
        "scripted",
        "run_python",
        "shadowed",
        "shadowed_run",
        "in_notebook",
        "pipe_from",
        "pipe_to",
        "service",
        "client",
        "retried",
        "benchmarked",
        "repeated",
        "repeated#2",
        "scatter",
        "gather",
        "large",
    ]
    assert names == {(task, 1) for task in tasks} | {("retried", 2)}


def test_a_card_says_who_a_job_is_and_what_it_asked_for(both: Any) -> None:
    (traced, _), _ = both
    attempt = traced.attempts()["map:sample=A", 1]
    card = attempt.card
    assert card["step"] == "map"
    assert card["sample"] == "A"
    assert card["engine"] == "snakemake"
    assert card["pipeline"] == "work"
    assert card["cpus_requested"] == 2
    assert card["memory_requested_bytes"] == 150_000_000
    assert card["disk_requested_bytes"] == 20_000_000
    assert card["time_requested_s"] == 180
    assert card["input_bytes"] == 2
    assert card["tags"]["resource.gpu"] == "1"
    assert card["tags"]["wildcard.sample"] == "A"
    assert card["tags"]["kind"] == "shell"
    assert int(card["tags"]["jobid"]) > 0
    assert card["submitted_at"] <= attempt.head["started_at"] + 0.1
    assert attempt.sealed["output_bytes"] == len(traced.files()["mapped/A.txt"])
    assert "hunter2" not in str(attempt.head)


def test_attempts_and_their_ends(both: Any) -> None:
    (traced, _), _ = both
    attempts = traced.attempts()
    first, second = attempts["retried", 1], attempts["retried", 2]
    assert (first.sealed["status"], first.sealed["exit_code"]) == ("failed", 3)
    assert second.sealed["status"] == "succeeded"
    assert second.card["memory_requested_bytes"] == 200_000_000
    assert attempts["service", 1].sealed["signal"] == 15
    assert attempts["service", 1].card["tags"]["service"] == "true"
    ends = {name: a.sealed["status"] for name, a in attempts.items()}
    others = set(ends) - {("retried", 1), ("service", 1)}
    assert {ends[name] for name in others} == {"succeeded"}


def test_the_run_is_recorded(both: Any) -> None:
    (traced, _), _ = both
    begin, end = traced.run_record()
    assert begin["t"] == "run"
    assert begin["engine"] == "snakemake"
    assert begin["engine_version"]
    assert end["t"] == "run_end"
    assert end["status"] == "succeeded"
    assert end["total_tasks"] == 19


def test_benchmark_measures_the_job_and_not_the_supervisor(both: Any) -> None:
    (traced, _), (stock, _) = both
    memory = []
    for workdir in (traced, stock):
        header, row = (workdir.folder / "bench/benchmarked.tsv").read_text().splitlines()
        memory.append(float(row.split("\t")[header.split("\t").index("max_rss")]))
        assert len((workdir.folder / "bench/repeated.tsv").read_text().splitlines()) == 3
    # The job holds 100 MB; the supervisor would add more than ten.
    assert abs(memory[0] - memory[1]) < 5


def test_the_executors_agree_on_what_is_up_to_date(both: Any) -> None:
    for (workdir, _), executor in zip(both, ("local", "tracer"), strict=True):
        before = workdir.files()
        extra = ["--cores", "1", "--config", "notebook=1"]
        done = workdir.run("--executor", executor, *extra)
        assert done.returncode == 0, done.stdout
        assert "Nothing to be done" in done.stdout
        assert workdir.files() == before
    assert not both[1][0].store.exists()  # a run with nothing to do leaves nothing behind
