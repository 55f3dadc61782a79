"""Imports by a short way: files whose place is known, without a search.

The interpreter's own way lists folders, looks for five kinds of file, makes a spec and takes a
lock for each module; with the two dozen that a task's start needs that is 2 ms. Only a compiled
file that fits its source exactly is taken. Anything else (none yet, another version's, one without
a time stamp, a folder of compiled files elsewhere) is left to the import statement that follows.
"""

import _imp
import gc
import posix
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER
from marshal import loads

PACKAGE = "tracer_hooks.supervisor"
# What is needed when, each after those that it imports; a test holds this to what is imported.
# A name with a dot in it is whole, the others are of this package.
START = ("options", "libc", "launch", "signals", "run", "entry", "sources", "perf_open")
RECORD = (
    "identifiers", "jsonl", "tracer_hooks.version", "observer_identity", "procfs", "spool",
    "totals", "record", "redact", "brief", "outcome",
)  # fmt: skip
ATTACH = ("procfs", "attached_totals", "taskstats_permitted")
LOOK = (
    "host", "process", "waits", "tree", "memory", "rows", "observer", "processors", "watch",
    "perf_switches",
    "perf",
)  # fmt: skip
# From the first look on, of a task that has not ended by then.
HEAR = ("taskstats_permitted", "sock_diag")
EXITS = ("netlink", "taskstats_record", "taskstats_open")
EXIT_RECORDS = (
    "taskstats_ended", "taskstats_filter", "taskstats_owner", "taskstats_programs", "taskstats",
)  # fmt: skip
SOCKETS = (
    "sockets_claims", "sockets_namespace", "sockets_bytes", "bpf", "sockets_created",
    "sockets_later", "sockets_openers", "sockets_datagrams", "sockets_holders", "sockets_balance",
    "sockets_peers", "sockets_untold", "sockets_owned", "sockets",
)  # fmt: skip
FAILURES = (
    "failure_sources", "cgroup_paths", "cgroup_figures", "evidence", "cgroup_oom", "cgroup_owner",
    "cgroup", "container_docker", "container_podman", "newcomers", "containers", "peeks",
)  # fmt: skip
# Of the standard library, and in many Pythons files of their own.
EXTENSIONS = ("_ctypes", "mmap", "resource")

_HEADER_BYTES = 16  # magic number, flags, time and size of the source
_MODULE = type(sys)


def load(names: "tuple[str, ...]") -> None:
    """Import these modules, as far as the short way leads. Never raises."""
    if sys.pycache_prefix is not None:
        return
    for name in names:
        if not _load(name if "." in name else PACKAGE + "." + name):
            return


def _load(full: str) -> bool:
    if full in sys.modules:
        return True
    above, _, leaf = full.rpartition(".")
    package = sys.modules[above]
    folder = package.__path__[0]
    source = "%s/%s.py" % (folder, leaf)
    data = _compiled(
        source, "%s/__pycache__/%s.%s.pyc" % (folder, leaf, sys.implementation.cache_tag)
    )
    if data is None:
        return False
    module = _MODULE(full)
    module.__file__ = source
    module.__package__ = above
    sys.modules[full] = module
    try:
        exec(loads(data[_HEADER_BYTES:]), module.__dict__)  # noqa: S102, S302 - as an import does
    except Exception:  # the import statement will say it again, where that is provided for
        del sys.modules[full]
        return False
    setattr(package, leaf, module)
    return True


def load_for_start(more: "tuple[str, ...]" = ()) -> None:
    """Import what starting a command needs, and `more` of this package. Never raises.

    Garbage is not collected from here on: a start makes none. `watch` switches that on again.
    """
    gc.disable()
    _load_extensions()
    load(START + more)


def _load_extensions() -> None:
    folder = next((path for path in sys.path if path.endswith("/lib-dynload")), "")
    if not folder:
        return
    for name in EXTENSIONS:
        if name in sys.modules or name in sys.builtin_module_names:
            continue
        path = "%s/%s%s" % (folder, name, _imp.extension_suffixes()[0])
        spec = ModuleSpec(name, None, origin=path)
        try:
            module = _imp.create_dynamic(spec)
            module.__spec__, module.__file__ = spec, path
            sys.modules[name] = module
            _imp.exec_dynamic(module)
        except Exception:  # it is elsewhere, or not there: the import statement will tell
            sys.modules.pop(name, None)
            return


def _compiled(source: str, cached: str) -> "bytes | None":
    try:
        fd = posix.open(cached, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            # as much as the allocator has at hand: more is mapped and unmapped for each
            data = posix.read(fd, 1 << 16)
        finally:
            posix.close(fd)
        state = posix.stat(source)
    except OSError:
        return None
    if len(data) == 1 << 16:
        return None
    fits = MAGIC_NUMBER + bytes(4) + _word(int(state.st_mtime)) + _word(state.st_size)
    return data if data[:_HEADER_BYTES] == fits else None


def _word(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4, "little")
