"""Docker's path, against answers in the shape of the engine's API (v1.24 and later) from a socket.

No engine runs here. The container is a process that is no descendant of the task, in a cgroup of
files; `docker` is a script that waits.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.supervisor.harness import Observed, observe
from tracer_hooks.supervisor.container_docker import DockerRun, Request, is_docker_run

ID = "4fa6e0f0c6786287e131c3852c58a2e01cc697a68231826813597e4994f1d6e2"


def inspected(pid: int) -> dict[str, Any]:
    """What `GET /containers/(id or name)/json` answers, as far as the documentation shows it."""
    return {
        "Id": ID,
        "Created": "2024-05-01T10:20:30.123456789Z",
        "Path": "sleep",
        "Args": ["60"],
        "State": {
            "Status": "running" if pid else "created",
            "Running": bool(pid),
            "Paused": False,
            "Restarting": False,
            "OOMKilled": False,
            "Dead": False,
            "Pid": pid,
            "ExitCode": 0,
            "Error": "",
        },
        "Image": "sha256:ba5dc23f65d4cc4a4535bce55cf9e63b068eb02946e3422d3587e8ce803b6aab",
        "Name": "/aligner",
        "Config": {"Hostname": "4fa6e0f0c678", "Image": "biocontainers/bwa:0.7.17", "Labels": {}},
        "HostConfig": {"CgroupParent": "", "Memory": 0, "NanoCpus": 0},
    }


def listed(created: float, number: str = ID, **more: object) -> dict[str, Any]:
    """An element of what `GET /containers/json` answers."""
    return {
        "Id": number,
        "Names": ["/aligner"],
        "Image": "biocontainers/bwa:0.7.17",
        "ImageID": "sha256:ba5dc23f65d4",
        "Command": "sleep 60",
        "Created": int(created),
        "Labels": {},
        "State": "running",
        "Status": "Up 1 second",
        **more,
    }


class Engine(threading.Thread):
    """Answers GET requests at a Unix socket; a path that it does not know is a 404."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.asked: list[str] = []
        self.answers: dict[str, object] = {}
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(8)

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(4096).decode()
                if not request:
                    return
                target = request.split(" ")[1]
                self.asked.append(target)
                answer = self.answers.get(target.partition("?")[0])
                status = "200 OK" if answer is not None else "404 Not Found"
                body = json.dumps(answer or {"message": "No such container"}).encode()
                head = f"HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n"
                connection.sendall(head.encode())
                connection.sendall(body)

    def stop(self) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(self.path))
        self.join(5)
        self._socket.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "docker.sock")
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def groups() -> Iterator[list[Path]]:
    """Cgroups that are named as Docker names them, below those that the tests run in."""
    made: list[Path] = []
    told = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for _, names, path in told:
        made += [
            Path("/sys/fs/cgroup", name, path.lstrip("/"), f"docker-{ID}.scope")
            for name in ("cpuacct", "memory")
            if name in names.split(",")
        ]
    if not made:
        made.append(Path("/sys/fs/cgroup", told[-1][2].lstrip("/"), f"docker-{ID}.scope"))
    try:
        for group in made:
            group.mkdir()
    except OSError as error:
        for group in made:
            if group.exists():
                group.rmdir()
        pytest.skip(f"no cgroup can be made here: {error}")
    yield made
    for group in made:
        group.rmdir()


# Burns half a second of CPU time, then idles.
BURN = "import time\nwhile time.process_time() < 0.5: pass\ntime.sleep(60)"


def start_outside(groups: list[Path]) -> subprocess.Popen[bytes]:
    """The container's first process: nobody's child of the task."""
    enter = "".join(f"echo $$ > {group}/cgroup.procs; " for group in groups)
    return subprocess.Popen(
        ["sh", "-c", f'{enter} exec "$@"', "sh", sys.executable, "-c", BURN],
    )


def docker_run(*arguments: str, waits: float = 1.2) -> list[str]:
    """A command that looks like `docker run` and waits, as that does."""
    wait = f"import time; time.sleep({waits})"
    script = f"exec -a docker {sys.executable} -c '{wait}' \"$@\""
    return ["bash", "-c", script, "bash", "run", *arguments]


def see(tmp_path: Path, engine: Engine, command: list[str]) -> Observed:
    environment = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": f"unix://{engine.path}"}
    return observe(tmp_path / "store", command, "--capture", "poll", env=environment)


