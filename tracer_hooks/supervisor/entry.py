"""The supervisor's front door."""

import posix
import sys

from tracer_hooks.supervisor.options import parse

USAGE = 2


def main(argv: "list[str]") -> None:
    """Do what `argv` says (see `options`) and end the process with the command's status.

    Never returns and skips the interpreter's tear-down, which costs a millisecond.
    """
    try:
        options = parse(argv)
    except ValueError as error:
        sys.stderr.write("tracer-hooks: error: %s\n" % error)
        sys.stderr.flush()
        posix._exit(USAGE)
    if options.mode == "attach":
        from tracer_hooks.supervisor.attach import attach

        posix._exit(attach(options))
    if options.mode == "fork-server":
        from tracer_hooks.supervisor.fork_server import serve

        posix._exit(serve(options.control_fd))
    from tracer_hooks.supervisor.run import run

    posix._exit(run(options))
