"""The command line. One file per subcommand; `main` is the console script.

`run` stands before every task that is supervised from a shell, so it goes a road of its own that
imports next to nothing. Whatever this module imports at the top, each such task pays for.
"""

import sys


def main() -> int:
    """Run `tracer-hooks` with the process's own arguments and return its exit code.

    `run` does not return: it exits as the supervised command did.
    """
    argv = sys.argv[1:]
    if argv and argv[0] == "run":
        try:
            from tracer_hooks.supervisor.quick_import import load_for_start

            load_for_start(("identifiers", "jsonl", "tracer_hooks.cli.run"))
        except Exception:  # noqa: S110 - the interpreter's own way remains
            pass
        from tracer_hooks.cli import run

        run.main(argv[1:])
    from tracer_hooks.cli.application import main as apply

    return apply(argv)
