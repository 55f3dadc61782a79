"""What an export format is."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

if TYPE_CHECKING:
    from tracer_hooks.analysis.trace import RunTrace


class Exporter(Protocol):
    """Writes a run in the format of another program. `summary`: a line for the help; `suffix`:
    what its files end in, such as `.json`."""

    @property
    def summary(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    def export(self, trace: RunTrace, file: BinaryIO) -> None:
        """Write the whole run to `file`, which may be a pipe: nothing is read back."""


class _Module(Protocol):
    def export(self, trace: RunTrace, file: BinaryIO) -> None: ...


@dataclass(frozen=True)
class LazyExporter:
    """The `export` function of a module that is imported when it is first used."""

    module: str
    summary: str
    suffix: str

    def export(self, trace: RunTrace, file: BinaryIO) -> None:
        cast("_Module", import_module(self.module)).export(trace, file)
