"""Network bytes: real transfers, of which the number of bytes is known."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.harness import (
    PYTHON,
    SUPERVISOR,
    Observed,
    command_for,
    observe,
    read_spools,
)
from tracer_hooks.supervisor import sock_diag, sockets_owned
from tracer_hooks.supervisor.sockets_owned import Connections

MB = 1_000_000


def python(program: str, *arguments: object) -> list[str]:
    return [PYTHON, "-I", "-S", "-c", program, *map(str, arguments)]


class Server:
    """Takes what clients send, and sends them `answer` bytes, from outside the task."""

    def __init__(self, host: str = "127.0.0.1", answer: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family, backlog=100)
        self.port = self.listener.getsockname()[1]
        self.answer = answer
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while connection.recv(1 << 20):
                pass
            connection.sendall(b"y" * self.answer)


@pytest.fixture
def server() -> Iterator[Server]:
    with_answer = Server(answer=3 * MB)
    yield with_answer
    with_answer.listener.close()


CLIENT = """
import socket, sys, time
host, port, size, wait = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
time.sleep(wait)
connection = socket.create_connection((host, port))
time.sleep(0.2)  # who connects for less may be missed, as the docs say
connection.sendall(b"x" * size)
connection.shutdown(socket.SHUT_WR)
while connection.recv(1 << 20): pass
connection.close()
"""


def moved(observed: Observed) -> tuple[int, int]:
    sealed = observed.sealed
    assert sealed["network_source"] == "sock_diag+destroy"
    return sealed["network_rx_bytes"], sealed["network_tx_bytes"]


def unattributed(lines: list[dict[str, Any]]) -> dict[str, Any]:
    events = [line["detail"] for line in lines if line.get("kind") == "network_unattributed"]
    assert len(events) <= 1
    return events[0] if events else {}


@pytest.mark.parametrize("depth", ["", "{}; true", "sh -c '{}; true'; true"])
def test_client_in_the_tree(tmp_path: Path, server: Server, depth: str) -> None:
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    client = f"{PYTHON} -I -S {script} 127.0.0.1 {server.port} {20 * MB} 0.1"
    command = ["sh", "-c", depth.format(client)] if depth else client.split()
    observed = observe(tmp_path / "store", command)
    received, sent = moved(observed)
    assert received == pytest.approx(3 * MB, abs=100)
    assert sent == pytest.approx(20 * MB, abs=100)
    (row,) = [row for row in observed.processes().values() if row["network_tx_bytes"]]
    assert row["argv"][3] == str(script)
    assert (row["network_rx_bytes"], row["network_tx_bytes"]) == (received, sent)


def test_ipv6(tmp_path: Path) -> None:
    try:
        server = Server("::1", answer=MB)
    except OSError as error:
        pytest.skip(f"no IPv6 on loopback: {error}")
    observed = observe(tmp_path, python(CLIENT, "::1", server.port, 7 * MB, 0.1))
    assert moved(observed) == (pytest.approx(MB, abs=100), pytest.approx(7 * MB, abs=100))


SERVER_IN_TASK = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
for _ in range(int(sys.argv[1])):
    connection, _ = listener.accept()
    while connection.recv(1 << 20): pass
    connection.sendall(b"y" * 1000)
    connection.close()
"""


def test_server_in_the_tree_counts_clients_outside_it(tmp_path: Path) -> None:
    """Also those that came and went between two looks: whoever listens owns what it accepts."""
    command = command_for(tmp_path, python(SERVER_IN_TASK, 300))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    while not any(line["t"] == "r" for lines in read_spools(tmp_path) for line in lines):
        time.sleep(0.01)
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"x" * 20_000)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(2000)
    assert process.wait(20) == 0
    (lines,) = read_spools(tmp_path)
    assert lines[-1]["network_rx_bytes"] == pytest.approx(300 * 20_000, rel=0.02)
    assert lines[-1]["network_tx_bytes"] == pytest.approx(300 * 1000, rel=0.02)


BOTH_SIDES = """
import os, socket
listener = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    connection = socket.create_connection(listener.getsockname())
    block = b"x" * (1 << 20)
    for _ in range(200): connection.sendall(block)
    os._exit(0)
connection, _ = listener.accept()
while connection.recv(1 << 20): pass
os.wait()
"""


def test_200_mb_in_a_moment_between_two_of_the_task(tmp_path: Path) -> None:
    observed = observe(tmp_path, python(BOTH_SIDES))
    assert moved(observed) == (pytest.approx(200 * 2**20, rel=0.02),) * 2
    by_direction = [
        {row["network_rx_bytes"] or 0, row["network_tx_bytes"] or 0}
        for row in observed.processes().values()
        if row["network_rx_bytes"] is not None
    ]
    assert len(by_direction) == 2
    assert all(max(pair) == pytest.approx(200 * 2**20, rel=0.02) for pair in by_direction)


