"""Supervised or not, a command behaves the same."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.supervisor.harness import PYTHON, command_for, observe, read_spools


@pytest.mark.parametrize("code", [0, 1, 2, 77, 126, 127, 128, 137, 255])
def test_exit_status_is_the_commands(tmp_path: Path, code: int) -> None:
    observed = observe(tmp_path, ["sh", "-c", f"exit {code}"])
    assert observed.returncode == code
    assert observed.sealed["exit_code"] == code
    assert observed.sealed["status"] == ("succeeded" if code == 0 else "failed")
    assert observed.sealed["failure_cause"] == (None if code == 0 else "exit_code")


@pytest.mark.parametrize("number", [1, 2, 6, 9, 11, 15, 34])
def test_death_by_signal_shows_as_in_a_shell(tmp_path: Path, number: int) -> None:
    # no core file here, but the limit that forbids it must be ours to set, not the supervisor's
    observed = observe(tmp_path, ["sh", "-c", f"ulimit -c 0; kill -{number} $$"])
    assert observed.returncode == 128 + number
    assert observed.sealed["signal"] == number
    assert observed.sealed["exit_code"] is None
    assert observed.sealed["failure_cause"] == "signal"


def test_commands_that_cannot_be_started(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    for command, expected in (
        (["no-such-command"], 127),
        ([str(tmp_path / "missing")], 127),
        ([str(plain)], 126),
        ([str(tmp_path)], 126),
        ([""], 127),
    ):
        shell = subprocess.run(["bash", "-c", '"$@"', "-", *command], capture_output=True)
        observed = observe(tmp_path / "store", command)
        assert observed.returncode == expected == shell.returncode, command
        why = "No such file or directory" if expected == 127 else "Permission denied"
        assert observed.stderr.decode() == f"tracer-hooks: {command[0]}: {why}\n"


def test_script_without_a_shebang_runs_as_in_a_shell(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo from-sh $1\nexit 3\n")
    script.chmod(0o755)
    observed = observe(tmp_path / "store", [str(script), "a b"])
    assert (observed.returncode, observed.stdout) == (3, b"from-sh a b\n")


def test_path_is_searched_as_a_shell_does(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "tool").write_text(f"#!/bin/sh\necho {folder.name}\n")
    (second / "tool").chmod(0o755)
    path = {"PATH": f"{tmp_path}/nowhere:{first}:{second}:/usr/bin:/bin"}
    observed = observe(tmp_path / "store", ["tool"], env=path)
    assert observed.stdout == b"second\n"
    (second / "tool").unlink()
    assert observe(tmp_path / "store", ["tool"], env=path).returncode == 126


def test_an_empty_environment_stays_empty(tmp_path: Path) -> None:
    # Python under the C locale adds a variable to its own
    observed = observe(tmp_path, ["/usr/bin/env"], env={})
    assert (observed.returncode, observed.stdout) == (0, b"")


STATE = """
import os, resource, signal, sys, json
fds = {}
for name in sorted(os.listdir("/proc/self/fd"), key=int):
    try: fds[name] = os.readlink("/proc/self/fd/" + name)
    except OSError: pass
