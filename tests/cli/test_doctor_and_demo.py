"""`doctor` tells the truth about this machine, and `demo` works from nothing."""

from __future__ import annotations

import json
import re
import shlex
import socket
from pathlib import Path

import pytest

from tests.cli.command import children, environment, here, tracer_hooks
from tracer_hooks.cli import checks, source_checks
from tracer_hooks.supervisor import sock_diag

Capsys = pytest.CaptureFixture[str]


def test_doctor_on_a_healthy_machine(tmp_path: Path, capsys: Capsys) -> None:
    done = here(capsys, "doctor", "--store", tmp_path / "new")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "live test" in done.stdout
    assert re.search(r"recorded \d+ processes", done.stdout)
    assert "\x1b" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_doctor_as_json(tmp_path: Path, capsys: Capsys) -> None:
    page = json.loads(here(capsys, "doctor", "--store", tmp_path, "--format", "json").stdout)
    assert page["healthy"] is True
    found = {check["name"]: check for check in page["checks"]}
    assert {"system", "python", "/proc", "process tree", "io", "store", "live test"} <= set(found)
    assert all(check["state"] in ("ok", "limited", "failed") for check in found.values())
    limited = [check for check in found.values() if check["state"] == "limited"]
    assert all(check["remedy"] for check in limited)


def test_doctor_tries_each_capture_source(capsys: Capsys, tmp_path: Path) -> None:
    page = json.loads(here(capsys, "doctor", "--store", tmp_path, "--format", "json").stdout)
    found = {check["name"]: check for check in page["checks"]}
    for source in ("perf", "taskstats", "poll"):
        check = found[f"capture {source}"]
        assert re.search(r"named \d+ of 200|refused: .+", check["finding"]), check
        assert check["state"] == "ok" or check["remedy"]
    perf = found["capture perf"]
    assert perf["state"] == "limited" or "named 200 of 200" in perf["finding"]


def test_doctor_tries_the_network_cgroups_and_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as gone:  # nobody answers there any more
        gone.bind(str(tmp_path / "docker.sock"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    found = {check.name: check for check in source_checks.run()}
    assert found["network"].state == "ok"
    bpf = found["network bpf"]
    assert bpf.state == "ok" or ("refused" in bpf.finding and "CAP_BPF" in str(bpf.remedy))
    assert "memory" in found["cgroup"].finding
    assert found["containers"].state == "limited"
    assert "refused" in found["containers"].finding
    monkeypatch.setattr(sock_diag, "listen", lambda: None)
    found = {check.name: check for check in source_checks.run()}
    assert "notices of ended sockets are refused" in found["network"].finding


def test_doctor_names_a_store_that_cannot_be_written(tmp_path: Path, capsys: Capsys) -> None:
    (tmp_path / "file").write_text("")
    done = here(capsys, "doctor", "--store", tmp_path / "file" / "store")
    assert done.returncode == 1
    assert re.search(r"FAILED +store", done.stdout)
    assert "--store DIR" in done.stdout
    assert "Supervised commands run all the same" in done.stdout


def test_checks_say_why_and_what_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    found = {check.name: check for check in checks.machine()}
    for name in ("process tree", "io", "smaps_rollup"):
        assert found[name].state == "limited"
        assert "Permission denied" in found[name].finding
        assert found[name].remedy


@pytest.mark.parametrize("option", ["hidepid=2", "hidepid=invisible"])
def test_a_restricted_proc_is_seen(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = f"proc /proc proc rw,nosuid,{option} 0 0\nsysfs /sys sysfs rw 0 0\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: mounts)
    found = next(check for check in checks.machine() if check.name == "/proc")
    assert found.state == "limited"
    assert option in found.finding
    assert "remount" in str(found.remedy)


def test_doctor_leaves_no_child_behind() -> None:
    before = children()
    list(checks.machine())
    assert children() <= before


@pytest.mark.engine  # a pipeline of its own, for ten seconds
def test_demo_from_nothing(tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = tracer_hooks("demo", env=environment(TMPDIR=str(tmp_path)))
    assert (done.returncode, done.stderr) == (0, "")
    for step in ("fetch", "align", "annotate", "write", "wait"):
        assert re.search(rf"^  {step} ", done.stdout, re.M)
    assert "exit status 1" in done.stdout
    # The commands that it names do work.
    for line in re.findall(r"^  (tracer-hooks (?:show|report) .*)$", done.stdout, re.M):
        shown = here(capsys, *shlex.split(line)[1:])
        assert (shown.returncode, shown.stderr) == (0, "")
        if "--output" not in line:
            assert "annotate" in shown.stdout
    page = tmp_path / "demo.html"
    assert "annotate" in page.read_text()
    kept = [path.name for path in tmp_path.iterdir() if path != page]
    assert len(kept) == 1, kept  # the store; the work is cleared away
