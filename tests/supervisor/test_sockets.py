"""Network bytes: real transfers, of which the number of bytes is known."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supervisor.connections import MB, Nobody, Server, python
from tests.supervisor.harness import (
    PYTHON,
    SUPERVISOR,
    Observed,
    command_for,
    observe,
    read_spools,
)


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
    assert sealed["network_source"] in ("sock_diag+destroy", "sock_diag+destroy+bpf")
    return sealed["network_rx_bytes"], sealed["network_tx_bytes"]


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
    # ready is before the first look, and what moves before that is not told from the rest
    while not any(line["t"] == "r" for lines in read_spools(tmp_path) for line in lines):
        time.sleep(0.01)
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


def test_as_nobody(tmp_path: Path, server: Server, nobody: Nobody) -> None:
    client = python(CLIENT, "127.0.0.1", server.port, 20 * MB, 0.1)[1:]
    (lines,) = nobody.at_once([client])
    assert lines[-1]["network_source"] == "sock_diag+destroy"
    assert lines[-1]["network_rx_bytes"] == pytest.approx(3 * MB, abs=100)
    assert lines[-1]["network_tx_bytes"] == pytest.approx(20 * MB, abs=100)


@pytest.mark.parametrize("capture", ["auto", "poll"])
def test_200_mb_in_a_moment_as_nobody(nobody: Nobody, capture: str) -> None:
    (lines,) = nobody.at_once([python(BOTH_SIDES)[1:]], "--capture", capture)
    for name in ("network_rx_bytes", "network_tx_bytes"):
        assert lines[-1][name] == pytest.approx(200 * 2**20, rel=0.02)


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
