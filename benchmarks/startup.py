"""What one task pays for being supervised: `true`, bare and supervised, in alternating pairs.

The interpreter's own bare start is timed in the same rounds: it is the floor for anything in
Python, and the measure for a machine that is slower or noisier than another.
"""

from __future__ import annotations

import argparse
import compileall
import shutil
import sys
from pathlib import Path
from typing import Any

from pairs import PYTHON, alternate, compare, main, show, supervised, time_command

import tracer_hooks


def measure(arguments: argparse.Namespace, store: Path) -> dict[str, Any]:
    # An installation compiles its modules; a clone, whose folder it runs from, may not have.
    compileall.compile_dir(Path(tracer_hooks.__file__).parent, quiet=2)
    true = shutil.which("true") or "/bin/true"
    variants = {
        "bare": lambda: time_command([true]),
        "python -I -S": lambda: time_command([PYTHON, "-I", "-S", "-c", "pass"]),
        "supervisor": lambda: time_command(supervised(store, [true])),
    }
    script = Path(sys.executable).with_name("tracer-hooks")
    if script.exists():
        command = [str(script), "run", "--store", str(store), "--run", "bench", "--", true]
        variants["tracer-hooks run"] = lambda: time_command(command)
    timings = alternate(variants, arguments.pairs)
    result = {}
    for name in list(variants)[1:]:
        result[name] = compare(timings["bare"], timings[name])
        show(f"{name} against a bare `true`, {arguments.pairs} pairs", result[name])
    return result


if __name__ == "__main__":
    main("start-up per task", measure, 100)
