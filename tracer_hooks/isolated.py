"""The command of a Python process of ours that imports what this one can, and nothing else.

`python -m` would look for modules in the working directory first, whoever wrote what is there.
"""

from __future__ import annotations

import json
import sys

_START = "import json, sys\nsys.path[:] = json.loads(sys.argv.pop(1))\n"


def isolated(code: str, *arguments: str) -> list[str]:
    """The argv of a process that runs `code`, with `arguments` in its `sys.argv`."""
    return [sys.executable, "-I", "-c", _START + code, json.dumps(sys.path), *arguments]
