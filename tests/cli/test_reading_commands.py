"""`runs`, `report`, `show`, `compact` on a store that the real supervisor wrote."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.command import SCRIPT, environment, here, one_error, tracer_hooks

Capsys = pytest.CaptureFixture[str]

READERS = (["runs"], ["report"], ["show", "latest", "align-A"])


def test_runs_newest_first(store: Path, capsys: Capsys) -> None:
    done = here(capsys, "runs", "--store", store)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert head.split() == [
        "RUN",
        "PIPELINE",
        "ENGINE",
        "STATUS",
        "STARTED",
        "WALL",
        "TASKS",
        "FAILED",
        "CPU",
    ]
    assert [row.split()[0] for row in rows] == ["second", "first"]
    assert rows[0].split()[3] == "succeeded"  # the last attempt decides
    assert "\x1b" not in done.stdout
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())


def test_runs_on_a_narrow_terminal_keep_the_whole_id(
    store: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in (30, 60, 80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        done = here(capsys, "runs", "--store", store)
        lines = done.stdout.splitlines()
        assert [line.split()[0] for line in lines] == ["RUN", "second", "first"]
        assert max(map(len, lines)) <= width
        assert ("ENGINE" in lines[0]) == (width == 200)


def test_runs_as_json(store: Path, capsys: Capsys) -> None:
    done = here(capsys, "runs", "--store", store, "--format", "json", "--limit", "1")
    (run,) = json.loads(done.stdout)["runs"]
    assert (run["run_id"], run["pipeline"], run["task_count"]) == ("second", "wf", 2)
    assert run["attempt_count"] == 3
    assert run["started_at"].endswith("+00:00")


def test_reading_ingests_and_changes_nothing_that_is_shown(store: Path, capsys: Capsys) -> None:
    first = here(capsys, "report", "second", "--store", store, "--format", "json")
    assert list(store.glob("tasks/run_id=second/*.parquet"))
    assert not list(store.glob("spool/second/align*"))
    again = here(capsys, "report", "second", "--store", store, "--format", "json")
    assert json.loads(first.stdout) == json.loads(again.stdout)


def test_report_takes_latest_prefix_or_nothing(store: Path, capsys: Capsys) -> None:
    for words, run in (([], "second"), (["latest"], "second"), (["fir"], "first")):
        done = here(capsys, "report", *words, "--store", store, "--format", "json")
        assert (done.returncode, done.stderr) == (0, "")
        report = json.loads(done.stdout)
        assert report["run"]["run_id"] == run
        assert set(report) >= {
            "schema_version", "run", "totals", "tasks", "steps", "tools", "findings", "cost",
            "coverage",
        }  # fmt: skip


def test_store_from_the_environment(store: Path, tmp_path: Path, capsys: Capsys) -> None:
    done = tracer_hooks("runs", env=environment(TRACER_HOOKS_STORE=str(store)))
    assert "second" in done.stdout
    moved = tmp_path / "here" / ".tracer"
    shutil.copytree(store, moved)
    assert "second" in tracer_hooks("runs", cwd=tmp_path / "here").stdout


def test_report_into_a_file_is_what_is_printed(store: Path, tmp_path: Path, capsys: Capsys) -> None:
    for form in ("text", "markdown"):
        page = tmp_path / f"report.{form}"
        page.write_text("old")
        page.chmod(0o640)
        done = here(capsys, "report", "--store", store, "--format", form, "--output", page)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        printed = here(capsys, "report", "--store", store, "--format", form, "--output", "-")
        if form != "text":
            assert page.read_text() == printed.stdout
        assert "align" in page.read_text()
        assert "\x1b" not in page.read_text()
    assert sorted(path.name for path in tmp_path.iterdir() if path != store) == [
        "report.markdown", "report.text",
    ]  # fmt: skip


def test_report_into_a_symbolic_link_or_a_pipe(store: Path, tmp_path: Path, capsys: Capsys) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "target").write_text("old")
    here(capsys, "report", "--store", store, "--output", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert "align" in (tmp_path / "target").read_text()
    read, write = os.pipe()
    here(capsys, "report", "--store", store, "--output", f"/dev/fd/{write}")
    assert b"align" in os.read(read, 65536)
    os.close(read)
    os.close(write)


def test_report_that_cannot_be_written_leaves_nothing(
    store: Path, tmp_path: Path, capsys: Capsys
) -> None:
    done = here(capsys, "report", "--store", store, "--output", tmp_path / "no" / "such" / "r.txt")
    assert "No such file or directory" in one_error(done, 1)


def test_show_finds_a_task_by_part_of_its_name(store: Path, capsys: Capsys) -> None:
    done = here(capsys, "show", "second", "many", "--store", store)
    assert (done.returncode, done.stderr) == (0, "")
    assert "sleep 0.3" in done.stdout
    assert "\x1b" not in done.stdout
    assert "[red]" in done.stdout  # a name is not markup


def test_show_picks_the_last_attempt_unless_told(store: Path, capsys: Capsys) -> None:
    for words, attempt, code in ((["--attempt", "1"], 1, 3), ([], 2, 0)):
        done = here(
            capsys, "show", "second", "align-A", *words, "--store", store, "--format", "json"
        )
        page = json.loads(done.stdout)
        assert (page["task"]["attempt"], page["task"]["exit_code"]) == (attempt, code)
        assert page["task"]["tags"] == {"lane": "3"}
        assert set(page) == {
            "schema_version", "task", "processes", "tools", "readings", "events",
        }  # fmt: skip
    done = here(capsys, "show", "second", "align-A", "--attempt", "9", "--store", store)
    assert "has no attempt 9; it has 1, 2" in one_error(done, 1)


def test_show_says_which_tasks_there_are(store: Path, capsys: Capsys) -> None:
    done = here(capsys, "show", "second", "a", "--store", store)
    message = one_error(done, 1) if done.returncode else ""
    assert message == "" or "names 2 tasks" in message
    assert "no task 'zzz' in run 'second'" in one_error(
        here(capsys, "show", "second", "zzz", "--store", store), 1
    )


@pytest.mark.parametrize("format_", ["text", "markdown", "json"])
def test_what_a_report_tells_to_type_can_be_copied(
    format_: str, store: Path, capsys: Capsys
) -> None:
    apart = store.rename(store.with_name("the store"))
    told = here(capsys, "report", "second", "--store", apart, "--format", format_).stdout
    (command,) = re.findall(r"`tracer-hooks (show [^`]+)`", told)
    shown = here(capsys, *shlex.split(command))
    assert shown.returncode == 0
    assert "align-A" in shown.stdout


def test_compact_keeps_what_is_shown(store: Path, capsys: Capsys) -> None:
    before = json.loads(here(capsys, "runs", "--store", store, "--format", "json").stdout)
    assert here(capsys, "compact", "--store", store).returncode == 0
    assert here(capsys, "compact", "second", "--store", store).returncode == 0
    after = json.loads(here(capsys, "runs", "--store", store, "--format", "json").stdout)
    assert after == before


@pytest.mark.parametrize("command", READERS)
def test_no_store_is_one_clear_line(command: list[str], tmp_path: Path, capsys: Capsys) -> None:
    done = here(capsys, *command, "--store", tmp_path / "none")
    message = one_error(done, 1)
    assert "none" in message
    assert "--store" in message


@pytest.mark.parametrize("command", [["report", "zzz"], ["show", "zzz", "x"], ["compact", "zzz"]])
def test_no_such_run_is_one_clear_line(command: list[str], store: Path, capsys: Capsys) -> None:
    assert "zzz" in one_error(here(capsys, *command, "--store", store), 1)


@pytest.mark.parametrize("command", READERS[:2])
def test_a_reader_that_leaves_is_no_error(command: list[str], store: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = tracer_hooks(*command, "--store", store, stdout=write)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 141


def test_a_full_disk_under_stdout_is_one_clear_line(store: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = tracer_hooks("runs", "--store", store, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "tracer-hooks: error: No space left on device\n"


@pytest.mark.parametrize(
    ("command", "encoding"), [(READERS[0], "latin-1"), (READERS[1], "ascii"), (READERS[2], "ascii")]
)
def test_any_encoding_of_the_output_will_do(command: list[str], encoding: str, store: Path) -> None:
    done = subprocess.run(
        [SCRIPT, *command, "--store", str(store)],
        capture_output=True,
        env=environment(PYTHONIOENCODING=encoding),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(encoding)


@pytest.mark.parametrize(
    ("command", "extra", "coloured"),
    [(READERS[0], {}, True), (READERS[2], {}, True), (READERS[2], {"NO_COLOR": "1"}, False)],
)
def test_colour_on_a_terminal_only(
    command: list[str], extra: dict[str, str], coloured: bool, store: Path
) -> None:
    leader, terminal = pty.openpty()
    with subprocess.Popen(
        [SCRIPT, *command, "--store", str(store)],
        stdout=terminal,
        stderr=terminal,
        stdin=subprocess.DEVNULL,
        env=environment(TERM="xterm-256color", **extra),
    ):
        os.close(terminal)
        seen = b""
        with suppress(OSError):  # the last one closed the terminal
            while chunk := os.read(leader, 65536):
                seen += chunk
    os.close(leader)
    assert b"second" in seen
    assert (b"\x1b[32m" in seen) == coloured


@pytest.mark.parametrize("command", READERS[:1])
def test_a_store_that_may_only_be_read_is_read(command: list[str], store: Path) -> None:
    """As another user, who may look and not touch; without ingest nothing else changes."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a store that belongs to somebody else")
    before = sorted(store.rglob("*"))
    mine = tracer_hooks(*command, "--store", shutil.copytree(store, store.parent / "mine"))
    unshared = subprocess.run(
        ["unshare", "-m", "sh", "-c",
         'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@" --store "$0"',
         str(store), SCRIPT, *command],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    if "mount" in unshared.stderr:
        pytest.skip(f"this machine lets nobody mount: {unshared.stderr.strip()}")
    assert (unshared.returncode, unshared.stderr) == (0, "")
    assert unshared.stdout == mine.stdout
    assert sorted(store.rglob("*")) == before


@pytest.mark.parametrize("nobody", [",", "", " ,, "])
def test_a_side_that_names_no_run_is_refused(nobody: str, store: Path, capsys: Capsys) -> None:
    done = here(capsys, "compare", nobody, "latest", "--store", store)
    assert "names no run" in one_error(done, 2)


def test_a_file_that_cannot_be_written_is_named_as_it_was_given(
    store: Path, tmp_path: Path, capsys: Capsys
) -> None:
    path = str(tmp_path / "nowhere" / "report.html")
    done = here(capsys, "report", "--store", store, "--format", "html", "--output", path)
    assert one_error(done, 1) == f"No such file or directory: {path}"


def test_compare_without_an_earlier_run_says_what_to_name(tmp_path: Path, capsys: Capsys) -> None:
    tracer_hooks("run", "--store", tmp_path, "--run", "R", "true")
    said = one_error(here(capsys, "compare", "--store", tmp_path), 1)
    assert said.startswith("no earlier run without a pipeline's name in ")
    assert said.endswith(": name both runs")
