"""Connections that live about a millisecond: no look catches more than a few of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.connections import MB, Nobody, Server, python
from tests.supervisor.harness import command_for, observe, read_spools
from tracer_hooks.supervisor.sockets import NetworkSource
from tracer_hooks.supervisor.sockets_bytes import Bytes

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


def storm(port: int, count: int, size: int) -> list[str]:
    """What the interpreter is given to make short connections."""
    return python(SHORT_CHILDREN, port, count, size)[1:]


def sent(lines: list[dict[str, Any]]) -> int:
    """The task's bytes; 0 also where none were counted and what was not may be its own."""
    value = lines[-1]["network_tx_bytes"]
    doubtful = unattributed(lines)["not_counted_tx_bytes"]
    assert value is None if doubtful and not value else isinstance(value, int)
    return value or 0


def unattributed(lines: list[dict[str, Any]]) -> dict[str, Any]:
    events = [line["detail"] for line in lines if line.get("kind") == "network_unattributed"]
    assert len(events) <= 1
    return events[0] if events else {"tx_bytes": 0, "sockets": 0, "not_counted_tx_bytes": 0}


def test_1000_connections_of_short_children(nobody: Nobody) -> None:
    (lines,) = nobody.at_once([storm(Server().port, 1000, 100_000)])
    assert sent(lines) == pytest.approx(100 * MB, rel=0.02)
    rest = unattributed(lines)
    rows = {line["id"]: line for line in lines if line["t"] in "pq"}
    named = sum(row.get("network_tx_bytes") or 0 for row in rows.values())
    assert named + rest["tx_bytes"] == pytest.approx(sent(lines), rel=0.002)
    assert 980 <= rest["of_sockets"] <= 1000
    assert rest["sockets"] <= rest["of_sockets"]


def test_by_polling_each_is_counted_or_said_not_to_be(nobody: Nobody) -> None:
    """How many looks catch depends on the machine; what they do not tell is never lost or made."""
    for _ in range(5):
        (lines,) = nobody.at_once([storm(Server().port, 300, 100_000)], "--capture", "poll")
        assert sent(lines) <= 30.1 * MB
        assert sent(lines) + unattributed(lines)["not_counted_tx_bytes"] >= 29.4 * MB
        if sent(lines):
            return
    pytest.fail("no look ever caught one")


def test_what_nobody_saw_is_unknown_and_not_none(nobody: Nobody) -> None:
    """One connection is no evidence, so that what a look does not catch is not counted."""
    late = f"import time; time.sleep(0.3)\n{SHORT_CHILDREN}"
    command = python(late, Server().port, 1, 100_000)[1:]
    (lines,) = nobody.at_once([command], "--capture", "poll")
    doubtful = unattributed(lines)["not_counted_tx_bytes"]
    assert sent(lines) == 0 or sent(lines) >= 98_000
    assert sent(lines) + doubtful >= 98_000


@pytest.mark.parametrize(
    ("counted", "unsure", "told"), [(0, 0, 0), (0, 7, None), (5, 7, 5), (5, 0, 5)]
)
def test_none_counted_is_0_only_if_none_may_be_missing(
    counted: int, unsure: int, told: int | None
) -> None:
    source: Any = NetworkSource.__new__(NetworkSource)
    source._looks, source._all, source._datagrams = 1, {}, None
    source._complete, source._openers = True, None
    source._closed, source._unsure = Bytes(), Bytes()
    source._closed.add(1, counted, 3)
    source._unsure.add(1, unsure, 3)
    columns = source.columns(0.0)
    assert (columns["network_rx_bytes"], columns["network_tx_bytes"]) == (told, 3)


@pytest.mark.usefixtures("bpf")
def test_each_connection_has_its_process(tmp_path: Path) -> None:
    observed = observe(tmp_path, python(SHORT_CHILDREN, Server().port, 300, 100_000))
    assert observed.sealed["network_source"] == "sock_diag+destroy+bpf"
    assert sent(observed.lines) == pytest.approx(30 * MB, rel=0.005)
    # Those opened before the programs were in the kernel, some 5 ms after the start: at about one a
    # millisecond a few, and on a busy host up to a tenth. Only their process is unknown: their
    # bytes are in the task's, which is held to 0.5 % above.
    assert unattributed(observed.lines)["sockets"] <= 30
    rows = observed.processes().values()
    moved = [row["network_tx_bytes"] for row in rows if row["network_tx_bytes"]]
    assert len(moved) >= 270
    assert max(moved) <= 100_002


def test_two_tasks_at_once(nobody: Nobody) -> None:
    first, second, idle = nobody.at_once(
        [
            storm(Server().port, 1000, 100_000),
            storm(Server().port, 1000, 30_000),
            ["-c", "import time; time.sleep(1)"],
        ]
    )
    assert sent(first) == pytest.approx(100 * MB, rel=0.02)
    assert sent(second) == pytest.approx(30 * MB, rel=0.02)
    assert sent(idle) == 0  # measured: it has no socket


@pytest.mark.parametrize("sizes", [(100_000, 30_000), (100_000, 100_000)])
def test_two_tasks_that_share_a_peer(nobody: Nobody, sizes: tuple[int, int]) -> None:
    """Told apart by what they move, and if they are alike by telling each other of themselves.

    On a slow host a task may be so seldom seen to connect that its bytes are said to be unknown.
    """
    for _ in range(5):
        port = Server().port
        told = nobody.at_once([storm(port, 300, size) for size in sizes])
        exact = [sent(told[n]) == pytest.approx(300 * sizes[n], rel=0.02) for n in (0, 1)]
        if all(exact):
            return
        for number, lines in enumerate(told):
            rest = unattributed(lines)
            seen = rest["tx_bytes"] == 0 or rest["sockets"] < 10  # and nothing by a wrong guess
            assert exact[number] or seen
            known = sent(lines) + rest["not_counted_tx_bytes"]
            assert exact[number] or known >= 0.98 * 300 * sizes[number]
    pytest.fail("never told both")


def test_what_cannot_be_told_apart_is_counted_for_none(nobody: Nobody) -> None:
    """By polling not every process is known, so counting them tells nothing."""
    port = Server().port
    for lines in nobody.at_once([storm(port, 300, 100_000)] * 2, "--capture", "poll"):
        assert sent(lines) <= 30.1 * MB
        assert sent(lines) + unattributed(lines)["not_counted_tx_bytes"] >= 29.4 * MB


def test_nothing_is_taken_of_a_stranger_who_is_not_supervised(nobody: Nobody) -> None:
    port = Server().port
    stranger = nobody.start(storm(port, 300, 100_000))
    (lines,) = nobody.at_once([storm(port, 300, 100_000)])
    assert stranger.wait(60) == 0
    assert sent(lines) <= 30.1 * MB
    assert sent(lines) + unattributed(lines)["not_counted_tx_bytes"] >= 29.4 * MB


@pytest.mark.usefixtures("bpf")
def test_two_tasks_that_share_a_peer_are_told_apart_where_the_kernel_tells(tmp_path: Path) -> None:
    port = Server().port
    processes = [
        subprocess.Popen(command_for(tmp_path / str(size), python(SHORT_CHILDREN, port, 300, size)))
        for size in (100_000, 30_000)
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
    for size in (100_000, 30_000):
        (lines,) = read_spools(tmp_path / str(size))
        assert sent(lines) == pytest.approx(300 * size, rel=0.02)
