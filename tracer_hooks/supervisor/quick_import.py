"""Imports of this package by a short way: the compiled files that lie there, without a search.

The interpreter's own way looks for five kinds of file, makes a spec and takes a lock for each
module; with the twenty that a task's start needs that is a millisecond. Only a compiled file that
fits its source exactly is taken. Anything else (none yet, another version's, one without a time
stamp, a folder of compiled files elsewhere) is left to the import statement that follows.
"""

import gc
import posix
import sys
from _frozen_importlib_external import MAGIC_NUMBER
from marshal import loads

PACKAGE = "tracer_hooks.supervisor"
# What is needed when, each after those that it imports; a test holds this to what is imported.
START = ("options", "libc", "launch", "signals", "run", "entry", "sources", "perf_open")
RECORD = (
    "identifiers", "jsonl", "observer_identity", "procfs", "spool", "totals", "record", "redact",
    "brief", "outcome",
)  # fmt: skip
LOOK = (
    "host", "process", "waits", "tree", "memory", "rows", "observer", "watch", "perf_switches",
    "perf",
)  # fmt: skip

_HEADER_BYTES = 16  # magic number, flags, time and size of the source
_MODULE = type(sys)


def load(names: "tuple[str, ...]") -> None:
    """Import these modules of the package, as far as the short way leads. Never raises.

    Garbage is not collected from here on: a start makes none. `watch` switches that on again.
    """
    gc.disable()
    if sys.pycache_prefix is not None:
        return
    package = sys.modules[PACKAGE]
    folder = package.__path__[0]
    cached = "%s/__pycache__/%%s.%s.pyc" % (folder.replace("%", "%%"), sys.implementation.cache_tag)
    for name in names:
        full = "%s.%s" % (PACKAGE, name)
        if full in sys.modules:
            continue
        source = "%s/%s.py" % (folder, name)
        data = _compiled(source, cached % name)
        if data is None:
            return
        module = _MODULE(full)
        module.__file__ = source
        module.__package__ = PACKAGE
        sys.modules[full] = module
        try:
            exec(loads(data[_HEADER_BYTES:]), module.__dict__)  # noqa: S102, S302 - as an import does
        except Exception:  # the import statement will say it again, where that is provided for
            del sys.modules[full]
            return
        setattr(package, name, module)


def _compiled(source: str, cached: str) -> "bytes | None":
    try:
        fd = posix.open(cached, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            data = posix.read(fd, 1 << 18)
        finally:
            posix.close(fd)
        state = posix.stat(source)
    except OSError:
        return None
    fits = MAGIC_NUMBER + bytes(4) + _word(int(state.st_mtime)) + _word(state.st_size)
    return data if data[:_HEADER_BYTES] == fits else None


def _word(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4, "little")
