"""The package: everything is there, and nothing is loaded before it is used."""

from __future__ import annotations

import subprocess
import sys

import tracer_hooks as th


def python(program: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_every_public_name_is_there() -> None:
    for name in th.__all__:
        assert getattr(th, name) is not None
        assert name in dir(th)
    assert callable(th.report)
    assert not hasattr(th, "no_such_name")


def test_importing_it_loads_nothing_else() -> None:
    program = (
        "import sys; before = set(sys.modules); import tracer_hooks; "
        "print(*sorted(set(sys.modules) - before))"
    )
    assert python(program) == "tracer_hooks"


def test_run_and_trace_load_no_pandas() -> None:
    program = (
        "import sys, tracer_hooks as th; th.run; th.trace; "
        "print([m for m in ('pandas', 'pyarrow', 'ibis', 'rich', 'duckdb') if m in sys.modules])"
    )
    assert python(program) == "[]"


def test_report_is_callable_whatever_was_imported_first() -> None:
    for first in (
        "",
        "import tracer_hooks.report.terminal; ",
        "th.report; import tracer_hooks.report; ",
    ):
        program = f"import tracer_hooks as th; {first}print(callable(th.report))"
        assert python(program) == "True"


def test_what_every_module_offers_is_documented() -> None:
    for name in ("run", "trace", "Store", "CompletedTask", "TracerError", "UsageError"):
        assert getattr(th, name).__doc__
