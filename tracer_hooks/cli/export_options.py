"""The options of `export` that concern a server, and what files and servers have no use for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.errors import UsageError

if TYPE_CHECKING:
    import argparse

PATIENCE_S = 120.0
FOLLOW_S = 15.0


def add_server(parser: argparse.ArgumentParser) -> None:
    """`--to`, `--all`, `--follow`, `--wait`."""
    from tracer_hooks.quantities import parse_duration

    parser.add_argument("--all", action="store_true", help="every run in the store")
    group = parser.add_argument_group("for a server (postgres, otlp)")
    group.add_argument(
        "--to", metavar="URL", help="the server's address; may also stand before RUN"
    )
    group.add_argument(
        "--follow",
        metavar="DURATION",
        nargs="?",
        type=parse_duration,
        const=FOLLOW_S,
        help="go on: send what is new every DURATION until interrupted"
        f" (default: {FOLLOW_S:g} seconds), or more seldom where that would take more than a"
        " twentieth of a core",
    )
    group.add_argument(
        "--wait",
        metavar="DURATION",
        type=parse_duration,
        help="how long to try again while the server is away"
        f" (default: {PATIENCE_S:g} seconds; with --follow for ever)",
    )


def check_file(options: argparse.Namespace, *, several: bool) -> None:
    """Raise UsageError if a file, of one run or several, can't be written as these options ask."""
    if several:
        check_runs(options)
    for name in ("to", "follow", "wait", *(() if several else ("all",))):
        if getattr(options, name) not in (None, False):
            raise UsageError(f"{options.format} is a file: use --output instead of --{name}")
    if len(options.runs) > 1 and not several:
        raise UsageError(f"{options.format} takes one run: name just one")


def target_of(options: argparse.Namespace, example: str) -> str:
    """The address, which is taken out of `options.runs` if it stands there."""
    urls = [word for word in options.runs if "://" in word]
    options.runs = [word for word in options.runs if "://" not in word]
    given = [*([options.to] if options.to else []), *urls]
    if len(given) != 1:
        raise UsageError(f"say where to: --to {example}" + (", just one" if given else ""))
    if options.output:
        raise UsageError(f"{options.format} is a server: use --to instead of --output")
    check_runs(options)
    return str(given[0])


def check_runs(options: argparse.Namespace) -> None:
    """Raise UsageError if runs are named and all are asked for."""
    if options.all and options.runs:
        raise UsageError("name runs, or write --all: not both")
