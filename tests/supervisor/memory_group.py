"""A memory cgroup with a small limit, and what exceeds it."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path

import pytest

_MEMORY = Path("/sys/fs/cgroup/memory")
LIMIT = 60 << 20
EAT = "bytearray(200 << 20)"
WAIT = "import time; time.sleep(0.2); "


def make_group() -> Path:
    """The folder of a new cgroup (v1 or v2) below our own; whoever writes its pid into
    `cgroup.procs` there is in it. Skips the test where none can be made."""
    told = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    here = {name: path for _, names, path in told for name in names.split(",")}
    if "memory" in here:
        parent, limit = _MEMORY / here["memory"].lstrip("/"), "memory.limit_in_bytes"
    else:
        parent, limit = Path("/sys/fs/cgroup") / here.get("", "/").lstrip("/"), "memory.max"
    group = parent / f"tracer-hooks-test-{uuid.uuid4().hex[:12]}"
    try:
        group.mkdir()
        (group / limit).write_text(str(LIMIT))
        with contextlib.suppress(OSError):  # there is no swap to account for
            (group / limit.replace("memory.limit", "memory.memsw.limit")).write_text(str(LIMIT))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"no memory cgroup can be made here: {error}")
    return group
