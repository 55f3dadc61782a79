"""Every command but `run`: find it, parse its options, and turn what goes wrong into one line."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.cli.parsing import nearest, parse
from tracer_hooks.errors import TracerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.cli.command import Command

DEBUG_VARIABLE = "TRACER_HOOKS_DEBUG"

_RUN_SUMMARY = "run a command and record what it and everything it starts did"
_HEAD = """\
usage: tracer-hooks COMMAND [OPTIONS]

See what actually ran inside each pipeline task: CPU, waiting, memory, disk, helpers.

commands:
"""
_TAIL = """
`tracer-hooks COMMAND --help` says more. Everything is kept in a store: the folder .tracer here,
or --store DIR, or $TRACER_HOOKS_STORE.

examples:
  tracer-hooks demo                      see it work
  tracer-hooks run -- ./my_script.sh     record a command
  tracer-hooks report                    where its time, CPU, memory and disk went
"""


def main(argv: Sequence[str]) -> int:
    """Run one command; returns its exit code. The one place that catches errors for people."""
    if not os.environ.get(DEBUG_VARIABLE):
        # What libraries tell each other's programmers is not for users; ours go through `warn`.
        warnings.simplefilter("ignore")
    if sys.stdout is None:  # started with stdout closed
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (for good)
    try:
        code = _dispatch(argv)
        sys.stdout.flush()
    except TracerError as error:
        _say(f"tracer-hooks: error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader left, as `head` does. What Python still holds must go nowhere, quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:
        _traceback()
        where = f": {error.filename}" if error.filename else ""
        _say(f"tracer-hooks: error: {error.strerror or error}{where}")
        return 1
    except Exception as error:
        if not _traceback():
            what = f"{type(error).__name__}: {error}"
            _say(
                f"tracer-hooks: error: a defect in tracer-hooks ({what}). "
                f"Please report it; {DEBUG_VARIABLE}=1 shows the traceback"
            )
        return 1
    return code


def _dispatch(argv: Sequence[str]) -> int:
    from tracer_hooks.plugins import cli_commands

    commands = cli_commands()
    name, *rest = argv or ["--help"]
    if name == "help" and rest and rest[0] == "run":
        from tracer_hooks.cli.run_help import HELP

        sys.stdout.write(HELP)
        return 0
    if name == "help" and rest and rest[0] in commands:
        name, rest = rest[0], ["--help"]
    if name in ("-h", "--help", "help"):
        sys.stdout.write(_help(commands))
        return 0
    if name in ("-V", "--version"):
        from tracer_hooks.version import __version__

        sys.stdout.write(f"tracer-hooks {__version__}\n")
        return 0
    if name not in commands:
        what = "option" if name.startswith("-") else "command"
        hint = nearest(name, ["run", *commands]) or "see `tracer-hooks --help`"
        raise UsageError(f"there is no {what} {name!r}: {hint}")
    options = parse(commands[name], rest)
    from tracer_hooks import query_cache

    query_cache.use()
    return commands[name].execute(options)


def _help(commands: dict[str, Command]) -> str:
    rows = [("run", _RUN_SUMMARY), *((c.name, c.summary) for c in commands.values())]
    width = max(len(name) for name, _ in rows)
    return _HEAD + "".join(f"  {name:<{width}}  {text}\n" for name, text in rows) + _TAIL


def _traceback() -> bool:
    """Print the traceback if the user asked for it; whether it was printed."""
    if not os.environ.get(DEBUG_VARIABLE):
        return False
    import traceback

    traceback.print_exc()
    return True


def _say(line: str) -> None:
    """One line on stderr, whatever the message holds."""
    if sys.stderr is not None:
        sys.stderr.write(" ".join(line.split("\n")) + "\n")
