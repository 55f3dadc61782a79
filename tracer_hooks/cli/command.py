"""What a subcommand is. Built-in ones and those of plugins look alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable


@dataclass(frozen=True)
class Command:
    """One subcommand of `tracer-hooks`.

    `configure` adds its options to a parser; `execute` gets what was parsed and returns the exit
    code. It raises `TracerError` with one clear line when something is wrong. The module that
    makes one should import what is heavy inside `execute`: it is loaded for every command.
    """

    name: str
    summary: str  # one line for the list of commands
    examples: str  # shown at the end of --help
    configure: Callable[[ArgumentParser], None]
    execute: Callable[[Namespace], int]