SHORT_CHILDREN = """
import os, socket, sys
port, count, size = map(int, sys.argv[1:])
for _ in range(count):
    if os.fork() == 0:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(b"x" * size)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
        os._exit(0)
    os.wait()
"""


@pytest.mark.xfail(
    reason="by evidence: where looks are few, too few connections are seen to be the task's",
    strict=False,
)
@pytest.mark.usefixtures("quiet_machine")
def test_1000_connections_of_short_children(tmp_path: Path) -> None:
    observed = observe(tmp_path, python(SHORT_CHILDREN, Server().port, 1000, 100_000))
    _, sent = moved(observed)
    assert sent == pytest.approx(100 * MB, rel=0.02)
    rest = unattributed(observed.lines)
    named = sum(row["network_tx_bytes"] or 0 for row in observed.processes().values())
    assert named + rest["tx_bytes"] == pytest.approx(sent, rel=0.002)
    assert 950 <= rest["of_sockets"] <= 1010
    assert rest["sockets"] <= rest["of_sockets"]


def at_once(folder: Path, *commands: list[str]) -> list[list[dict[str, Any]]]:
    processes = [
        subprocess.Popen(command_for(folder / str(number), command))
        for number, command in enumerate(commands)
    ]
    assert [process.wait(60) for process in processes] == [0] * len(commands)
    return [read_spools(folder / str(number))[0] for number in range(len(commands))]


@pytest.mark.usefixtures("quiet_machine")
def test_two_tasks_at_once(tmp_path: Path) -> None:
    first, second, idle = at_once(
        tmp_path,
        python(SHORT_CHILDREN, Server().port, 300, 100_000),
        python(SHORT_CHILDREN, Server().port, 300, 30_000),
        ["sleep", "1"],
    )
    # on a busy host fewer connections are seen, and then nobody's bytes are guessed: what is not
    # counted is told, and nothing is counted for the other
    for lines, truth in ((first, 30 * MB), (second, 9 * MB)):
        counted = lines[-1]["network_tx_bytes"]
        assert 0 < counted <= 1.02 * truth
        assert counted + unattributed(lines)["not_counted_tx_bytes"] >= 0.98 * truth
    assert idle[-1]["network_tx_bytes"] == 0  # measured: it has no socket


@pytest.mark.xfail(
    reason="by evidence, not proof: a task that happens to see only its own connections to a"
    " server takes those of another that nobody saw",
    strict=False,
)
def test_two_tasks_that_share_a_peer_take_nothing_of_each_other(tmp_path: Path) -> None:
    """Nobody can tell whose the connections were that no look saw: they are counted for none."""
    port = Server().port
    spools = at_once(
        tmp_path,
        python(SHORT_CHILDREN, port, 300, 100_000),
        python(SHORT_CHILDREN, port, 300, 100_000),
    )
    for lines in spools:
        counted, rest = lines[-1]["network_tx_bytes"], unattributed(lines)
        assert counted <= 30.1 * MB
        assert counted + rest["not_counted_tx_bytes"] >= 27 * MB


def test_traffic_of_others_is_not_the_tasks(tmp_path: Path, server: Server) -> None:
    other = subprocess.Popen(python(CLIENT, "127.0.0.1", server.port, 50 * MB, 0.2))
    observed = observe(tmp_path, ["sleep", "0.7"])
    assert other.wait(20) == 0
    assert moved(observed) == (0, 0)


def test_a_process_that_is_attached_brings_only_what_it_moves_from_then_on(
    tmp_path: Path, server: Server
) -> None:
    program = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(b"x" * 5_000_000)
