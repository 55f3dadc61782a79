"""UDP, which the kernel counts nowhere: by programs in it, where it permits them."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supervisor.connections import python
from tests.supervisor.harness import Observed, command_for, observe, read_spools
from tracer_hooks.supervisor import sockets_created
from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.sockets_created import Created

pytestmark = pytest.mark.usefixtures("bpf", "few_count")

QUESTION, ANSWER = 100, 700


@pytest.fixture
def few_count() -> None:
    """Wait until few other tasks of this host have their datagrams counted."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        created = Created(Proc(), "self")
        first = created.counts_datagrams
        more = [Created(Proc(), "self") for _ in range(3)]
        room = first and all(one.counts_datagrams for one in more)
        for one in (created, *more):
            one.close()
        if room:
            return
        time.sleep(0.2)
    pytest.skip("so many supervised tasks run on this host that none more may count datagrams")


# Children of a millisecond that ask one question each, and one that sends for longer.
ASK = """
import os, socket, sys, time
host, port, children, more = sys.argv[1], *map(int, sys.argv[2:])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
time.sleep(0.1)
for _ in range(children):
    if os.fork() == 0:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"?" * 100, (host, port))
            sock.recv(2000)
        os._exit(0)
    os.wait()
with socket.socket(family, socket.SOCK_DGRAM) as sock:
    for _ in range(more):
        sock.sendto(b"?" * 100, (host, port))
        sock.recv(2000)
"""


class Answering:
    """Answers each datagram, from outside the task."""

    def __init__(self, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while True:
            data, peer = self.socket.recvfrom(2000)
            if data == b"end":
                return
            self.socket.sendto(b"!" * ANSWER, peer)

    def close(self) -> None:
        with socket.socket(self.socket.family, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"end", self.socket.getsockname())


@pytest.fixture(params=["127.0.0.1", "::1"])
def answering(request: pytest.FixtureRequest) -> Iterator[Answering]:
    try:
        server = Answering(request.param)
    except OSError as error:
        pytest.skip(f"no {request.param} here: {error}")
    yield server
    server.close()


def ask(server: Answering, children: int, more: int) -> list[str]:
    return python(ASK, server.socket.getsockname()[0], server.port, children, more)


def moved(observed: Observed) -> tuple[int, int]:
    assert observed.sealed["network_source"] == "sock_diag+destroy+bpf"
    return observed.sealed["network_rx_bytes"], observed.sealed["network_tx_bytes"]


def test_every_datagram_of_the_task_and_of_each_process(
    tmp_path: Path, answering: Answering
) -> None:
    observed = observe(tmp_path, ask(answering, 200, 300))
    assert moved(observed) == (500 * ANSWER, 500 * QUESTION)
    rows = [row for row in observed.processes().values() if row["network_tx_bytes"]]
    each = sorted((row["network_rx_bytes"], row["network_tx_bytes"]) for row in rows)
    assert each == [(ANSWER, QUESTION)] * 200 + [(300 * ANSWER, 300 * QUESTION)]


def test_two_tasks_at_once_and_a_stranger(tmp_path: Path) -> None:
    server = Answering("127.0.0.1")
    stranger = subprocess.Popen(ask(server, 100, 100))
    counts = (100, 40)
    tasks = [
        subprocess.Popen(command_for(tmp_path / str(count), ask(server, count, 50)))
        for count in counts
    ]
    assert [task.wait(60) for task in (stranger, *tasks)] == [0, 0, 0]
    server.close()
    for count in counts:
        (lines,) = read_spools(tmp_path / str(count))
        assert lines[-1]["network_rx_bytes"] == (count + 50) * ANSWER
        assert lines[-1]["network_tx_bytes"] == (count + 50) * QUESTION


def test_so_many_count_at_most(tmp_path: Path) -> None:
    """Each program more would cost every packet of the cgroup: those who come later do without."""
    held = [Created(Proc(), "self") for _ in range(sockets_created._COUNTERS_AT_MOST)]
    try:
        observed = observe(tmp_path, ["sleep", "0.2"])
    finally:
        for one in held:
            one.close()
    assert observed.sealed["network_source"] == "sock_diag+destroy+bpf"
    (event,) = [line for line in observed.of_type("e") if line["kind"] == "degraded"]
    assert "UDP is not counted" in event["detail"]["why"]
