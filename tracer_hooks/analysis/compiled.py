"""Queries as they were compiled, and who keeps them for processes to come.

Nothing here is heavy: a command may name its keeper before it knows whether it will analyse.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    import pyarrow as pa

_PACKAGE = __name__.rpartition(".")[0] + "."


@dataclass(frozen=True)
class Compiled:
    """SQL, the tables that it names, what comes out, and what makes those that are derived."""

    sql: str
    tables: tuple[str, ...]
    schema: pa.Schema
    derived: Mapping[str, Compiled] = field(default_factory=dict)


class Keeper(Protocol):
    """Remembers queries by name. Neither method raises."""

    def recall(self, name: str) -> Compiled | None:
        """The query of that name; None if it is not known."""

    def keep(self, name: str, query: Compiled) -> None:
        """Remember a query."""


keeper: Keeper | None = None


def name_of(build: Callable[..., object], arguments: tuple[Hashable, ...]) -> str | None:
    """A name that means the same in another process; None if there is no such name.

    Only what this package builds has one: a keeper knows the package's code, not others'.
    """
    if not build.__module__.startswith(_PACKAGE) or "<" in build.__qualname__:
        return None
    if not all(isinstance(one, (str, int, float, type(None))) for one in arguments):
        return None
    return f"{build.__module__}.{build.__qualname__}{arguments!r}"
