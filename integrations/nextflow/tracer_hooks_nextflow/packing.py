"""The supervisor as one file that a Python of 3.9 or later runs: a zip with a front door."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING

from tracer_hooks.adapter import SUPERVISOR
from tracer_hooks.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

MAIN = """\
import sys
from tracer_hooks.supervisor.entry import main
main(sys.argv[1:])
"""


def pack(target: Path) -> None:
    """Write the file, unless this version's is there. Raises OSError."""
    if target.exists() and _version(target) == __version__:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = __version__.encode()
        archive.writestr("__main__.py", MAIN)
        archive.writestr("tracer_hooks/__init__.py", "")
        archive.write(SUPERVISOR.parent.parent / "version.py", "tracer_hooks/version.py")
        for source in sorted(SUPERVISOR.parent.glob("*.py")):
            archive.write(source, f"tracer_hooks/supervisor/{source.name}")
    partial.replace(target)


def _version(packed: Path) -> str | None:
    try:
        with zipfile.ZipFile(packed) as archive:
            return archive.comment.decode()
    except (OSError, zipfile.BadZipFile, ValueError):
        return None
