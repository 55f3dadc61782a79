"""Why a task failed: four deaths that look alike from outside, and what tells them apart."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.harness import PYTHON, Observed, command_for, observe, read_spools
from tests.supervisor.memory_group import EAT, LIMIT, WAIT, make_group
from tracer_hooks.supervisor.evidence import Evidence, OomKill, Received, seconds_of
from tracer_hooks.supervisor.explanation import explain, limits_of_time
from tracer_hooks.supervisor.outcome import outcome


def evidence_of(observed: Observed) -> dict[str, Any]:
    (event,) = [line for line in observed.of_type("e") if line["kind"] == "failure"]
    detail: dict[str, Any] = event["detail"]
    assert detail["cause"] == observed.sealed["failure_cause"]
    return detail


def events(observed: Observed, kind: str) -> list[dict[str, Any]]:
    return [line for line in observed.of_type("e") if line["kind"] == kind]


@pytest.fixture
def limited() -> Iterator[Callable[[], None]]:
    """What a child calls to enter a memory cgroup (v1 or v2) with a small limit."""
    group = make_group()
    yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    with contextlib.suppress(OSError):  # a zombie of ours may be left in it for a moment
        group.rmdir()


def test_main_process_killed_by_the_limit(tmp_path: Path, limited: Callable[[], None]) -> None:
    observed = observe(tmp_path, [PYTHON, "-c", WAIT + EAT], preexec_fn=limited)
    assert observed.returncode == 128 + signal.SIGKILL
    assert observed.sealed["failure_cause"] == "oom"
    (oom,) = events(observed, "oom")
    main = next(row for row in observed.processes().values() if row["parent"] is None)
    assert oom["detail"]["pid"] == main["pid"]
    assert oom["detail"]["by"] == "SIGKILL"
    assert evidence_of(observed)["oom_kills"] == 1
    (limit,) = events(observed, "limit")
    assert limit["detail"]["memory_bytes"] == LIMIT
    assert limit["detail"]["own"] is True


@pytest.mark.parametrize("tail", ["exit $?", "echo gave up; exit 3"])
def test_a_child_killed_by_the_limit(
    tmp_path: Path, limited: Callable[[], None], tail: str
) -> None:
    script = f"{PYTHON} -c '{WAIT}{EAT}'; {tail}"
    observed = observe(tmp_path, ["bash", "-c", script], preexec_fn=limited)
    assert observed.sealed["failure_cause"] == "oom"
    (oom,) = events(observed, "oom")
    assert "python" in oom["detail"]["comm"]


def test_a_task_that_survives_a_kill_has_succeeded(
    tmp_path: Path, limited: Callable[[], None]
) -> None:
    script = f"{PYTHON} -c '{WAIT}{EAT}'; sleep 0.2; exit 0"
    observed = observe(tmp_path, ["bash", "-c", script], preexec_fn=limited)
    assert (observed.sealed["status"], observed.sealed["failure_cause"]) == ("succeeded", None)
    assert len(events(observed, "oom")) == 1


def test_killed_by_hand_below_a_limit(tmp_path: Path, limited: Callable[[], None]) -> None:
    observed = observe(tmp_path, ["bash", "-c", "sleep 0.2; kill -9 $$"], preexec_fn=limited)
    assert observed.sealed["failure_cause"] == "signal"
    assert evidence_of(observed)["oom_kills"] == 0


def test_killed_by_hand(tmp_path: Path) -> None:
    observed = observe(tmp_path, ["bash", "-c", "sleep 0.2; kill -9 $$"])
    assert (observed.sealed["failure_cause"], observed.sealed["signal"]) == ("signal", 9)
    assert not events(observed, "oom")


def test_exit_137_by_itself(tmp_path: Path) -> None:
    observed = observe(tmp_path, ["bash", "-c", "sleep 0.2; exit 137"])
    assert (observed.sealed["failure_cause"], observed.sealed["exit_code"]) == ("exit_code", 137)
    assert evidence_of(observed)["signal"] is None


@pytest.mark.parametrize(
    "script",
    [
        "exec timeout 0.4 sleep 9",
        "timeout 0.4 sleep 9",
        "timeout -s KILL 0.4 sleep 9; exit $?",
        "timeout --preserve-status 0.4 sleep 9; exit $?",
    ],
)
def test_timeout_within_the_task(tmp_path: Path, script: str) -> None:
    observed = observe(tmp_path, ["bash", "-c", script])
    assert observed.returncode in (124, 137, 143)
    assert (observed.sealed["status"], observed.sealed["failure_cause"]) == ("failed", "timeout")
    shown = evidence_of(observed)
    assert (shown["timeout_by"], shown["timeout_s"]) == ("timeout", 0.4)


@pytest.mark.parametrize(
    "script",
    [
        "sleep 0.2; exit 124",  # nobody was waiting
        "timeout 60 sh -c 'sleep 0.2; exit 124'",  # somebody was, but not for long enough
        "timeout 60 sh -c 'sleep 0.2; kill -9 $$'; exit $?",
        "timeout 0.2 sleep 9; exit 3",  # it was foreseen, and the task failed for another reason
    ],
)
def test_no_timeout(tmp_path: Path, script: str) -> None:
    observed = observe(tmp_path, ["bash", "-c", script])
    assert observed.sealed["failure_cause"] == "exit_code"


def test_timeout_around_the_supervisor(tmp_path: Path) -> None:
    command = command_for(tmp_path, ["sleep", "9"])
    done = subprocess.run(["timeout", "0.6", *command], timeout=30)
    assert done.returncode == 124
    observed = Observed(done.returncode, b"", b"", read_spools(tmp_path)[-1])
    assert observed.sealed["failure_cause"] == "timeout"
    sent = events(observed, "signal")[0]["detail"]
    assert (sent["signal"], sent["sender"], sent["sender_uid"]) == (15, "timeout", os.getuid())


def test_cancelled_by_somebody(tmp_path: Path) -> None:
    # the sender is the command itself, which lives and has a name
    observed = observe(
        tmp_path, ["bash", "-c", "sleep 0.2; kill $PPID; sleep 1 > /dev/null 2>&1; true"]
    )
    assert observed.sealed["failure_cause"] == "cancelled"
    (sent,) = events(observed, "signal")
    assert sent["detail"]["sender"] == "bash"


# the rules by themselves


def received(number: int, comm: str, at: float) -> Received:
    return Received(number, 4711, 0, comm, at)


def explained(status: int, got: list[Received], evidence: Evidence, now: float = 20.0) -> object:
    found, _ = explain(outcome(status, got), got, evidence, 0.0, now)
    return found["failure_cause"]


def test_terminated_when_the_requested_time_was_over() -> None:
    evidence = Evidence()
    limits_of_time(evidence, '{"time_requested_s": 10}', 0.0)
    assert explained(15, [received(15, "python", 10.1)], evidence) == "timeout"
    assert explained(15, [received(15, "python", 4.0)], evidence) == "cancelled"
    assert explained(9, [], evidence, now=10.1) == "timeout"
    assert explained(9, [], evidence, now=4.0) == "signal"
    assert explained(1 << 8, [], evidence, now=12.0) == "exit_code"


def test_slurms_limit_and_scancel() -> None:
    evidence = Evidence()
    evidence.slurm_end = 100.0
    assert explained(15, [received(15, "slurmstepd", 100.0)], evidence) == "timeout"
    assert explained(15, [received(15, "slurmstepd", 20.0)], evidence) == "cancelled"
    assert explained(15, [received(15, "bash", 100.0)], evidence) == "cancelled"


def test_the_end_of_a_slurm_job(monkeypatch: pytest.MonkeyPatch) -> None:
    import posix

    monkeypatch.setitem(posix.environ, b"SLURM_JOB_END_TIME", b"1000")
    evidence = Evidence()
    limits_of_time(evidence, "{}", 900.0)
    assert (evidence.slurm_end, evidence.time_requested_s) == (100.0, None)


def test_a_cancelled_task_that_had_lost_a_child_to_memory_is_cancelled() -> None:
    evidence = Evidence()
    evidence.oom_kills.append(OomKill("memory.events /x", True, 1.0, 1.1))
    assert explained(15, [received(15, "python", 4.0)], evidence) == "cancelled"
    assert explained(9, [], evidence) == "oom"
    assert explained(0, [], evidence) is None


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("timeout 5 sleep 9", 5.0),
        ("timeout -k 3 2m sleep 9", 120.0),
        ("timeout --signal=KILL --foreground 1.5h sleep 9", 5400.0),
        ("timeout -s KILL -- 1d sleep 9", 86400.0),
        ("timeout", None),
        ("timeout soon sleep 9", None),
    ],
)
def test_durations(words: str, seconds: float | None) -> None:
    assert seconds_of(words.split()) == seconds
