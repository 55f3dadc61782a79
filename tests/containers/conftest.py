"""A podman of our own: its storage, its configuration and one small image in a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

IMAGE = "localhost/tracer-test:1"


class Podman:
    """Podman with storage and settings below one folder."""

    def __init__(self, folder: Path) -> None:
        self.environment = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
        self.command = [
            "podman", "--root", str(folder / "storage"), "--runroot", str(folder / "run"),
        ]  # fmt: skip

    def run(self, *arguments: str) -> list[str]:
        """The command line that runs the image."""
        *options, script = arguments
        return [*self.command, "run", "--rm", *options, IMAGE, "sh", "-c", script]


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    missing = [name for name in ("podman", "runc", "busybox") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: podman runc busybox-static)")
    if os.geteuid() != 0:
        pytest.skip("podman without root needs subordinate user ids: run as root")
    folder = Path(
        tempfile.mkdtemp(prefix="tracer-")
    )  # podman wants a path of at most 50 characters
    try:
        yield _made(folder)
    finally:
        # its overlay mount would keep the folder from being removed
        subprocess.run(["umount", "-l", str(folder / "storage" / "overlay")], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path) -> Podman:
    build = Path(__file__).with_name("build_image.sh")
    made = subprocess.run([str(build), str(folder)], capture_output=True, text=True, timeout=120)
    if made.returncode:
        pytest.skip(f"podman can't make an image here: {made.stderr.strip()[-300:]}")
    podman = Podman(folder)
    tried = subprocess.run(
        podman.run("true"), capture_output=True, text=True, timeout=60, env=podman.environment
    )
    if tried.returncode:
        pytest.skip(f"podman can't run a container here: {tried.stderr.strip()[-300:]}")
    return podman
