"""What hands runs to a server: a database, a collector. A format of a file is an `Exporter`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracer_hooks.prices.rates import Pricing


@dataclass(frozen=True)
class RunToSend:
    """One run. `record`: its row of `Store.runs()` as plain values; `tables`: those of the store,
    by name, each a `StoredTable` or an Arrow table of this run; `pricing`: what things cost."""

    run_id: str
    record: Mapping[str, Any]
    tables: Mapping[str, Any]
    pricing: Pricing


class Destination(Protocol):
    """A server that is connected to, or will be when there is something to send."""

    def send(self, run: RunToSend) -> str | None:
        """Hand over the run, whole or not at all, however often; returns what was sent, in a few
        words, or None if it was there already. Raises TracerError."""

    def close(self) -> None:
        """Let go of the server."""


class Sender(Protocol):
    """Hands runs to a server. `summary`: a line for the help; `target`: what the address looks
    like, such as `postgresql://USER@HOST/DATABASE`."""

    @property
    def summary(self) -> str: ...

    @property
    def target(self) -> str: ...

    def connect(
        self, target: str, *, patience_s: float, tell: Callable[[str], None]
    ) -> Destination:
        """The server at `target`. While it is away it is tried again for `patience_s` seconds at
        a time; `tell` gets a line when that begins. Raises TracerError, UsageError."""


class _Module(Protocol):
    def connect(
        self, target: str, *, patience_s: float, tell: Callable[[str], None]
    ) -> Destination: ...


@dataclass(frozen=True)
class LazySender:
    """The `connect` function of a module that is imported when it is first used."""

    module: str
    summary: str
    target: str

    def connect(
        self, target: str, *, patience_s: float, tell: Callable[[str], None]
    ) -> Destination:
        module = cast("_Module", import_module(self.module))
        return module.connect(target, patience_s=patience_s, tell=tell)
