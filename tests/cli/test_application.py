"""The frame around every command: help, typing errors, defects, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest

from tests.cli.command import here, one_error, tracer_hooks
from tracer_hooks import __version__, plugins
from tracer_hooks.cli.command import Command

Capsys = pytest.CaptureFixture[str]

COMMANDS = ("runs", "report", "show", "compact", "doctor", "demo")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_command(words: list[str], capsys: Capsys) -> None:
    done = here(capsys, *words)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("run", *COMMANDS):
        assert f"\n  {name} " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str, capsys: Capsys) -> None:
    for words in ([name, "--help"], ["help", name]):
        with pytest.raises(SystemExit) as ended:
            here(capsys, *words)
        assert ended.value.code == 0
        text = capsys.readouterr().out
        assert f"usage: tracer-hooks {name}" in text
        assert f"examples:\n  tracer-hooks {name}" in text


def test_help_of_run(capsys: Capsys) -> None:
    done = here(capsys, "help", "run")
    assert "usage: tracer-hooks run" in done.stdout
    assert tracer_hooks("run", "--help").stdout == done.stdout


def test_version(capsys: Capsys) -> None:
    assert here(capsys, "--version").stdout == f"tracer-hooks {__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["repotr"], "there is no command 'repotr': did you mean report?"),
        (["rnu"], "did you mean run?"),
        (["zzz"], "see `tracer-hooks --help`"),
        (["--frob"], "there is no option '--frob'"),
        (["report", "--fromat", "json"], "`report` has no option --fromat: did you mean --format?"),
        (["report", "--fromat=json"], "did you mean --format?"),
        (["report", "--form", "json"], "`report` has no option --form"),
        (["report", "--format", "jsno"], "'jsno' is not one of text, json, markdown, html"),
        (["report", "--format", "jsno"], "did you mean json?"),
        (["report", "a", "b"], "`report` has no use for 'b'"),
        (["report", "--store"], "--store"),
        (["show", "x"], "required: TASK"),
        (["export"], "required: FORMAT (see"),
        (["export", "perfeto"], "is not one of openmetrics, otlp, perfetto, postgres"),
        (["export", "perfeto"], "did you mean perfetto?"),
        (["runs", "--limit", "0"], "'0' is not a whole number of 1 or more"),
        (["runs", "--limit", "9" * 5000], "no store"),
    ],
)
def test_what_is_typed_wrong_is_said_in_one_line(
    words: list[str], said: str, capsys: Capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = one_error(here(capsys, *words), 1 if said == "no store" else 2)
    assert said in message


class Plugin:
    """Adds a command that does what a test needs."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    @plugins.hookimpl
    def tracer_hooks_cli_commands(self) -> list[Command]:
        def configure(_: ArgumentParser) -> None:
            return

        def execute(_: Namespace) -> int:
            raise self.error

        return [Command("fail", "fail", "  tracer-hooks fail\n", configure, execute)]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """A plugin whose command raises `error`."""
    manager, plugin = plugins.create(), Plugin(RuntimeError())
    manager.register(plugin)
    monkeypatch.setattr(plugins, "manager", lambda: manager)
    monkeypatch.delenv("TRACER_HOOKS_DEBUG", raising=False)
    return plugin


def test_a_defect_is_one_line_and_says_how_to_see_more(
    failing: Plugin, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing.error = KeyError("a\nb")
    message = one_error(here(capsys, "fail"), 1)
    assert "a defect in tracer-hooks" in message
    assert "KeyError" in message
    assert "TRACER_HOOKS_DEBUG=1" in message
    monkeypatch.setenv("TRACER_HOOKS_DEBUG", "1")
    assert "Traceback (most recent call last)" in here(capsys, "fail").stderr


def test_what_the_system_refuses_is_one_line_with_the_file(failing: Plugin, capsys: Capsys) -> None:
    failing.error = PermissionError(13, "Permission denied", "/some/file")
    assert one_error(here(capsys, "fail"), 1) == "Permission denied: /some/file"


def test_interrupted_is_130_without_a_word(failing: Plugin, capsys: Capsys) -> None:
    failing.error = KeyboardInterrupt()
    assert here(capsys, "fail") == (130, "", "")


def test_a_real_ctrl_c(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tracer_hooks", "demo", "--store", str(tmp_path / "s")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Five small tasks")
    while "fetch" not in process.stdout.readline():
        pass
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    done = tracer_hooks("runs", "--store", tmp_path / "s")
    assert "cancelled" in done.stdout


def test_a_closed_stdout_is_no_defect(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m tracer_hooks --help >&-'],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "defect" not in done.stderr
    assert "Traceback" not in done.stderr
