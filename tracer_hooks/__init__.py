"""tracer-hooks: see what actually ran inside each pipeline task.

    import tracer_hooks as th

    done = th.run(["bwa", "mem", "ref.fa", "reads.fq"], step="align", cpus=4)
    with th.trace(step="fit"):
        model.fit(data)
    th.Store().tasks()          # pandas frames, one row per task attempt
    th.report("latest")         # where the time, CPU, memory and disk went
    th.show("latest", "align")  # one task: its processes, its course, why it failed

Importing this package costs nothing: each name is loaded when it is first used, because every
supervised task start imports it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tracer_hooks.errors import TracerError, UsageError
    from tracer_hooks.reading import report, show
    from tracer_hooks.running import CompletedTask, run
    from tracer_hooks.store import Store
    from tracer_hooks.tracing import trace
    from tracer_hooks.version import __version__

__all__ = [
    "CompletedTask",
    "Store",
    "TracerError",
    "UsageError",
    "__version__",
    "report",
    "run",
    "show",
    "trace",
]

_HOME = {
    "CompletedTask": "tracer_hooks.running",
    "Store": "tracer_hooks.store",
    "TracerError": "tracer_hooks.errors",
    "UsageError": "tracer_hooks.errors",
    "__version__": "tracer_hooks.version",
    "report": "tracer_hooks.report",
    "run": "tracer_hooks.running",
    "show": "tracer_hooks.reading",
    "trace": "tracer_hooks.tracing",
}


def __getattr__(name: str) -> "Any":
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    from importlib import import_module

    module = import_module(home)
    # `report` is the subpackage itself: a module that can be called (see tracer_hooks.report).
    value = module if name == "report" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: "Any") -> None:
    """`%load_ext tracer_hooks` brings the `%%tracer` cell magic into a notebook."""
    from tracer_hooks.notebook import load

    load(ipython)
