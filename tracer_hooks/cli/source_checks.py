"""What `doctor` says of the network, cgroups and containers: each tried as this user."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.cli.checks import Check
from tracer_hooks.supervisor import sock_diag
from tracer_hooks.supervisor.cgroup_owner import owner
from tracer_hooks.supervisor.cgroup_paths import Group, groups
from tracer_hooks.supervisor.container_docker import engine_socket
from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.sockets_created import Created
from tracer_hooks.supervisor.sources import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator


def run() -> Iterator[Check]:
    """One check a source. Never raises."""
    yield _network()
    yield _opened_sockets()
    yield _cgroup()
    yield _containers()


def _network() -> Check:
    """The byte counters of TCP sockets, and the notices of their end."""
    try:
        requests = sock_diag.open_requests()
        try:
            sock_diag.dump(requests)
        finally:
            requests.close()
    except OSError as error:
        return Check(
            "network",
            "limited",
            f"sock_diag: {error.strerror or error}; no network bytes",
            "a kernel with CONFIG_INET_DIAG (modprobe inet_diag tcp_diag)",
        )
    ends = sock_diag.listen()
    if ends is None:
        return Check(
            "network",
            "limited",
            "bytes of TCP connections as far as they are read while open: the kernel's notices of "
            "ended sockets are refused",
            "Linux 4.8 or newer, and a seccomp profile that permits netlink sockets",
        )
    ends.close()
    return Check("network", "ok", "bytes of TCP connections, up to the last of each")


def _opened_sockets() -> Check:
    """The programs in the kernel that tell who opens sockets, and count datagrams."""
    try:
        Created(Proc(), "self").close()
    except (OSError, Refused) as error:
        return Check(
            "network bpf",
            "limited",
            f"refused: {error}; UDP is not counted, and of connections too short for a look it is "
            "not known which process had them",
            "root, or the capabilities CAP_BPF and CAP_NET_ADMIN, and a mounted cgroup v2",
        )
    return Check("network bpf", "ok", "UDP too, and each connection's process however short it is")


def _cgroup() -> Check:
    """What this process's own cgroup tells: a task that is started here gets the same."""
    found = groups(Proc(), "self")
    memory = found.get("memory")
    if memory is None:
        return Check(
            "cgroup",
            "limited",
            "no memory cgroup: out-of-memory kills are known from the host's counter only",
            "mount a cgroup hierarchy with the memory controller",
        )
    whose = owner(memory, Proc(), os.getpid(), set())
    place = f"v{memory.version}, memory at {memory.path or '/'}"
    finding = f"{place}; limits, throttling and OOM kills{_missing(found)}"
    if not whose.own:
        finding += f"; its memory peak is not used: {whose.why}"
    return Check("cgroup", "ok", finding)


def _missing(found: dict[str, Group]) -> str:
    lacking = [name for name in ("cpu", "blkio") if name not in found]
    return f", but no controller {' and '.join(lacking)}" if lacking else ""


def _containers() -> Check:
    """Podman's containers are in the tree; Docker's are asked for at the engine's socket."""
    told = []
    if shutil.which("podman"):
        told.append("podman's containers are part of the task")
    path = engine_socket()
    if path is None:
        told.append("DOCKER_HOST is another host, whose containers are not followed")
    elif not Path(path).exists():
        told.append("no Docker engine here")
    else:
        try:
            with socket.socket(socket.AF_UNIX) as engine:
                engine.settimeout(2)
                engine.connect(path)
        except OSError as error:
            return Check(
                "containers",
                "limited",
                f"{path}: {error.strerror or error}; containers of `docker run` are not followed",
                "a running engine, and membership of the group that owns its socket (docker)",
            )
        told.append("containers of `docker run` are followed")
    return Check("containers", "ok", "; ".join(told))
