"""The `%%tracer` cell magic: watch what a notebook's cell does, and show it below the cell."""

from __future__ import annotations

import argparse
import ast
import inspect
import shlex
import sys
from typing import Any, NoReturn

from tracer_hooks.cards import CardOptions, session_run_id
from tracer_hooks.errors import TracerError, UsageError
from tracer_hooks.tracing import trace

_HELP = """\
%%tracer [--run R] [--step S] [--task T] [--sample X] [--tag K=V]... [--cpus N] [--memory SIZE]
         [--time DURATION] [--store DIR] [--quiet]

Record what this cell does, and everything it starts, and show it below the cell. The cells of
one session belong to one run, unless --run says otherwise. --quiet shows nothing."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%%tracer: {message.removeprefix('argument ')}")


def _parser() -> _Parser:
    parser = _Parser(prog="%%tracer", add_help=False, allow_abbrev=False)
    for name in ("run", "pipeline", "step", "task", "sample", "memory", "time"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--attempt", type=int)
    parser.add_argument("--cpus", type=float)
    parser.add_argument("--tag", action="append", default=[])
    parser.add_argument("--store")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--help", "-h", action="store_true")
    return parser


def load(shell: Any) -> None:
    """Register the magic with an IPython shell; what `%load_ext tracer_hooks` calls."""

    def tracer(line: str, cell: str) -> Any:
        try:
            return _run(shell, line, cell)
        except TracerError as error:
            # One line, as on the command line; the cell did not run.
            lines = [f"tracer-hooks: error: {error}"]
            error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
            raise

    tracer.__doc__ = _HELP
    shell.register_magic_function(tracer, "cell", "tracer")


def _run(shell: Any, line: str, cell: str) -> Any:
    try:
        options = _parser().parse_args(shlex.split(line))
    except ValueError as error:  # an open quote
        raise UsageError(f"%%tracer: {error}") from None
    if options.help:
        sys.stdout.write(_HELP + "\n")
        return None
    cell_trace = trace(store=options.store, **_card(options, shell.execution_count))
    body, last = _compile(shell, cell)
    value = None
    try:
        with cell_trace:
            exec(body, shell.user_ns)  # noqa: S102  (the cell is the user's own code)
            if last is not None:
                value = eval(last, shell.user_ns)  # noqa: S307
    finally:
        if not options.quiet:
            _display(cell_trace)
    return value


def _card(options: argparse.Namespace, execution_count: int) -> CardOptions:
    tags = {}
    for tag in options.tag:
        key, equals, value = tag.partition("=")
        if not key or not equals:
            raise UsageError(f"%%tracer: --tag: {tag!r} is not KEY=VALUE")
        tags[key] = value
    task = options.task
    if task is None and options.run is None and options.attempt is None:
        # The number that the notebook shows beside the cell; unique in this session's run.
        task = f"{options.step or 'cell'}-{execution_count}"
    return {
        "run": options.run or session_run_id(),
        "pipeline": options.pipeline,
        "step": options.step or "cell",
        "task": task,
        "attempt": options.attempt,
        "sample": options.sample,
        "tags": tags,
        "cpus": options.cpus,
        "memory": options.memory,
        "time": options.time,
    }


def _compile(shell: Any, cell: str) -> tuple[Any, Any]:
    """The cell's code, and that of its last expression, whose value the cell shows."""
    source = shell.transform_cell(cell)
    name: str = shell.compile.cache(source, shell.execution_count, raw_code=cell)
    tree = ast.parse(source, name)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not cell.rstrip().endswith(";"):
        last = ast.Expression(tree.body.pop().value)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    codes = [
        compile(part, name, mode, flags, dont_inherit=True) if part is not None else None
        for part, mode in ((tree, "exec"), (last, "eval"))
    ]
    if any(code is not None and code.co_flags & inspect.CO_COROUTINE for code in codes):
        raise UsageError(
            "%%tracer cannot await at the top of a cell: put the awaiting part under "
            "`with tracer_hooks.trace():` instead"
        )
    return codes[0], codes[1]


def _display(cell_trace: trace) -> None:
    """Show what was recorded; a cell never fails because that did not work."""
    from IPython.display import display

    try:
        display(cell_trace.report())  # type: ignore[no-untyped-call]
    except Exception as error:
        sys.stderr.write(f"tracer-hooks: no report of this cell: {error}\n")
