"""What an export format is."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer_hooks.analysis.trace import RunTrace
    from tracer_hooks.export.sender import RunToSend


class Exporter(Protocol):
    """Writes a run in the format of another program. `summary`: a line for the help; `suffix`:
    what its files end in, such as `.json`."""

    @property
    def summary(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    def export(self, trace: RunTrace, file: BinaryIO) -> None:
        """Write the whole run to `file`, which may be a pipe: nothing is read back."""


class RunsExporter(Protocol):
    """As `Exporter`, of any number of runs in one file."""

    @property
    def summary(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    def export_runs(self, runs: Iterable[RunToSend], file: BinaryIO) -> None:
        """Write all runs, which come oldest first."""


class _Module(Protocol):
    def export(self, trace: RunTrace, file: BinaryIO) -> None: ...


class _RunsModule(Protocol):
    def export_runs(self, runs: Iterable[RunToSend], file: BinaryIO) -> None: ...


@dataclass(frozen=True)
class LazyExporter:
    """The `export` function of a module that is imported when it is first used."""

    module: str
    summary: str
    suffix: str

    def export(self, trace: RunTrace, file: BinaryIO) -> None:
        cast("_Module", import_module(self.module)).export(trace, file)


@dataclass(frozen=True)
class LazyRunsExporter:
    """The `export_runs` function of a module that is imported when it is first used."""

    module: str
    summary: str
    suffix: str

    def export_runs(self, runs: Iterable[RunToSend], file: BinaryIO) -> None:
        cast("_RunsModule", import_module(self.module)).export_runs(runs, file)
