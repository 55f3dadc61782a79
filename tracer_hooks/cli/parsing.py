"""argparse with our manners: one clear line for an error, and the nearest word for a typo."""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from tracer_hooks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracer_hooks.cli.command import Command


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError instead of printing its usage and exiting."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong as a UsageError that names the command's help."""
        message = message.removeprefix("argument ")
        if not message.endswith("?"):
            message += f" (see `{self.prog} --help`)"
        raise UsageError(message)

    def options(self) -> list[str]:
        """Every option string that this parser knows."""
        return [word for action in self._actions for word in action.option_strings]


def parser_of(command: Command) -> Parser:
    """The parser of one subcommand."""
    parser = Parser(
        prog=f"tracer-hooks {command.name}",
        description=command.summary[:1].upper() + command.summary[1:] + ".",
        epilog="examples:\n" + command.examples.rstrip() + "\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.configure(parser)
    return parser


def parse(command: Command, argv: Sequence[str]) -> argparse.Namespace:
    """What `argv` says to `command`. Raises UsageError; exits 0 on --help."""
    parser = parser_of(command)
    try:
        options, unknown = parser.parse_known_args(argv)
    except argparse.ArgumentError as error:  # newer Pythons raise it past `error`
        parser.error(str(error))
    if unknown:
        word = unknown[0].partition("=")[0]
        if word.startswith("-"):
            hint = nearest(word, parser.options()) or f"see `{parser.prog} --help`"
            raise UsageError(f"`{command.name}` has no option {word}: {hint}")
        raise UsageError(f"`{command.name}` has no use for {word!r}: see `{parser.prog} --help`")
    return options


def nearest(word: str, known: Sequence[str]) -> str | None:
    """`did you mean X?` for the known word that looks most like `word`, if any does."""
    near = get_close_matches(word, known, 1, 0.5)
    return f"did you mean {near[0]}?" if near else None


def one_of(*choices: str) -> Callable[[str], str]:
    """A `type=` for argparse: one of these words, with a clear line for any other."""

    def convert(text: str) -> str:
        if text in choices:
            return text
        hint = nearest(text, choices) or ""
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one of {', '.join(choices)}" + (f": {hint}" if hint else "")
        )

    return convert


def positive(text: str) -> int:
    """A `type=` for argparse: a whole number, 1 or more."""
    if not (text.isascii() and text.isdigit() and int(text[:18]) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text[:18])


def share(text: str) -> float:
    """A `type=` for argparse: a share, as `25%` or `0.25`; not negative."""
    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: write 25% or 0.25")
    return value


def add_store(parser: argparse.ArgumentParser) -> None:
    """The `--store` option that every command which reads has."""
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="the store to read (default: $TRACER_HOOKS_STORE, or .tracer here)",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """The `--engine` option: what runs the analysis."""
    parser.add_argument(
        "--engine",
        metavar="ENGINE",
        type=_engine,
        help="duckdb (the default), or for what one machine cannot hold spark, local[N] or "
        "spark://HOST:PORT",
    )


def _engine(text: str) -> str:
    from tracer_hooks.backends import check

    return check(text)


def add_format(parser: argparse.ArgumentParser, *formats: str) -> None:
    """The `--format` option; the first format is the default."""
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        type=one_of(*formats),
        default=formats[0],
        help=f"{', '.join(formats[:-1])} or {formats[-1]} (default: {formats[0]})",
    )
