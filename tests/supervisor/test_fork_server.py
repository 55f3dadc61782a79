"""A command under a supervisor that was forked: as under one that was started, and as without."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.supervisor.harness import check_invariants, read_spools
from tests.supervisor.test_transparency import STATE
from tracer_hooks import fork_server as module
from tracer_hooks.adapter import TaskCard, supervised
from tracer_hooks.fork_server import ForkServer
from tracer_hooks.forked_process import ForkedProcess

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[ForkServer]:
    one = ForkServer()
    yield one
    one.close()


def start(
    server: ForkServer, store: Path, command: list[str], task: str = "task", **popen: Any
) -> ForkedProcess:
    argv = supervised(TaskCard(run_id="run", task_id=task), command, store=store)
    return ForkedProcess(argv, server, **popen)


def finish(process: ForkedProcess, text: bytes | None = None) -> tuple[int, bytes]:
    with process:
        out, _ = process.communicate(text, timeout=30)
    return process.returncode, out


def server_pid(server: ForkServer) -> int:
    assert server._process is not None
    return server._process.pid


def sealed(store: Path, task: str = "task") -> dict[str, Any]:
    (lines,) = read_spools(store, task)
    assert lines[-1]["t"] == "sealed"
    check_invariants(lines[-1])
    return lines[-1]


def is_forked(server: ForkServer, process: ForkedProcess) -> bool:
    """By its command line, which is the server's."""
    line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    return line == Path(f"/proc/{server_pid(server)}/cmdline").read_bytes()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "XZ"
    except OSError:
        return True


def until(happens: Any, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 77", 77), ("kill -9 $$", 137), ("kill -2 $$", 130)]
)
def test_the_exit_status(server: ForkServer, tmp_path: Path, script: str, code: int) -> None:
    assert finish(start(server, tmp_path, ["sh", "-c", script]))[0] == code
    assert sealed(tmp_path)["status"] == ("failed" if code else "succeeded")
    assert finish(start(server, tmp_path, ["no-such-command"], "two"))[0] == 127


def test_it_is_a_child_of_the_caller_and_what_its_pipes_carry(
    server: ForkServer, tmp_path: Path
) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    script = "echo $PPID; cat; echo err >&2"
    process = start(server, tmp_path, ["sh", "-c", script], **pipes)
    assert is_forked(server, process)
    parent = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1]
    code, out = finish(process, b"what goes in\n" * 50_000)  # more than a pipe holds
    assert (code, int(parent)) == (0, os.getpid())
    assert out == b"%d\n" % process.pid + b"what goes in\n" * 50_000 + b"err\n"
    assert sealed(tmp_path)["io_write_chars"] >= 650_000


INHERITED = """
import os, resource, subprocess, sys
sys.path[:0] = {path}
from pathlib import Path
from tests.supervisor.test_fork_server import finish, server_pid, start
from tests.supervisor.test_transparency import STATE
from tracer_hooks.fork_server import ForkServer

server, store = ForkServer(), Path(sys.argv[1])
finish(start(server, store, ["true"], "first"))
first = server_pid(server)
os.umask(0o027)
os.nice(3)
resource.setrlimit(resource.RLIMIT_CORE, (12345, 54321))
resource.setrlimit(resource.RLIMIT_NOFILE, (333, 777))
os.chdir(store)
os.environb.clear()
os.environ.update({{"PATH": "/usr/bin:/bin", "LC_ALL": "C", "ODD": "a=b\\nc", "EMPTY": ""}})
command = [sys.executable, "-I", "-S", "-c", {state!r}]
bare = subprocess.run(command, capture_output=True, check=True)
pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
with start(server, store, command, **pipes) as process:
    out, err = process.communicate()
assert server_pid(server) != first, "what is inherited has changed, and the server has not"
print(bare.stdout.decode() + out.decode() + err.decode() + bare.stderr.decode(), end="")
"""


def test_everything_a_process_inherits_is_unchanged(tmp_path: Path) -> None:
    """Also what changed after the server was made."""
    path = [str(Path(__file__).parents[2]), *sys.path]
    script = INHERITED.format(path=path, state=STATE)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    bare, forked = map(json.loads, done.stdout.splitlines())
    for state in (bare, forked):  # pipes of two executions have other numbers
        state["fds"] = {k: v.split(":")[0] for k, v in state["fds"].items()}
    assert forked == bare
    assert sealed(tmp_path)["exit_code"] == 0


