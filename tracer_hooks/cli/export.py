"""`tracer-hooks export`: a run in the format of another program."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.export_options import add_server, check_file
from tracer_hooks.cli.output import Progress, warn
from tracer_hooks.cli.parsing import add_store, one_of
from tracer_hooks.cli.prices import add_prices

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from tracer_hooks.export.exporter import Exporter, RunsExporter
    from tracer_hooks.export.sender import Sender


def _configure(parser: argparse.ArgumentParser) -> None:
    from tracer_hooks.plugins import exporters, senders

    known: dict[str, Exporter | RunsExporter | Sender] = {**exporters(), **senders()}
    lines = (f"{name}: {exporter.summary}" for name, exporter in sorted(known.items()))
    about = "; ".join(lines).replace("%", "%%")  # argparse reads them as formats
    parser.add_argument("format", metavar="FORMAT", type=one_of(*sorted(known)), help=about)
    parser.add_argument(
        "runs",
        metavar="RUN",
        nargs="*",
        default=[],  # else argparse calls it required where FORMAT is missing
        help="a run's id, a unique prefix of it, or `latest` (the default); for openmetrics and"
        " servers any number of them, or --all",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write to FILE, all of it or nothing (default: stdout; on a terminal a file named"
        " after the run)",
    )
    add_server(parser)
    add_store(parser)
    add_prices(parser)


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.cli.export_send import send
    from tracer_hooks.plugins import exporters, senders

    exporter = exporters().get(options.format)
    if exporter is None:
        return send(senders()[options.format], options)
    check_file(options, several=not hasattr(exporter, "export"))
    return _write(exporter, options)


def _write(exporter: Exporter | RunsExporter, options: argparse.Namespace) -> int:
    name, write = _prepared(exporter, options)
    output = options.output
    if output is None and sys.stdout.isatty():
        # A run's id can be any text.
        output = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:100] + exporter.suffix
    if output is None or output == "-":
        write(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return 0
    with _whole_file(output) as file:
        write(file)
    if options.output is None:
        sys.stdout.write(f"{output}\n")
    return 0


def _prepared(
    exporter: Exporter | RunsExporter, options: argparse.Namespace
) -> tuple[str, Callable[[BinaryIO], None]]:
    """What the file is named after, and what writes it. Nothing is written if there is no run."""
    from tracer_hooks.analysis.trace import run_trace
    from tracer_hooks.cli.export_runs import chosen_runs
    from tracer_hooks.reading import open_run, tables

    if not hasattr(exporter, "export"):
        several = exporter
        names, runs = chosen_runs(options)
        return names[0] if len(names) == 1 else "runs", lambda file: several.export_runs(runs, file)
    one = exporter
    run = options.runs[0] if options.runs else None
    with Progress("reading records") as progress:
        store, run_id = open_run(run, options.store, progress=progress, on_warning=warn)
    trace = run_trace(tables(store, run_id), run_id)
    return run_id, lambda file: one.export(trace, file)


@contextmanager
def _whole_file(path: str) -> Iterator[BinaryIO]:
    """A file that holds what it held until all has been written. Raises OSError."""
    target = Path(path)
    if target.exists():
        if not target.is_file():  # a pipe, a device: nothing to be atomic about
            with target.open("wb") as file:
                yield file
            return
        target = target.resolve()
    partial = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


COMMAND = Command(
    name="export",
    summary="hand runs to other programs: ui.perfetto.dev, speedscope, Prometheus, PostgreSQL",
    examples="""\
  tracer-hooks export perfetto latest --output run.perfetto-trace
  tracer-hooks export speedscope latest | gzip > run.speedscope.json.gz
  tracer-hooks export openmetrics --all --output runs.openmetrics
  tracer-hooks export postgres latest --to postgresql://grafana@db/pipelines
  tracer-hooks export postgres --all --follow --to postgresql://grafana@db/pipelines
""",
    configure=_configure,
    execute=_execute,
)
