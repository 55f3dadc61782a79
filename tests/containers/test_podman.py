"""Real containers of podman: what runs in them is part of the task."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.containers.conftest import IMAGE, Podman
from tests.supervisor.harness import Observed, observe

pytestmark = [pytest.mark.engine, pytest.mark.podman]

MIB = 2**20
# What runs on behalf of the container, outside it; runc runs itself again by other names.
ENGINE = {"podman", "conmon", "runc", "exe", "runc:[2:INIT]"}
# Burns CPU, tells how much by the kernel's own account, and waits until somebody looked.
BURN = "awk 'BEGIN { while (i < 12000000) i++ }'; times; sleep 0.3"
WRITE = "dd if=/dev/zero of=/big bs=1M count=100 conv=fsync 2>/dev/null"
# A string that doubles up to 128 MiB; awk holds it while it sleeps.
HOLD = 'awk \'BEGIN { s = "x"; while (length(s) < 134217728) s = s s; system("sleep 1") }\''


def container(observed: Observed) -> dict[str, Any]:
    (event,) = [line for line in observed.of_type("e") if line["kind"] == "container"]
    detail: dict[str, Any] = event["detail"]
    return detail


def largest(observed: Observed, figure: str) -> dict[str, Any]:
    """The process that has the most of a figure: busybox runs awk in a fork of its shell."""
    return max(observed.processes().values(), key=lambda row: row.get(figure) or 0)


def burnt_s(output: bytes) -> float:
    """The sum of what the shell's `times` printed for itself and its children."""
    minutes = re.findall(r"(\d+)m([\d.]+)s", output.decode())
    assert len(minutes) == 4
    return sum(60 * int(whole) + float(rest) for whole, rest in minutes)


def see(tmp_path: Path, podman: Podman, command: list[str], *options: str) -> Observed:
    # conmon may leave a file `oom` where it was started, with us or without
    observed = observe(tmp_path, command, *options, env=podman.environment, cwd=tmp_path)
    assert observed.stderr == b""
    return observed


@pytest.mark.parametrize("capture", ["auto", "poll"])
def test_cpu_and_who_it_is(tmp_path: Path, podman: Podman, capture: str) -> None:
    command = podman.run("--name", f"burner-{capture}", BURN)
    observed = see(tmp_path, podman, command, "--capture", capture)
    assert observed.returncode == 0
    burnt = burnt_s(observed.stdout)
    detail = container(observed)
    assert detail["cpu_user_s"] + detail["cpu_system_s"] == pytest.approx(burnt, rel=0.02)
    assert observed.sealed["cpu_s"] > burnt
    assert (detail["image"], detail["name"]) == (IMAGE, f"burner-{capture}")
    assert observed.sealed["container_image"] == IMAGE
    assert observed.sealed["container_id"] == detail["id"]
    assert {"podman", "conmon"} <= {row["comm"] for row in observed.processes().values()}
    awk = largest(observed, "cpu_s")
    # what runs after the last look, which a busy host delays, belongs to the unattributed line
    assert 0 < awk["cpu_s"] < burnt + 0.06
    assert awk["cpu_s"] + observed.sealed["cpu_unattributed_s"] > burnt - 0.06


def test_cpu_bytes_and_memory_of_one_container(tmp_path: Path, podman: Podman) -> None:
    """All three at once: about 3 CPU seconds, 100 MiB written, 300 MiB held."""
    hold = 'awk \'BEGIN { s = sprintf("%314572800s", ""); system("sleep 1") }\''
    script = f"{BURN.replace('12000000', '24000000')}; {WRITE}; {hold}; times; sleep 0.3"
    observed = see(tmp_path, podman, podman.run(script))
    assert observed.returncode == 0
    *_, own, children = observed.stdout.decode().splitlines()
    burnt = burnt_s(f"{own}\n{children}".encode())
    assert burnt > 1.5
    detail = container(observed)
    assert detail["cpu_user_s"] + detail["cpu_system_s"] == pytest.approx(burnt, rel=0.02)
    assert detail["disk_write_bytes"] == pytest.approx(100 * MIB, rel=0.02)
    peak = largest(observed, "memory_peak_bytes")["memory_peak_bytes"]  # a high-water mark
    assert peak > 295 * MIB
    assert detail["memory_peak_bytes"] == pytest.approx(peak, rel=0.05)
    sealed = observed.sealed
    assert sealed["container_image"] == detail["image"] == IMAGE
    assert sealed["disk_write_bytes"] == pytest.approx(100 * MIB, rel=0.02)
    assert sealed["memory_peak_bytes"] >= 0.99 * peak
    # podman's own are in the task's, and named
    engine_s = sum(
        row["cpu_s"] or 0 for row in observed.processes().values() if row["comm"] in ENGINE
    )
    assert sealed["cpu_s"] == pytest.approx(burnt + engine_s, rel=0.02)


def test_bytes_written(tmp_path: Path, podman: Podman) -> None:
    observed = see(tmp_path, podman, podman.run(f"{WRITE}; sleep 0.3"))
    # podman itself writes some, too
    assert observed.sealed["disk_write_bytes"] == pytest.approx(100 * MIB, rel=0.02)
    assert container(observed)["disk_write_bytes"] == pytest.approx(100 * MIB, rel=0.02)


def test_memory(tmp_path: Path, podman: Podman) -> None:
    observed = see(tmp_path, podman, podman.run(f"{WRITE}; {HOLD}"))
    detail = container(observed)
    awk = largest(observed, "memory_peak_bytes")
    # the 100 MiB in the page cache are none of the program's
    assert detail["memory_peak_bytes"] == pytest.approx(awk["memory_peak_bytes"], rel=0.05)
    assert detail["cgroup_memory_peak_bytes"] > detail["memory_peak_bytes"]
    assert observed.sealed["memory_peak_bytes"] >= 0.99 * awk["memory_peak_bytes"]


def test_container_that_is_not_the_last_command(tmp_path: Path, podman: Podman) -> None:
    script = f"{shlex.join(podman.run(BURN))}; {shlex.join(podman.run('exit 3'))}; sleep 0.5"
    observed = see(tmp_path, podman, ["bash", "-c", script])
    burnt = burnt_s(observed.stdout)
    # conmon, which reaped the container, has ended and was reaped by the supervisor
    assert observed.sealed["cpu_s"] > burnt
    assert observed.sealed["cpu_s"] < burnt + 2.0
    ids = {e["detail"]["id"] for e in observed.of_type("e") if e["kind"] == "container"}
    assert len(ids) == 2
    assert observed.sealed["container_id"] in ids


def test_killed_by_the_limit_of_the_container(tmp_path: Path, podman: Podman) -> None:
    command = podman.run("--memory", "48m", HOLD)
    observed = observe(tmp_path, command, env=podman.environment, cwd=tmp_path)
    assert observed.returncode != 0
    assert observed.sealed["failure_cause"] == "oom"
    assert container(observed)["memory_limit_bytes"] == 48 * MIB
    (oom,) = [line for line in observed.of_type("e") if line["kind"] == "oom"]
    assert oom["detail"]["comm"] in ("awk", "sh")  # awk is a fork of busybox's shell


def test_exit_of_the_container_is_the_tasks(tmp_path: Path, podman: Podman) -> None:
    observed = observe(
        tmp_path, podman.run("sleep 0.3; exit 137"), env=podman.environment, cwd=tmp_path
    )
    assert observed.returncode == 137
    assert observed.sealed["failure_cause"] == "exit_code"
