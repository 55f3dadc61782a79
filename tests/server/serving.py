"""A real `tracer-hooks serve`, and what tests ask of it."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.cli.command import SCRIPT, environment

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@dataclass
class Served:
    """A running `serve`."""

    process: subprocess.Popen[str]
    url: str
    store: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers of an answer."""
        request = urllib.request.Request(self.url + path, headers=headers)  # noqa: S310 (our own)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, answer.read().decode(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), dict(error.headers)

    def raw(self, data: bytes) -> tuple[int, bytes]:
        """Status (0: the connection was closed) and body of whatever is sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.connect()
        try:
            connection.sock.sendall(data)
            response = http.client.HTTPResponse(connection.sock)
            response.begin()
            return response.status, response.read()
        except (http.client.HTTPException, ConnectionError):
            return 0, b""
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float | None:
        """The sum of a metric's samples that have these labels; None if there is none."""
        _, text, _ = self.get("/metrics", Accept=OPENMETRICS)
        found = [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def start(store: Path, *arguments: str, **variables: str) -> Served:
    """Start it on a free port; ready when this returns."""
    process = subprocess.Popen(
        [SCRIPT, "serve", "--store", str(store), "--port", "0", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("serving http://"), line
    return Served(process, line.split()[1].rstrip("/"), store)


@contextmanager
def served(store: Path, *arguments: str, **variables: str) -> Iterator[Served]:
    """The same, ended afterwards as a service manager would end it."""
    found = start(store, *arguments, **variables)
    try:
        yield found
    finally:
        if found.process.poll() is None:
            found.process.terminate()
            assert found.process.wait(timeout=60) == 0


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is so; what it said."""
    deadline = time.monotonic() + seconds
    while not (said := true()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.1)
    return said


def run(store: Path, *command: str, wait: bool = True, **options: str) -> subprocess.Popen[bytes]:
    """A supervised command; options as of `tracer-hooks run`."""
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    process = subprocess.Popen(
        [SCRIPT, "run", "--store", str(store), *flags, "--", *command],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    if wait:
        process.wait(timeout=120)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """End a supervised command with all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