status = dict(l.split(":", 1) for l in open("/proc/self/status") if l.startswith(("Sig", "Shd")))
print(json.dumps({
  "env": sorted(open("/proc/self/environ").read().split(chr(0))),
  "cwd": os.getcwd(), "umask": os.umask(0), "nice": os.nice(0),
  "affinity": sorted(os.sched_getaffinity(0)),
  "limits": {n: resource.getrlimit(getattr(resource, n))
             for n in dir(resource) if n.startswith("RLIMIT_")},
  "fds": fds, "blocked": status["SigBlk"], "argv": sys.orig_argv,
  "sid": os.getsid(0), "pgid": os.getpgid(0),
  "oom": open("/proc/self/oom_score_adj").read(), "cgroup": open("/proc/self/cgroup").read(),
}))
"""


def test_everything_a_process_inherits_is_unchanged(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)

    def prepare() -> None:
        os.umask(0o027)
        os.nice(3)
        resource.setrlimit(resource.RLIMIT_CORE, (12345, 54321))
        resource.setrlimit(resource.RLIMIT_NOFILE, (333, 777))
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 16, 1 << 20))

    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "ODD": "a=b\nc", "EMPTY": ""}
    command = [PYTHON, "-I", "-S", "-c", STATE]
    results = []
    for argv in (command, command_for(tmp_path / "store", command)):
        done = subprocess.run(
            argv, capture_output=True, check=True, preexec_fn=prepare, env=environment,
            cwd=tmp_path, pass_fds=(write_end,), stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.stderr == b""
        state = __import__("json").loads(done.stdout)
        # pipes of two executions have other numbers
        state["fds"] = {k: v.split(":")[0] for k, v in state["fds"].items()}
        results.append(state)
    os.close(read_end)
    os.close(write_end)
    bare, supervised = results
    assert supervised.pop("sid") == bare.pop("sid")
    assert supervised.pop("pgid") == bare.pop("pgid")
    assert supervised == bare


def test_no_output_of_its_own(tmp_path: Path) -> None:
    observed = observe(tmp_path, ["sh", "-c", "echo out; echo err >&2"])
    assert (observed.stdout, observed.stderr) == (b"out\n", b"err\n")


def test_stdin_reaches_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        command_for(tmp_path, ["sort"]), input=b"b\na\n", capture_output=True, check=True
    )
    assert done.stdout == b"a\nb\n"


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_descriptors_stay_closed(tmp_path: Path, closed: tuple[int, ...]) -> None:
    out = tmp_path / "fds"
    program = (
        "import os\nopened = []\n"
        "for fd in range(10):\n"
        "    try: os.fstat(fd); opened.append(fd)\n"
        "    except OSError: pass\n"
        f"os.write(os.open({str(out)!r}, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), b'%r' % opened)"
    )
    command = [PYTHON, "-I", "-S", "-c", program]
    shut = " ".join(f"{fd}>&-" for fd in closed)
    for argv in (command, command_for(tmp_path / "store", command)):
        subprocess.run(["bash", "-c", f'"$@" {shut}', "-", *argv], check=True)
        assert out.read_text() == repr([fd for fd in (0, 1, 2) if fd not in closed])
    assert read_spools(tmp_path / "store")[0][-1]["t"] == "sealed"


def test_pipe_that_the_command_closes_is_closed(tmp_path: Path) -> None:
    # the reader must see the end of the output when the command closes it, not when it exits
    command = ["sh", "-c", "echo hello; exec >&- 2>&-; sleep 30"]
    process = subprocess.Popen(command_for(tmp_path, command), stdout=subprocess.PIPE)
    assert process.stdout is not None
    timer = threading.Timer(20, process.kill)
    timer.start()
    assert process.stdout.read() == b"hello\n"
    assert process.poll() is None, "the end of the output was only seen at the exit"
    timer.cancel()
    process.kill()
    process.wait()


def test_broken_pipe_kills_the_command_as_usual(tmp_path: Path) -> None:
    command = command_for(tmp_path, ["yes"])
    script = '"$@" | head -1 >/dev/null; echo ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", script, "-", *command], capture_output=True, check=True, timeout=30
    )
    assert done.stdout == b"141\n"


def test_hostile_arguments_and_working_directory(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff dir\n"
    os.mkdir(folder)  # noqa: PTH102 - a Path can't hold these bytes as well
    words = [b"\xfe\xff", "é☃".encode(), b"a\nb", b"'\"$x`", b"-", b"--"]
    script = 'pwd; printf "%s|" "$@"'
    done = subprocess.run(
        [*map(os.fsencode, command_for(tmp_path / "s", ["sh", "-c", script, "-"])), *words],
        cwd=folder, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == folder + b"\n" + b"|".join(words) + b"|"
    (lines,) = read_spools(tmp_path / "s")
    assert lines[-1]["t"] == "sealed"
    assert os.fsencode(lines[0]["workdir"]) == folder


def test_removed_working_directory(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'cd {gone}; rmdir {gone}; exec "$@"'
    argv = command_for(tmp_path / "store", ["sh", "-c", "exit 5"])
    assert subprocess.run(["bash", "-c", script, "-", *argv]).returncode == 5


def test_supervisor_ends_with_the_main_process_though_daemons_live(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = ["sh", "-c", f"setsid sleep 60 >/dev/null 2>&1 & echo $! > {pid_file}; exit 4"]
    began = time.monotonic()
    observed = observe(tmp_path / "store", command)
    assert observed.returncode == 4
    assert time.monotonic() - began < 30
    daemon = int(pid_file.read_text())
    os.kill(daemon, 0)  # it lives on
    os.kill(daemon, 9)


@pytest.mark.parametrize(
    "wrap",
    [
        ["sh", "-c", "{}"],
        ["sh", "-c", "({}) ; true"],
        ["nohup", "sh", "-c", "{}"],
        ["setsid", "--wait", "sh", "-c", "{}"],
        [
            "sh",
            "-c",
            "mkfifo done; ( ( {}; echo > done ) & ) ; read x < done",
        ],  # a double fork: adopted by the supervisor
    ],
    ids=["plain", "subshell", "nohup", "setsid", "orphan"],
)
def test_cpu_is_counted_however_it_is_started(tmp_path: Path, wrap: list[str]) -> None:
    burn = f"{PYTHON} -I -S -c 'import time\nwhile time.process_time() < 0.3: pass'"
    command = [word.replace("{}", burn) for word in wrap]
    observed = observe(tmp_path, command, cwd=tmp_path)
    assert observed.returncode == 0
    assert 0.29 < observed.sealed["cpu_s"] < 0.6


def test_supervisor_killed_kills_the_command(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = ["sh", "-c", f"echo $$ > {pid_file}; exec sleep 60"]
    process = subprocess.Popen(command_for(tmp_path / "store", command))
    spools = tmp_path / "store" / "spool" / "run"
    while not (pid_file.exists() and pid_file.read_text().strip() and list(spools.glob("task.*"))):
        time.sleep(0.01)
    child = int(pid_file.read_text())
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline, "the command outlived its supervisor"
        time.sleep(0.01)
    (lines,) = read_spools(tmp_path / "store")
    assert lines[0]["t"] == "card"
    assert lines[-1]["t"] != "sealed"


def test_runs_on_python_3_9(tmp_path: Path, python39: str) -> None:
    command = ["sh", "-c", "sleep 0.4; exit 3"]
    observed = observe(tmp_path, command, python=python39)
    assert observed.returncode == 3
    assert observed.lines[0]["observer"]["python"].startswith("3.9.")
    assert observed.sealed["process_count"] >= 2


def test_runs_on_this_python_without_its_private_modules(tmp_path: Path) -> None:
    # what libc.py and jsonl.py take from the interpreter's inside may be missing one day
    program = (
        "import sys; sys.modules['_ctypes'] = None; sys.modules['_json'] = None\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from tracer_hooks.supervisor.entry import main\n"
        "main(sys.argv[1:])"
    )
    argv = [sys.executable, "-S", "-c", program, "run", "--store", str(tmp_path), "--run", "run"]
    done = subprocess.run([*argv, "--task", "task", "--verbose", "--", "sh", "-c", "exit 6"])
    assert done.returncode == 6
    (lines,) = read_spools(tmp_path)
    assert lines[-1]["exit_code"] == 6


def test_a_shell_that_waits_is_told_what_a_child_of_its_own_would_tell(tmp_path: Path) -> None:
    note = tmp_path / "note"
    for command, told in (
        (["/bin/sh", "-c", 'test ! -s "$0" && echo "$_" && exit 137', str(note)], ""),
        (["/bin/sh", "-c", 'test ! -s "$0" && echo "$_" && kill -9 $$', str(note)], "signal 9 "),
    ):
        note.write_text("not started")
        env = {**os.environ, "_": PYTHON}
        observed = observe(tmp_path / "store", command, "--shell-note", str(note), env=env)
        assert (observed.returncode, observed.stdout) == (137, b"/bin/sh\n")
        assert note.read_text().startswith(told)
        assert bool(note.read_text()) == bool(told)
