"""`tracer-hooks run` as a shell sees it: the command is not disturbed, and the record is there."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import SCRIPT, environment, one_error, tracer_hooks
from tracer_hooks.supervisor import identifiers

HEAVY = {
    *("json", "re", "argparse", "typing", "dataclasses", "pathlib", "subprocess", "rich", "pandas"),
    *("pyarrow", "collections", "enum", "functools", "contextlib", "logging", "signal", "shlex"),
    *("inspect", "tempfile", "tracer_hooks.adapter", "tracer_hooks.store"),
    *("tracer_hooks.cli.application", "tracer_hooks.plugins"),
}


def spools(store: Path) -> list[list[dict[str, Any]]]:
    """The lines of every task's spool in the store."""
    files = sorted(store.glob("spool/*/[!@]*.jsonl"))
    return [[json.loads(line) for line in file.read_text().splitlines()] for file in files]


def test_imports_next_to_nothing(tmp_path: Path) -> None:
    """What is loaded when the supervisor takes over, every task pays for."""
    program = (
        "import sys\n"
        "from tracer_hooks.cli import main\n"
        "import tracer_hooks.supervisor.entry as entry\n"
        "entry.main = lambda argv: sys.exit(print(*sorted(sys.modules)))\n"
        "sys.argv = ['tracer-hooks', 'run', '--cpus', '2', '--memory', '4G', '--time', '1h',\n"
        "            '--run', 'R', '--tag', 'a=b', '--store', sys.argv[1], '--', 'true']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert "tracer_hooks.cli.run" in loaded
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert HEAVY & set(loaded) - set(bare) == set()


@pytest.mark.parametrize("status", [0, 1, 2, 77, 255])
def test_exits_as_the_command_does(status: int, tmp_path: Path) -> None:
    done = tracer_hooks("run", "--store", tmp_path, "--", "sh", "-c", f"exit {status}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
    assert spools(tmp_path)[0][-1]["exit_code"] == status


def test_a_command_that_cannot_start_is_127_or_126(tmp_path: Path) -> None:
    script = tmp_path / "not-executable"
    script.write_text("echo no")
    assert tracer_hooks("run", "--store", tmp_path, "no-such-command").returncode == 127
    assert tracer_hooks("run", "--store", tmp_path, script).returncode == 126


def test_death_by_signal_is_shown_as_a_shell_shows_it(tmp_path: Path) -> None:
    done = tracer_hooks("run", "--store", tmp_path, "--", "sh", "-c", "kill -KILL $$")
    assert done.returncode in (128 + signal.SIGKILL, -signal.SIGKILL)
    assert spools(tmp_path)[0][-1]["signal"] == signal.SIGKILL


def test_the_card_holds_what_was_said(tmp_path: Path) -> None:
    done = tracer_hooks(
        *("run", "--store", tmp_path, "--run", "nightly", "--pipeline", "p", "--step", "align"),
        *("--task", "a/../b", "--attempt", "2", "--sample", "A1", "--tag", "lane=3"),
        *("--cpus", "4", "--memory=2G", "--time", "10m", "--", "true"),
    )
    assert done.returncode == 0
    (lines,) = spools(tmp_path)
    card = lines[0]["card"]
    assert card == {
        "engine": "command", "run_id": "nightly", "pipeline": "p", "step": "align",
        "task_id": "a/../b", "attempt": 2, "sample": "A1", "tags": {"lane": "3"},
        "cpus_requested": 4.0, "memory_requested_bytes": 2 * 1024**3, "time_requested_s": 600.0,
    }  # fmt: skip
    assert lines[-1]["t"] == "sealed"


def test_environment_directory_and_descriptors_are_the_commands_own(tmp_path: Path) -> None:
    probe = tmp_path / "probe.sh"
    # The shell's own PWD, OLDPWD, SHLVL and _ are set by itself.
    probe.write_text(
        "pwd; umask; tr '\\0' '\\n' </proc/self/environ | sort; "
        "for f in /proc/$$/fd/*; do echo ${f##*/} $(readlink $f); done; "
        "grep -E 'Sig(Blk|Ign)' /proc/self/status; ulimit -a\n"
    )
    read, write = os.pipe()
    for how in (
        {"env": environment(ODD="a=b\nc")},
        {"env": {"PATH": os.environ["PATH"]}},  # no locale: Python would set LC_CTYPE itself
        {"env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}, "pass_fds": (read, write)},
    ):
        with (tmp_path / "out").open("w+") as bare, (tmp_path / "out2").open("w+") as watched:
            for file, front in (
                (bare, []),
                (watched, [SCRIPT, "run", "--store", str(tmp_path / "store"), "--"]),
            ):
                subprocess.run(
                    [*front, "sh", str(probe)], stdout=file, cwd=tmp_path, check=True, **how
                )
            bare.seek(0)
            watched.seek(0)
            # The shell's own pipes have new numbers every time.
            texts = [re.sub(r"(/out|pipe:)\S*", r"\1", file.read()) for file in (bare, watched)]
            assert texts[1] == texts[0]
    os.close(read)
    os.close(write)


def test_streams_pass_through(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096
    done = subprocess.run(
        [SCRIPT, "run", "--store", str(tmp_path), "--", "sh", "-c", "echo no >&2; cat"],
        input=data,
        capture_output=True,
        env=environment(),
        check=True,
    )
    assert done.stdout == data
    assert done.stderr == b"no\n"


def test_bytes_that_are_no_text_in_arguments_and_directory(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9 \n\xff"
    Path(os.fsdecode(folder)).mkdir()
    odd = b"\xfe\xff\x80"
    done = subprocess.run(
        [
            *(
                os.fsencode(SCRIPT),
                b"run",
                b"--run",
                b"r\xff",
                b"--step",
                odd,
                b"--tag",
                b"k=" + odd,
            ),
            *(b"--", b"printf", b"%s", odd),
        ],
        cwd=folder,
        capture_output=True,
        env=environment(),
        check=True,
    )
    assert done.stdout == odd
    assert done.stderr == b""
    (lines,) = spools(Path(os.fsdecode(folder)) / ".tracer")
    card = lines[0]["card"]
    assert os.fsencode(card["step"]) == odd
    assert os.fsencode(card["tags"]["k"]) == odd
    assert os.fsencode(card["run_id"]) == b"r\xff"


@pytest.mark.parametrize(
    "name", ["a/b", "..", "../../etc", "-", "'\"", "new\nline", "x" * 5000, "🧬", "%2E", ".hidden"]
)
def test_hostile_names_stay_inside_the_store(name: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    done = tracer_hooks(
        "run", "--store", store, f"--run={name}", f"--step={name}", f"--task={name}", "true"
    )
    assert done.returncode == 0
    assert done.stderr == ""
    (lines,) = spools(store)
    assert lines[0]["card"]["task_id"] == name
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    folders = [path.name for path in (store / "spool").iterdir()]
    assert folders == [identifiers.escape(name, identifiers.MAX_RUN_ID)]


def test_usage_errors_are_one_line_and_two(tmp_path: Path) -> None:
    done = tracer_hooks("run", "--memroy", "4G", "true", cwd=tmp_path)
    assert "did you mean --memory?" in one_error(done, 2)
    assert "no command" in one_error(tracer_hooks("run", cwd=tmp_path), 2)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_written_does_not_matter_to_the_command(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = tracer_hooks("run", "--store", blocked / "store", "--", "sh", "-c", "echo fine; exit 5")
    assert (done.returncode, done.stdout, done.stderr) == (5, "fine\n", "")
    done = tracer_hooks("run", "--verbose", "--store", blocked / "store", "--", "echo", "fine")
    assert (done.returncode, done.stdout) == (0, "fine\n")
    assert done.stderr.startswith("tracer-hooks:")
    assert done.stderr.count("\n") == 1


def test_a_directory_that_was_deleted_does_not_matter_either(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'rmdir "{gone}"; exec "$0" run -- sh -c "echo fine; exit 4"'
    done = subprocess.run(
        ["sh", "-c", script, SCRIPT],
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (done.returncode, done.stdout) == (4, "fine\n")
    assert "tracer" not in done.stderr


def test_a_broken_installation_costs_nobody_a_task(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.modules['tracer_hooks.supervisor.entry'] = None\n"
        "sys.argv = ['tracer-hooks', 'run', '--verbose', '--', 'sh', '-c', 'echo fine; exit 9']\n"
        "from tracer_hooks.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (9, "fine\n")
    assert done.stderr.startswith("tracer-hooks: the command runs unobserved")


def test_closed_streams_are_no_obstacle(tmp_path: Path) -> None:
    script = f'"$0" run --store "{tmp_path}" -- sh -c "exit 6" <&- >&- 2>&-; echo $?'
    done = subprocess.run(
        ["sh", "-c", script, SCRIPT], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout == "6\n"
    script = '"$0" run --memroy 3 true 2>&-; echo $?'
    done = subprocess.run(
        ["sh", "-c", script, SCRIPT], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout == "2\n"


def test_python_dash_m_is_the_same_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tracer_hooks", "run", "--store", tmp_path, "sh", "-c", "exit 3"],
        check=False,
    )
    assert done.returncode == 3
    assert len(spools(tmp_path)) == 1


def test_the_command_has_the_terminal(tmp_path: Path) -> None:
    """On a real terminal the command sees one, and Ctrl-C reaches it once."""
    leader, terminal = pty.openpty()
    script = (
        "test -t 0 && test -t 1 && test -t 2 && echo terminal; "
        "trap 'echo interrupted; exit 42' INT; echo ready; while :; do sleep 0.05; done"
    )
    process = subprocess.Popen(
        [SCRIPT, "run", "--store", str(tmp_path), "--", "sh", "-c", script],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        preexec_fn=lambda: _own_terminal(terminal),
        env=environment(),
    )
    os.close(terminal)
    seen = b""
    while b"ready" not in seen:
        seen += os.read(leader, 1000)
    os.write(leader, b"\x03")
    try:
        while chunk := os.read(leader, 1000):
            seen += chunk
    except OSError:  # the last one closed the terminal
        pass
    os.close(leader)
    assert process.wait(20) == 42
    assert seen.count(b"interrupted") == 1
    assert b"terminal" in seen
    assert b"tracer" not in seen


def _own_terminal(fd: int) -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


def test_a_store_that_is_no_url_is_one_line() -> None:
    done = tracer_hooks("run", "--store", "s3://[bad", "--", "echo", "RAN")
    assert "s3://[bad is no URL of a store" in one_error(done, 2)


def test_without_a_folder_for_the_spools_the_command_runs(tmp_path: Path) -> None:
    """No home, and a place in /tmp that somebody else took."""
    (tmp_path / f"tracer-hooks-{os.getuid()}").write_text("")
    program = (
        "import pwd, sys; pwd.getpwuid = lambda uid: {}[uid]\n"
        "from tracer_hooks.cli.run import main; main(sys.argv[1:])"
    )
    env = environment(TMPDIR=str(tmp_path))
    for name in ("HOME", "XDG_STATE_HOME", "TRACER_HOOKS_STAGING"):
        env.pop(name, None)
    for verbose in ([], ["--verbose"]):
        done = subprocess.run(
            [sys.executable, "-c", program, "--store", "s3://lab/x", *verbose, "--", "echo", "RAN"],
            capture_output=True, text=True, check=False, env=env,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "RAN\n")
        assert done.stderr.count("\n") == len(verbose)
        assert all(word in done.stderr for word in ("unobserved", "is not this user's") if verbose)
