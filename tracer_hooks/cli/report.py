"""`tracer-hooks report`: where a run's time, CPU, memory and disk went."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import Progress, print_page, warn, write_whole
from tracer_hooks.cli.parsing import add_engine, add_format, add_store
from tracer_hooks.cli.prices import add_carbon, add_prices, assumptions_of, pricing_of

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
        "--output",
        metavar="FILE",
        help="write to FILE, all of it or nothing (default: stdout; HTML on a terminal: a file"
        " named after the run)",
    )
    add_store(parser)
    add_engine(parser)
    add_prices(parser)
    add_carbon(parser)


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.analysis.summary import summarise
    from tracer_hooks.plugins import renderers
    from tracer_hooks.reading import open_run, tables

    renderer = renderers()[options.format]
    pricing, assumptions = pricing_of(options), assumptions_of(options)
    with Progress("reading records") as progress:
        store, run_id = open_run(options.run, options.store, progress=progress, on_warning=warn)
    pages = getattr(renderer, "task_pages", 0)
    known = tables(store, run_id, options.engine)
    report = summarise(known, run_id, pricing, assumptions, store=options.store)
    if pages:
        from tracer_hooks.analysis.detail import with_detail

        report = with_detail(report, known, pages)
    output = options.output or _own_file(run_id, getattr(renderer, "suffix", None))
    if output and output != "-":
        write_whole(output, renderer.render(report, color=False, width=_FILE_WIDTH))
        if not options.output:
            sys.stdout.write(f"{output}\n")
    else:
        print_page(report, renderer)
    return 0


def _own_file(run_id: str, suffix: str | None) -> str | None:
    """The file for a document that nobody wants on a terminal; None where stdout is none."""
    if suffix is None or sys.stdout is None or not sys.stdout.isatty():
        return None
    # A run's id can be any text.
    return f"report-{re.sub(r'[^A-Za-z0-9._-]+', '-', run_id)[:100]}{suffix}"


COMMAND = Command(
    name="report",
    summary="show where a run's time, CPU, memory and disk went",
    examples="""\
  tracer-hooks report
  tracer-hooks report latest --format html --output report.html
  tracer-hooks report 20250301 --format json --output report.json
  tracer-hooks report latest --format markdown >> notes.md
  tracer-hooks report latest --engine spark://cluster:7077
""",
    configure=_configure,
    execute=_execute,
)