def test_hostile_arguments_and_folder(server: ForkServer, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"a \xff'\"\nb")
    folder.mkdir()
    words = ["", " ", "$(id)", "a\nb", os.fsdecode(b"\xff\xfe"), "🧬", "x" * 100_000]
    process = start(
        server, tmp_path, ["printf", "%s\\n", *words], stdout=subprocess.PIPE, cwd=folder
    )
    code, out = finish(process)
    assert (code, out) == (0, b"".join(os.fsencode(word) + b"\n" for word in words))
    (lines,) = read_spools(tmp_path)
    assert os.fsencode(lines[0]["workdir"]) == os.fsencode(str(folder))
    command, odd = ["sh", "-c", 'printf %s "$ODD"'], {"ODD": words[4]}
    assert finish(start(server, tmp_path, command, "odd", env=odd, stdout=subprocess.PIPE)) == (
        0,
        b"\xff\xfe",
    )


def test_many_threads_at_once(server: ForkServer, tmp_path: Path) -> None:
    found: dict[str, tuple[int, bytes]] = {}

    def work(thread: int) -> None:
        for number in range(6):
            name = f"{thread}-{number}"
            command = ["sh", "-c", f"echo {name}; exit {thread}"]
            found[name] = finish(start(server, tmp_path, command, name, stdout=subprocess.PIPE))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {f"{t}-{n}": (t, f"{t}-{n}\n".encode()) for t in range(5) for n in range(6)}
    assert all(sealed(tmp_path, name)["exit_code"] == int(name[0]) for name in found)


def test_signals_go_on_to_the_command(server: ForkServer, tmp_path: Path) -> None:
    script = "trap 'echo got; exit 3' TERM; echo ready; sleep 20 & wait"
    process = start(server, tmp_path, ["sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.stdout.readline() == b"got\n"
    process.stdout.close()
    assert process.wait(10) == 3
    assert sealed(tmp_path)["status"] == "cancelled"


def test_killed_it_takes_the_command_along(server: ForkServer, tmp_path: Path) -> None:
    process = start(
        server, tmp_path, ["sh", "-c", "echo $$; exec sleep 20"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    command = int(process.stdout.readline())
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    until(lambda: gone(command))
    process.stdout.close()


def test_a_server_that_was_killed(server: ForkServer, tmp_path: Path) -> None:
    """A job runs and is recorded, whatever becomes of servers; in the end there are no more."""
    for number in range(2 * module._MOST_SERVERS + 2):
        name = str(number)
        process = start(server, tmp_path, ["sh", "-c", "exit 5"], name)
        assert finish(process)[0] == 5
        assert sealed(tmp_path, name)["exit_code"] == 5
        if server._process is not None:
            server._process.kill()
            server._process.wait()
    assert server._servers == module._MOST_SERVERS


def test_a_request_that_was_given_up_runs_nothing(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert finish(start(server, tmp_path, ["true"], "first"))[0] == 0
    stopped = server_pid(server)
    os.kill(stopped, signal.SIGSTOP)
    monkeypatch.setattr(module, "_PATIENCE_S", 0.2)
    file = tmp_path / "said"
    command = ["sh", "-c", f"echo once >> '{file}'"]
    try:
        assert finish(start(server, tmp_path, command))[0] == 0
    finally:
        os.kill(stopped, signal.SIGCONT)
    monkeypatch.undo()
    assert finish(start(server, tmp_path, ["true"], "last"))[0] == 0  # it has seen to the request
    assert file.read_text() == "once\n"
    assert server_pid(server) == stopped


def test_what_a_server_cannot_do_is_started_as_always(server: ForkServer, tmp_path: Path) -> None:
    finish(start(server, tmp_path, ["true"], "first"))
    process = start(server, tmp_path, ["sleep", "0.2"], start_new_session=True)
    assert not is_forked(server, process)
    assert os.getsid(process.pid) == process.pid
    assert finish(process)[0] == 0
    with closed(0):
        process = start(server, tmp_path, ["sleep", "0.2"], "closed")
    assert not is_forked(server, process)
    assert finish(process)[0] == 0
    with pytest.raises(OSError, match="too long"):
        start(server, tmp_path, ["true", "x" * (128 << 10)])
    with pytest.raises(FileNotFoundError):
        start(server, tmp_path, ["true"], cwd=tmp_path / "missing")


@contextmanager
def closed(descriptor: int) -> Iterator[None]:
    kept = os.dup(descriptor)
    os.close(descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


def test_it_ends_with_the_engine_and_what_it_started_does_not(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys, time
        sys.path[:0] = {[str(Path(__file__).parents[2]), *sys.path]!r}
        from pathlib import Path
        from tests.supervisor.test_fork_server import server_pid, start
        from tracer_hooks.fork_server import ForkServer
        server = ForkServer()
        process = start(server, Path({str(tmp_path)!r}), ["sleep", "1"])
        print(server_pid(server), flush=True)
        time.sleep(20)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        pid = int(engine.stdout.readline())
        engine.kill()
    until(lambda: gone(pid))
    until(lambda: any(lines[-1]["t"] == "sealed" for lines in read_spools(tmp_path)))
    assert sealed(tmp_path)["exit_code"] == 0