print(flush=True)
sys.stdin.readline()
connection.sendall(b"x" * 2_000_000)
connection.shutdown(socket.SHUT_WR)
while connection.recv(1 << 20): pass
"""
    target = subprocess.Popen(
        python(program, server.port), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert target.stdin is not None
    assert target.stdout is not None
    target.stdout.readline()
    ready, told = os.pipe()
    head = command_for(tmp_path, [])[:-1]
    head[head.index("run")] = "attach"
    monitor = subprocess.Popen(
        [*head, "--pid", str(target.pid), "--ready-fd", str(told)], pass_fds=[told]
    )
    os.close(told)
    assert os.read(ready, 10) == b"ready\n"
    os.close(ready)
    target.communicate("\n", timeout=20)
    assert monitor.wait(20) == 0
    (lines,) = read_spools(tmp_path)
    assert lines[-1]["network_rx_bytes"] == pytest.approx(3 * MB, abs=100)
    assert lines[-1]["network_tx_bytes"] == pytest.approx(2 * MB, abs=1 * MB)
    assert lines[-1]["network_tx_bytes"] < 5 * MB


def test_in_a_network_namespace_of_its_own(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        pytest.skip("not permitted to make a network namespace")
    script = tmp_path / "both.py"
    script.write_text(BOTH_SIDES)
    inner = f"ip link set lo up && {PYTHON} -I -S {script}; sleep 0.2"
    observed = observe(tmp_path / "store", ["unshare", "--net", "sh", "-c", inner])
    if observed.returncode or b"ip:" in observed.stderr:
        pytest.skip(f"no loopback there: {observed.stderr!r}")
    assert moved(observed) == (pytest.approx(200 * 2**20, rel=0.02),) * 2


def test_as_nobody(tmp_path: Path, server: Server) -> None:
    if os.getuid() != 0 or not Path("/usr/bin/python3").exists():
        pytest.skip("needs root, to become nobody, and an interpreter that everybody may run")
    interpreter = "/usr/bin/python3"
    copy = Path(tempfile.gettempdir()) / f"tracer-nobody-net-{os.getpid()}"
    try:
        shutil.copytree(SUPERVISOR.parent.parent, copy / "tracer_hooks")
        store = copy / "store"
        store.mkdir()
        store.chmod(0o777)
        client = [interpreter, *python(CLIENT, "127.0.0.1", server.port, 20 * MB, 0.1)[1:]]
        argv = command_for(store, client, python=interpreter)
        argv[argv.index(str(SUPERVISOR))] = str(copy / "tracer_hooks/supervisor/__main__.py")
        subprocess.run(argv, check=True, user="nobody", group="nogroup", cwd="/", timeout=30)
        (lines,) = read_spools(store)
        assert lines[-1]["network_source"] == "sock_diag+destroy"
        assert lines[-1]["network_rx_bytes"] == pytest.approx(3 * MB, abs=100)
        assert lines[-1]["network_tx_bytes"] == pytest.approx(20 * MB, abs=100)
    finally:
        shutil.rmtree(copy)


def test_refused_is_null_and_said(tmp_path: Path) -> None:
    copy = tmp_path / "tracer_hooks"
    shutil.copytree(SUPERVISOR.parent.parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / "supervisor" / "sock_diag.py").open("a") as file:
        file.write('\n\ndef open_requests():\n    raise PermissionError(1, "no")\n')
    argv = command_for(tmp_path / "store", ["sleep", "0.2"])
    argv[argv.index(str(SUPERVISOR))] = str(copy / "supervisor" / "__main__.py")
    subprocess.run(argv, check=True, timeout=30)
    (lines,) = read_spools(tmp_path / "store")
    assert lines[-1].get("network_rx_bytes") is None
    assert lines[-1].get("network_source") is None
    assert any(line.get("detail", {}).get("what") == "network" for line in lines)


# What ended unseen, decided from evidence alone.

PEER = (b"\x0a\0\0\x01" + bytes(12), b"\x01\xbb")


class Stage:
    """Stands for the kernel and the processes: sockets alive, and who holds them."""

    ends = None

    def opened(self) -> int:
        return -1

    def __init__(self) -> None:
        self.alive: list[sock_diag.Found] = []
        self.ours: dict[int, int] = {}

    def dump(self) -> list[sock_diag.Found]:
        return self.alive

    def held(self) -> dict[int, int]:
        return self.ours

    def outsiders(self, wanted: set[int]) -> set[int]:
        return {inode for inode in wanted if inode not in self.ours}


def socket_of(number: int) -> sock_diag.Found:
    return number, 1, b"\xc0\0", PEER[1], PEER[0], os.getuid(), number, 10, 1000


def seen(ours: int, others: int, unseen: int) -> tuple[int, int]:
    """Bytes sent (counted, in doubt) by `unseen` connections to a peer of which some were seen."""
    stage = Stage()
    connections = Connections(stage, stage, lambda *_: None)  # type: ignore[arg-type]
    for number in range(1, 1 + ours + others):
        stage.alive = [socket_of(number)]
        stage.ours = {number: 1} if number <= ours else {}
        connections.look(stage.ours, lambda _: {}, set())
    before = connections.total.sent
    connections.pending = [socket_of(1000 + number) for number in range(unseen)]
    connections.settle()
    unsure = connections.conclude()
    return connections.total.sent - before, unsure.sent


def test_unseen_connections_count_if_enough_were_seen_and_no_strangers() -> None:
    enough = sockets_owned._ENOUGH
    assert seen(enough, 0, 100) == (100_000, 0)
    assert seen(enough - 1, 0, 100) == (0, 100_000)
    assert seen(2, 0, 2) == (2000, 0)  # as many as are in question
    assert seen(enough, 1, 100) == (0, 100_000)
    assert seen(0, 0, 3) == (0, 3000)  # anybody's
