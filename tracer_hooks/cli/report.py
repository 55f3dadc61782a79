"""`tracer-hooks report`: where a run's time, CPU, memory and disk went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import Progress, print_page, warn, write_whole
from tracer_hooks.cli.parsing import add_format, add_store

if TYPE_CHECKING:
    import argparse


_FILE_WIDTH = 120


def _configure(parser: argparse.ArgumentParser) -> None:
    from tracer_hooks.plugins import renderers

    parser.add_argument(
        "run",
        nargs="?",
        default="latest",
        metavar="RUN",
        help="a run's id, a unique prefix of it, or `latest` (the default)",
    )
    add_format(parser, *renderers())
    parser.add_argument(
        "--output", metavar="FILE", help="write to FILE, all of it or nothing (default: stdout)"
    )
    add_store(parser)


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.analysis.summary import summarise
    from tracer_hooks.plugins import renderers
    from tracer_hooks.reading import open_run, tables

    renderer = renderers()[options.format]
    with Progress("reading records") as progress:
        store, run_id = open_run(options.run, options.store, progress=progress, on_warning=warn)
    report = summarise(tables(store, run_id), run_id)
    if options.output and options.output != "-":
        write_whole(options.output, renderer.render(report, color=False, width=_FILE_WIDTH))
    else:
        print_page(report, renderer)
    return 0


COMMAND = Command(
    name="report",
    summary="show where a run's time, CPU, memory and disk went",
    examples="""\
  tracer-hooks report
  tracer-hooks report 20250301 --format json --output report.json
  tracer-hooks report latest --format markdown >> notes.md
""",
    configure=_configure,
    execute=_execute,
)
