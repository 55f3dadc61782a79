"""Is this Snakemake made as we know it? The local executor's inside is nobody's promise.

Known: 8.30 and 9.27, by test. What counts is not the version but what the hand-overs rely on.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def differences() -> list[str]:
    """What the hand-overs rely on and this Snakemake does not have; empty if all is there.

    Raises nothing: what cannot be looked at is a difference.
    """
    return [*_look(_executor), *_look(_shell), *_look(_jobs)]


def _look(check: Callable[[], list[str]]) -> list[str]:
    try:
        return check()
    except Exception as error:
        return [f"{check.__name__.strip('_')}: {error}"]


def _executor() -> list[str]:
    executor = import_module("snakemake.executors.local").Executor
    missing = [
        f"local executor: {name}({', '.join(wanted)})"
        for name, wanted in (
            ("cached_or_run", ("self", "job", "run_func")),
            ("format_job_exec", ("self", "job")),
            ("run_jobs", ("self", "jobs")),
            ("run_single_job", ("self", "job")),
            ("spawn_job", ("self", "job")),
            ("shutdown", ("self",)),
            ("cancel", ("self",)),
        )
        if not _takes(getattr(executor, name, None), wanted)
    ]
    for name, used in (("run_single_job", "cached_or_run"), ("spawn_job", "format_job_exec")):
        if used not in _names(getattr(executor, name, None)):
            missing.append(f"local executor: {name} without {used}")
    return missing


def _shell() -> list[str]:
    module = import_module("snakemake.shell")
    if not hasattr(getattr(module, "sp", None), "Popen"):
        return ["shell: sp.Popen"]
    used = _names(module.shell.__new__)
    missing = [] if {"sp", "Popen"} <= used else ["shell: a use of sp.Popen"]
    benchmarked = getattr(import_module("snakemake.benchmark"), "benchmarked", None)
    if "benchmarked" not in used or not _takes(benchmarked, ("pid",)):
        missing.append("shell: a use of benchmarked(pid)")
    return missing


def _jobs() -> list[str]:
    job = import_module("snakemake.jobs").Job
    # Slots, as `rule` is in the known versions, are attributes of the class too.
    wanted = "attempt benchmark input is_run jobid output resources rule wildcards_dict"
    return [f"job: {name}" for name in wanted.split() if not hasattr(job, name)]


def _takes(function: Any, wanted: tuple[str, ...]) -> bool:
    if function is None:
        return False
    return tuple(inspect.signature(function).parameters)[: len(wanted)] == wanted


def _names(function: Any) -> set[str]:
    """The names that a function's code, and that of the functions within it, refers to."""
    code = getattr(function, "__code__", None)
    return set(code.co_names) if code is not None else set()
