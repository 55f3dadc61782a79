"""The small workload of `demo`: real work with the habits that cost pipelines their time."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

_PYTHON = [sys.executable, "-I", "-S"]

# Asks for four cores; Python's one interpreter keeps one busy.
_ALIGN = """\
import time
score = 0
while time.process_time() < 2:
    for i in range(10000):
        score = (score * 31 + i) % 1000003
print("aligned, score", score)
"""
# One new process for each of a few hundred lines, as shell loops do.
_ANNOTATE = """\
i=0
while [ $i -lt 250 ]; do
    echo "gene_$i chr1 $((i * 100))" | grep -q "gene_$i " || exit 1
    i=$((i + 1))
done
echo "annotated $i genes"
"""
# Every block is forced to the disk before the next is written.
_WRITE = """\
import os
block = os.urandom(1 << 20)
with open("matrix.bin", "wb") as file:
    for _ in range(96):
        file.write(block)
        file.flush()
        os.fsync(file.fileno())
print("wrote", os.path.getsize("matrix.bin") >> 20, "MiB")
"""
# Fails at the first attempt and succeeds at the second, as a busy server makes tasks do.
_FETCH = """\
import pathlib, sys, time
time.sleep(0.4)
mark = pathlib.Path("fetched.once")
if not mark.exists():
    mark.touch()
    sys.exit("fetch: the server hung up")
cache = bytearray(120 << 20)
for page in range(0, len(cache), 4096):
    cache[page] = 1
time.sleep(0.4)
print("fetched")
"""


@dataclass(frozen=True)
class DemoTask:
    """A step of the demo, and what it asks for."""

    step: str
    why: str
    command: list[str]
    options: list[str] = field(default_factory=list)
    attempts: int = 1


FILES = {
    "align.py": _ALIGN,
    "annotate.sh": _ANNOTATE,
    "write_matrix.py": _WRITE,
    "fetch.py": _FETCH,
}

TASKS = (
    DemoTask(
        "fetch", "fails once, then succeeds", [*_PYTHON, "fetch.py"], ["--memory", "1G"], attempts=2
    ),
    DemoTask(
        "align",
        "asks for 4 cores, uses 1",
        [*_PYTHON, "align.py"],
        ["--cpus", "4", "--memory", "2G"],
    ),
    DemoTask("annotate", "starts hundreds of tiny helpers", ["sh", "annotate.sh"], ["--cpus", "1"]),
    DemoTask("write", "waits for the disk", [*_PYTHON, "write_matrix.py"], ["--cpus", "1"]),
    DemoTask("wait", "sleeps", ["sleep", "2"], ["--cpus", "2", "--time", "10m"]),
)