IMAGE = "biocontainers/bwa:0.7.17"


@pytest.mark.parametrize("by", ["name", "cidfile", "listing"])
def test_a_container_is_found_and_followed(
    tmp_path: Path, engine: Engine, groups: list[Path], by: str
) -> None:
    (tmp_path / "cid").write_text(ID)
    options = {"name": ["--name", "aligner"], "listing": []}.get(
        by, [f"--cidfile={tmp_path / 'cid'}"]
    )
    engine.answers["/containers/json"] = [
        listed(time.time()),
        listed(time.time(), "other", Image="postgres"),
        listed(time.time() - 3600, "earlier"),
    ]
    outside = start_outside(groups)
    try:
        reference = "aligner" if by == "name" else ID
        engine.answers[f"/containers/{reference}/json"] = inspected(outside.pid)
        observed = see(tmp_path, engine, docker_run(*options, IMAGE))
        used = psutil.Process(outside.pid).cpu_times()
    finally:
        outside.kill()
        outside.wait()
    sealed = observed.sealed
    assert (sealed["container_id"], sealed["container_image"]) == (ID, IMAGE)
    (event,) = [line for line in observed.of_type("e") if line["kind"] == "container"]
    assert (event["detail"]["runtime"], event["detail"]["name"]) == ("docker", "aligner")
    row = observed.processes()[event["id"]]
    assert (row["pid"], row["src"], row["cpu_src"]) == (outside.pid, "cgroup", "cgroup")
    assert row["cpu_s"] == pytest.approx(used.user + used.system, abs=0.06)
    # in the total, and a named process accounts for it
    assert sealed["cpu_s"] >= row["cpu_s"]
    assert sealed["cpu_unattributed_s"] < 0.3
    assert any(target.startswith("/containers/json") for target in engine.asked) == (
        by == "listing"
    )


def test_a_container_that_is_not_to_be_found(tmp_path: Path, engine: Engine) -> None:
    observed = see(tmp_path, engine, docker_run("--name", "unknown", IMAGE, waits=0.6))
    assert observed.sealed["status"] == "succeeded"
    assert "container_id" not in observed.sealed
    (event,) = [line for line in observed.of_type("e") if line["detail"].get("what") == "container"]
    assert "404" in event["detail"]["why"]


def test_a_container_that_has_not_begun_is_asked_for_again(tmp_path: Path, engine: Engine) -> None:
    engine.answers["/containers/aligner/json"] = inspected(0)
    see(tmp_path, engine, docker_run("--name", "aligner", IMAGE, waits=0.8))
    assert engine.asked.count("/containers/aligner/json") > 1


def test_without_an_engine_nothing_happens(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": f"unix://{tmp_path}/none"}
    observed = observe(tmp_path, docker_run(IMAGE, waits=0.4), env=environment)
    assert observed.sealed["status"] == "succeeded"
    assert [e for e in observed.of_type("e") if e["detail"].get("what") == "container"]


# the parts


def test_an_engine_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "socket"))
        silent.listen(1)
        request = Request(str(tmp_path / "socket"), "/containers/x/json", 0.0)
        assert not request.look(1.0)
        assert request.look(9.0)
        assert "did not answer" in (request.failed or "")


def test_an_answer_that_is_none(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "socket"))
        engine.listen(1)
        request = Request(str(tmp_path / "socket"), "/containers/x/json", 0.0)
        connection, _ = engine.accept()
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n<html>")
        assert not request.look(0.0)
        connection.close()
        assert request.look(0.0)
        assert "not understood" in (request.failed or "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("docker run ubuntu", True),
        ("/usr/bin/docker --context x run ubuntu", True),
        ("docker container run ubuntu", True),
        ("docker ps", False),
        ("dockerd run", False),
        ("", False),
    ],
)
def test_command_lines(words: str, expected: bool) -> None:
    assert is_docker_run(words.split()) is expected


def test_two_containers_that_fit_are_none() -> None:
    run = DockerRun(["docker", "run", "--label", "task=7", "-l=x", IMAGE])
    assert run.labels == ["task=7", "x"]
    fitting = listed(100.0, "a", Labels={"task": "7", "x": ""})
    assert run.choose([fitting, listed(100.0, "b")], 100.5) == "a"
    assert run.choose([fitting, {**fitting, "Id": "b"}], 100.5) is None
    assert run.choose([], 100.5) is None
