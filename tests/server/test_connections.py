"""Whoever holds connections without asking keeps nobody from asking."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.serving import served

uvicorn = pytest.importorskip("uvicorn")
connections = pytest.importorskip("tracer_hooks.server.connections")
MANY = 300  # more than are held, and than uvicorn itself would answer beside


def test_many_idle_and_slow_connections_keep_nobody_out(tmp_path: Path) -> None:
    with served(tmp_path) as found, contextlib.ExitStack() as stack:
        held = []
        for number in range(MANY):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", found.port)))
            if number % 2:
                one.sendall(b"GET / HTTP/1.1\r\nHost: loc")
            held.append(one)
        begun = time.monotonic()
        assert found.get("/health")[0] == 200
        assert time.monotonic() - begun < 10
        held[0].settimeout(10)
        with contextlib.suppress(ConnectionError):
            assert held[0].recv(1) == b""  # it made room


@contextlib.asynccontextmanager
async def listening(body: bytes) -> AsyncIterator[tuple[Any, int]]:
    """What knows the connections, and the port, of a server that answers all with `body`."""

    async def answer(scope: object, receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(answer, log_config=None, lifespan="off")
    config.load()
    state = uvicorn.server.ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: connections.Connection(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        yield state, server.sockets[0].getsockname()[1]


def test_a_request_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 0.3)

    async def ask() -> tuple[bytes, bytes]:
        async with listening(b"") as (state, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            first = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"GET / HTTP/1.1\r\n")
            for _ in range(40):
                await asyncio.sleep(0.05)
                with contextlib.suppress(ConnectionError):
                    writer.write(b"a: b\r\n")
                if not state.connections:
                    break
            with contextlib.suppress(ConnectionError):
                return first, await asyncio.wait_for(reader.read(), 10)
            return first, b""

    first, rest = asyncio.run(ask())
    assert first.startswith(b"HTTP/1.1 200")
    assert rest in (b"", b"0\r\n\r\n")


def test_an_answer_over_a_slow_line_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 0.3)
    body = b"x" * 20_000_000

    async def ask() -> int:
        async with listening(body) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            got = 0
            while got < len(body):
                piece = await reader.read(2**20)
                if not piece:
                    break
                got += len(piece)
                await asyncio.sleep(0.05)
            return got

    assert asyncio.run(ask()) >= len(body)
