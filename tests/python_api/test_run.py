"""`th.run`: as subprocess.run, and recorded."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import tracer_hooks as th


def test_a_command_and_its_record(tmp_path: Path) -> None:
    done = th.run(
        [sys.executable, "-c", "import sys; sys.exit(3)"],
        store=tmp_path, run="R", pipeline="P", step="S", task="T", attempt=2, sample="X",
        tags={"lane": "3"}, cpus=2, memory="1G", time=timedelta(minutes=5),
    )  # fmt: skip
    assert (done.returncode, done.run_id, done.task_id, done.attempt) == (3, "R", "T", 2)
    assert done.args[0] == sys.executable
    (row,) = th.Store(tmp_path).tasks("R").to_dict("records")
    assert (row["task_id"], row["attempt"], row["step"], row["sample"]) == ("T", 2, "S", "X")
    assert (row["status"], row["exit_code"], row["pipeline"]) == ("failed", 3, "P")
    assert row["memory_requested_bytes"] == 1024**3
    assert (row["cpus_requested"], row["time_requested_s"]) == (2, 300)
    assert dict(row["tags"]) == {"lane": "3"}
    report = done.report()
    assert list(report.tasks["task_id"]) == ["T"]
    assert "<table" in report._repr_html_()


def test_a_task_report_holds_that_task_alone(tmp_path: Path) -> None:
    first = th.run(["true"], store=tmp_path, run="R", step="a")
    second = th.run(["sh", "-c", "exit 1"], store=tmp_path, run="R", step="b")
    assert list(first.report().tasks["step"]) == ["a"]
    assert list(second.report().tasks["step"]) == ["b"]
    assert second.report().run["status"] == "failed"
    assert first.report().run["status"] == "succeeded"
    assert len(th.report("R", store=tmp_path).tasks) == 2
    assert len(th.report(store=tmp_path).tasks) == 2


def test_commands_without_a_run_belong_to_one_for_this_process(tmp_path: Path) -> None:
    one, two = (th.run(["true"], store=tmp_path) for _ in range(2))
    assert one.run_id == two.run_id
    assert one.task_id != two.task_id
    assert one.task_id.startswith("true-")


def test_streams_input_and_text(tmp_path: Path) -> None:
    done = th.run(["cat"], store=tmp_path, input="hällo", text=True, stdout=subprocess.PIPE)
    assert done.stdout == "hällo"
    bare = th.run(["sh", "-c", "echo out; echo err >&2"], store=tmp_path, stdout=-1, stderr=-1)
    assert (bare.stdout, bare.stderr) == (b"out\n", b"err\n")


def test_standard_streams_pass_through(tmp_path: Path) -> None:
    program = f"import tracer_hooks as th; th.run(['cat'], store={str(tmp_path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", program], input=b"\x00\xff", capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"\x00\xff", b"")


def test_cwd_and_env(tmp_path: Path) -> None:
    done = th.run(
        ["sh", "-c", 'pwd; echo "$ODD"'],
        store=tmp_path / "s", cwd=tmp_path, env={**os.environ, "ODD": "a b"}, stdout=-1, text=True,
    )  # fmt: skip
    assert done.stdout == f"{tmp_path}\na b\n"


def test_check_raises_as_subprocess_does(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        th.run(["sh", "-c", "exit 9"], store=tmp_path, check=True)
    assert caught.value.returncode == 9
    assert th.run(["no-such-command"], store=tmp_path, stderr=-1).returncode == 127


def test_death_by_signal_is_128_plus_n(tmp_path: Path) -> None:
    assert th.run(["sh", "-c", "kill -TERM $$"], store=tmp_path).returncode == 143


def test_a_timeout_ends_the_command_and_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        th.run(["sleep", "60"], store=tmp_path, run="R", timeout=0.5)
    (row,) = th.Store(tmp_path).tasks("R").to_dict("records")
    assert row["signal"] == 15
    assert row["wall_s"] < 30


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ({"memory": "lots"}, "is not a size"),
        ({"cpus": -1}, "cpus"),
        ({"time": "soon"}, "is not a duration"),
        ({"attempt": 0}, "attempt"),
        ({"run": ""}, "run=''"),
        ({"step": 3}, "step=3"),
        ({"stepp": "x"}, "no such argument: stepp"),
        ({"input": b"", "stdin": 0}, "either input or stdin"),
    ],
)
def test_arguments_that_make_no_sense(words: dict[str, object], wrong: str, tmp_path: Path) -> None:
    with pytest.raises(th.UsageError, match=wrong):
        th.run(["true"], store=tmp_path, **words)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_secrets_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACER_HOOKS_REDACT", "patient-[0-9]+")
    th.run(["sh", "-c", "sleep 0.2; true patient-4711"], store=tmp_path, run="R")
    with th.trace(store=tmp_path, run="R"):
        # so long because a busy host looks late
        subprocess.run(["sh", "-c", "sleep 1; true patient-4711"], check=True)
    written = "".join(path.read_text() for path in tmp_path.glob("spool/R/*.jsonl"))
    assert "4711" not in written
    assert written.count("***") >= 2


def test_a_pattern_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACER_HOOKS_REDACT", "(")
    with pytest.raises(th.UsageError, match="TRACER_HOOKS_REDACT: not a regular expression"):
        th.run(["true"])
    with pytest.raises(th.UsageError, match="TRACER_HOOKS_REDACT"):
        th.trace()


def test_a_command_must_be_words() -> None:
    commands: tuple[object, ...] = ("ls -l", b"ls", [])
    for command in commands:
        with pytest.raises(th.UsageError, match="list of words"):
            th.run(command)  # type: ignore[arg-type]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff\xfe")
    done = th.run(["printf", "%s", odd], store=tmp_path, step=odd, run=odd, stdout=-1)
    assert done.stdout == b"\xff\xfe"
    assert len(done.report().tasks) == 1


def test_a_report_that_is_kept_stays_what_it_was(tmp_path: Path) -> None:
    th.run(["true"], store=tmp_path, run="R")
    kept = th.report("R", store=tmp_path)
    shutil.rmtree(tmp_path)
    again = copy.deepcopy(kept)
    for report in (kept, again):
        assert len(report.tasks) == len(report.by_task) == len(report.verdicts.tasks) == 1
    assert again.text() == kept.text()
