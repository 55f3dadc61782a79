"""Jobs that other executors run, traced inside the remote job: a pretend cluster, and Slurm."""

from __future__ import annotations

from typing import Any

import pytest

from tests import slurm_node

TASKS = {
    ("map:sample=A", 1),
    ("map:sample=B", 1),
    ("run_python", 1),
    ("first", 1),
    ("second", 1),
}


def _check_remote(workdir: Any) -> None:
    attempts = workdir.attempts()
    card = attempts["map:sample=A", 1].card
    assert card["sample"] == "A"
    assert card["cpus_requested"] == 2
    assert card["memory_requested_bytes"] == 200_000_000
    assert card["time_requested_s"] == 300
    assert card["submitted_at"] < attempts["map:sample=A", 1].head["started_at"]
    # Job ids restart at 0 in a job's own Snakemake: these are the outer ones, of the user's log.
    jobids = {task: a.card["tags"]["jobid"] for (task, _), a in attempts.items()}
    assert len(set(jobids.values())) == len(jobids)
    assert attempts["run_python", 1].card["tags"]["kind"] == "run"
    assert workdir.files()["run.txt"] == "onetwo"
    begin = workdir.run_record()[0]
    assert {a.card["run_id"] for a in attempts.values()} == {begin["run_id"]}
    assert "TRACER_HOOKS_SNAKEMAKE" not in workdir.files()["env.A"]


def test_cluster_generic(snakemake: Any) -> None:
    workdir = snakemake("cluster")
    done = workdir.run(
        *("--executor", "tracer", "--tracer-inner", "cluster-generic", "--tracer-no-summary"),
        *("--cluster-generic-submit-cmd", "./submit.sh", "--jobs", "4"),
        *("--seconds-between-status-checks", "1"),
        env={"TRACER_HOOKS_REDACT": "cluster-generic-submit-c.d\nmapped/[AB]"},
    )
    assert done.returncode == 0, done.stdout
    assert "tracer-hooks:" not in done.stdout
    local = ("collect", 1)  # a local rule, beside the cluster
    assert set(workdir.attempts()) == {*TASKS, local, ("retried", 1), ("retried", 2)}
    _check_remote(workdir)
    # what the user's patterns name is masked in the run's record, and inside remote jobs
    argv = " ".join(workdir.attempts()["map:sample=A", 1].head["argv"])
    assert "***.txt" in argv
    assert "mapped/A" not in argv
    assert "--***" in workdir.run_record()[0]["command"]
    assert workdir.files()["collected.txt"] == "A\nB\nonetwofirst\nsecond\ndone\n"
    assert workdir.run_record()[0]["tags"]["executor"] == "cluster-generic"
    assert workdir.run_record()[-1]["status"] == "succeeded"
    assert workdir.run_record()[-1]["total_tasks"] == 7


@pytest.mark.slurm
@pytest.mark.skipif(slurm_node.missing() is not None, reason=str(slurm_node.missing()))
def test_slurm(snakemake: Any, tmp_path: Any) -> None:
    workdir = snakemake("cluster")
    with slurm_node.SlurmNode(tmp_path / "slurm") as node:
        path = workdir.environment()["PATH"]
        done = workdir.run(
            *("mapped/A.txt", "mapped/B.txt", "run.txt", "grouped/second.txt"),
            *("--executor", "tracer", "--tracer-inner", "slurm", "--tracer-no-summary"),
            *("--slurm-no-account", "--slurm-status-command", "squeue", "--jobs", "4"),
            *("--default-resources", "mem_mb=500", "slurm_partition=main"),
            *("--slurm-init-seconds-before-status-checks", "5"),
            *("--seconds-between-status-checks", "2"),
            env={**node.environment, "PATH": f"{tmp_path}/slurm/bin:{path}"},
        )
    assert done.returncode == 0, done.stdout
    assert set(workdir.attempts()) == TASKS
    _check_remote(workdir)
