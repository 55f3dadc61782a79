"""The labelled tasks: what each must be called, in which disguise, and how it is started."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from places import NotHereError, beside, big_file, in_group, program, swap
from programs import MIB

Made = tuple[list[str], list[str]]  # the head of the command line, the command
Setting = Callable[[Path], AbstractContextManager[Made]]


@dataclass(frozen=True)
class Workload:
    """`options` are those of `tracer-hooks run`; `status` is how it has to exit."""

    label: str
    name: str
    setting: Setting
    options: tuple[str, ...] = ()
    status: int = 0
    control: bool = field(default=False)  # computes: never to be called I/O-bound


def plain(*command: str) -> Setting:
    @contextlib.contextmanager
    def setting(_: Path) -> Iterator[Made]:
        yield [], list(command)

    return setting


def shell(script: str) -> Setting:
    return plain("bash", "-c", script)


def runs(name: str, *arguments: object) -> Setting:
    """A program; `FOLDER` among its arguments is a folder of its own."""

    @contextlib.contextmanager
    def setting(folder: Path) -> Iterator[Made]:
        yield [], program(name, *(folder if one == "FOLDER" else one for one in arguments))

    return setting


def reading(name: str, size: int, memory_bytes: int | None = None, *before: object) -> Setting:
    """A program that reads a file of `size`, in a group with that much memory."""

    @contextlib.contextmanager
    def setting(folder: Path) -> Iterator[Made]:
        file = big_file(folder / "input", size)
        with in_group(memory_bytes=memory_bytes) as head:
            yield head, program(name, *before, file)

    return setting


def with_server(server: str, client: str) -> Setting:
    @contextlib.contextmanager
    def setting(_: Path) -> Iterator[Made]:
        with beside(program(server), says=True) as port:
            yield [], program(client, port)

    return setting


def pinned(many: int, neighbours: int = 0) -> Setting:
    """So many busy processes on one core, with others that are no part of the task."""

    @contextlib.contextmanager
    def setting(_: Path) -> Iterator[Made]:
        one = ["taskset", "-c", "0"]
        if sys.platform != "linux":
            raise NotHereError("taskset is Linux's")
        with contextlib.ExitStack() as stack:
            if neighbours:
                stack.enter_context(beside([*one, *program("busy_processes", neighbours)]))
            yield [], [*one, *program("busy_processes", many)]

    return setting


def quota(cores: float, *command: str) -> Setting:
    @contextlib.contextmanager
    def setting(_: Path) -> Iterator[Made]:
        with in_group(cores=cores) as head:
            yield head, list(command)

    return setting


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[Made]:
    lock = folder / "lock"
    with beside(program("hold_lock", lock), says=True):
        yield [], program("wait_for_lock", lock)


@contextlib.contextmanager
def swapping(folder: Path) -> Iterator[Made]:
    with swap(folder / "swap", 256 * MIB), in_group(memory_bytes=64 * MIB) as head:
        yield head, program("heap", 160 * MIB)


@contextlib.contextmanager
def out_of_memory(_: Path) -> Iterator[Made]:
    with in_group(memory_bytes=64 * MIB) as head:
        yield head, ["bash", "-c", "sleep 1; " + " ".join(program("heap", 200 * MIB))]


_SUBSTITUTION = "x=$(echo a b | cut -d' ' -f1)"
_DSYNC = "timeout 2.5 dd if=/dev/zero of=out bs=64k oflag=dsync || true"
_POLLING = "for i in {1..50}; do [ -e no ] || sleep 0.05; done"
_BASH_LOOP = "end=$((SECONDS + 3)); while [ $SECONDS -lt $end ]; do {}; done"

WORKLOADS = (
    Workload("cpu_bound", "python_loop", runs("busy"), control=True),
    Workload(
        "cpu_bound", "gzip", shell("head -c 50M /dev/urandom | gzip -9 | wc -c"), control=True
    ),
    Workload("cpu_bound", "sha256", shell("head -c 1500M /dev/zero | sha256sum"), control=True),
    Workload(
        "cpu_bound", "two_processes", runs("busy_processes", 2), ("--cpus", "2"), control=True
    ),
    Workload(
        "cpu_bound", "beside_sleepers", runs("busy_beside_sleepers"), ("--cpus", "1"), control=True
    ),
    Workload("cpu_bound", "writing_a_log", runs("busy_writing_a_log", "FOLDER"), control=True),
    Workload("cpu_bound", "python_loop_polled", runs("busy"), ("--capture", "poll"), control=True),
    Workload("cpu_underused", "one_loop_of_four", runs("busy"), ("--cpus", "4"), control=True),
    Workload(
        "cpu_underused", "serial_compression", runs("compress"), ("--cpus", "4"), control=True
    ),
    Workload("cpu_contended", "six_on_one_core", pinned(6)),
    Workload("cpu_contended", "quota", quota(0.3, *program("busy"))),
    Workload("cpu_contended", "quota_two_processes", quota(0.5, *program("busy_processes", 2))),
    Workload("cpu_contended", "busy_neighbours", pinned(1, neighbours=3)),
    Workload("disk_bound", "small_fsyncs", runs("fsync_small", "FOLDER")),
    Workload("disk_bound", "replaced_files", runs("replace_files", "FOLDER")),
    Workload("disk_bound", "direct_reads", reading("direct_reads", 256 * MIB)),
    Workload("disk_bound", "short_memory", reading("read_over", 256 * MIB, 48 * MIB)),
    Workload("disk_bound", "cold_mapped_file", reading("map_cold", 256 * MIB)),
    Workload("disk_bound", "dd_dsync", shell(_DSYNC)),
    Workload("network_bound", "download", with_server("serve_slowly", "download")),
    Workload("network_bound", "upload", with_server("serve_slowly", "upload")),
    Workload("network_bound", "four_at_once", with_server("serve_slowly", "download_many")),
    Workload("memory_bound", "mapped_over_limit", reading("map_over", 256 * MIB, 64 * MIB)),
    Workload(
        "memory_bound", "heap_and_mapped", reading("heap_and_map", 96 * MIB, 64 * MIB, 40 * MIB)
    ),
    Workload("memory_bound", "swap", swapping),
    Workload("memory_bound", "out_of_memory", out_of_memory, status=137),
    Workload("process_churn", "bash_loop", shell(_BASH_LOOP.format("/bin/true"))),
    Workload("process_churn", "bash_substitutions", shell(_BASH_LOOP.format(_SUBSTITUTION))),
    Workload(
        "process_churn",
        "bash_loop_polled",
        shell(_BASH_LOOP.format("/bin/true")),
        ("--capture", "poll"),
    ),
    Workload("process_churn", "python_helpers", runs("start_helpers")),
    Workload("process_churn", "python_interpreters", runs("start_interpreters")),
    Workload("idle", "sleep", shell("sleep 2.5")),
    Workload("idle", "lock", locked),
    Workload("idle", "thread_lock", runs("wait_for_thread"), ("--cpus", "4")),
    Workload("idle", "slow_remote", with_server("answer_late", "ask")),
    Workload("idle", "polling_for_a_file", shell(_POLLING)),
    Workload("uncertain", "cpu_and_sleep", runs("half_and_half")),
    Workload("uncertain", "cpu_disk_and_sleep", runs("thirds", "FOLDER")),
    Workload("uncertain", "network_and_sleep", with_server("serve_slowly", "fetch_and_rest")),
    Workload("too_short", "true", plain("true")),
    Workload("too_short", "short_loop", plain("bash", "-c", "for i in {1..20000}; do :; done")),
)
