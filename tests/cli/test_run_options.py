"""The hand-written parser of `run`: what it takes, what it refuses, and the card it makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_hooks.cli.run import OPTIONS, parse, supervisor_arguments
from tracer_hooks.errors import UsageError
from tracer_hooks.supervisor import options as supervisor_options
from tracer_hooks.supervisor.jsonl import encode


def told(*argv: str) -> tuple[supervisor_options.Options, dict[str, Any]]:
    """What the supervisor understands of `tracer-hooks run ARGV`, and its card."""
    understood = supervisor_options.parse(supervisor_arguments(*parse(list(argv))))
    return understood, json.loads(understood.card)


def test_every_option_reaches_the_supervisor_in_both_spellings() -> None:
    pairs = {
        "--run": "R", "--pipeline": "P", "--step": "S", "--task": "T", "--attempt": "3",
        "--sample": "X", "--cpus": "2.5", "--memory": "4G", "--time": "1h30m",
        "--capture": "poll", "--interval": "0.5", "--store": "/some/store",
    }  # fmt: skip
    apart = [word for pair in pairs.items() for word in pair]
    joined = [f"{name}={value}" for name, value in pairs.items()]
    for argv in (apart, joined):
        options, card = told(
            *argv, "--tag", "a=1", "--tag=b=x=y", "--verbose", "--", "cmd", "--run"
        )
        assert card == {
            "run_id": "R", "pipeline": "P", "step": "S", "task_id": "T", "attempt": 3,
            "sample": "X", "cpus_requested": 2.5, "memory_requested_bytes": 4 * 1024**3,
            "time_requested_s": 5400.0, "tags": {"a": "1", "b": "x=y"}, "engine": "command",
        }  # fmt: skip
        assert (options.run, options.task, options.attempt) == ("R", "T", 3)
        assert (options.store, options.capture, options.interval_s) == ("/some/store", "poll", 0.5)
        assert options.verbose
        assert options.argv_recorded
        assert options.command == ["cmd", "--run"]


def test_the_command_begins_at_the_first_word_that_is_no_option() -> None:
    options, _ = told("--step", "S", "grep", "--count", "--", "x")
    assert options.command == ["grep", "--count", "--", "x"]


@pytest.mark.parametrize("command", [["-"], ["--"], ["--", "-x"], ["--", "--", "y"]])
def test_odd_first_words(command: list[str]) -> None:
    expected = command[1:] if command[0] == "--" else command
    if not expected:
        with pytest.raises(UsageError, match="no command"):
            parse(command)
        return
    assert parse(command)[1] == expected


def test_command_lines_are_redacted_or_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACER_HOOKS_REDACT", "patient-[0-9]+\n\n  \nward .*")
    options, card = told("--no-argv", "x")
    assert not options.argv_recorded
    assert options.redact == ["patient-[0-9]+", "ward .*"]
    assert set(card) == {"engine", "run_id", "step", "task_id", "task_name", "attempt"}


def test_defaults_name_the_task_after_the_command() -> None:
    _, card = told("--", "/usr/bin/samtools", "sort")
    assert (card["step"], card["task_id"], card["attempt"]) == ("samtools", "samtools", 1)
    assert card["engine"] == "command"
    _, other = told("--", "/usr/bin/samtools", "sort")
    assert card["run_id"] != other["run_id"]


def test_tasks_of_a_shared_run_do_not_share_an_id_unless_they_are_attempts() -> None:
    ids = {told("--run", "R", "gzip", "f")[1]["task_id"] for _ in range(20)}
    assert len(ids) == 20
    assert told("--run", "R", "--attempt", "2", "gzip")[1]["task_id"] == "gzip"
    assert told("--run", "R", "--attempt", "2", "--sample", "A", "gzip")[1]["task_id"] == "gzip-A"
    assert told("--run", "R", "--task", "mine", "gzip")[1]["task_id"] == "mine"


def test_store_from_option_environment_and_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRACER_HOOKS_STORE", raising=False)
    assert told("x")[0].store == str(tmp_path / ".tracer")
    monkeypatch.setenv("TRACER_HOOKS_STORE", "from-env")
    assert told("x")[0].store == str(tmp_path / "from-env")
    assert told("--store", "given", "x")[0].store == str(tmp_path / "given")
    monkeypatch.setenv("HOME", "/home/me")
    assert told("--store=~/t", "x")[0].store == "/home/me/t"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "no command to run"),
        (["--step", "x"], "no command to run"),
        (["--memroy", "4G", "x"], "did you mean --memory?"),
        (["--memroy=4G", "x"], "did you mean --memory?"),
        (["-n", "x"], "no option -n"),
        (["--cpus"], "--cpus needs a value, as in `--cpus 4`"),
        (["--cpus", "--", "x"], "--cpus needs a value"),
        (["--run=", "x"], "--run needs a value"),
        (["--run", "", "x"], "--run needs a value"),
        (["--cpus", "four", "x"], "--cpus: 'four'"),
        *(([f"--cpus={odd}", "x"], f"--cpus: '{odd}'") for odd in ("nan", "0", "0.0", "-1")),
        *(
            ([f"--interval={odd}", "x"], f"--interval: '{odd}'")
            for odd in ("nan", "0", "0ms", "-1")
        ),
        (["--memory", "lots", "x"], "--memory: 'lots' is not a size"),
        (["--time", "soon", "x"], "--time: 'soon' is not a duration"),
        (["--attempt", "0", "x"], "--attempt: '0'"),
        (["--attempt", "9" * 5000, "x"], "is not an attempt"),
        (["--tag", "novalue", "x"], "KEY=VALUE"),
        (["--tag", "=v", "x"], "KEY=VALUE"),
        (["--capture", "magic", "x"], "--capture: 'magic' is not one of auto, perf"),
        (["--verbose=yes", "x"], "no option --verbose"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(argv: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(argv)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


hostile = st.text(st.characters(exclude_characters="\0"), max_size=30)


@given(st.dictionaries(hostile, hostile | st.dictionaries(hostile, hostile) | st.integers()))
def test_the_card_is_json_whatever_it_holds(card: dict[str, Any]) -> None:
    text = encode(card)
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text) == card


@given(st.lists(hostile, max_size=6))
def test_any_words_parse_or_are_refused_in_one_line(argv: list[str]) -> None:
    try:
        _, command = parse(argv)
    except (UsageError, SystemExit) as ended:
        said = str(ended)
        command = None
    if command is None:
        assert said != "0" or {"-h", "--help"} & set(argv)
    else:
        assert command
        assert argv[-len(command) :] == command


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    text = capsys.readouterr().out
    missing = [option for option in OPTIONS if option != "--help" and option + " " not in text]
    assert not missing
