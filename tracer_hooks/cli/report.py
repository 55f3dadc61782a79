"""`tracer-hooks report`: where a run's time, CPU, memory and disk went."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import Progress, console, write_whole
from tracer_hooks.cli.parsing import add_format, add_store

if TYPE_CHECKING:
    import argparse

    from tracer_hooks.analysis.summary import RunReport


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run",
        nargs="?",
        default="latest",
        metavar="RUN",
        help="a run's id, a unique prefix of it, or `latest` (the default)",
    )
    add_format(parser, "text", "json", "markdown")
    parser.add_argument(
        "--output", metavar="FILE", help="write to FILE, all of it or nothing (default: stdout)"
    )
    add_store(parser)


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.analysis.summary import summarise
    from tracer_hooks.reading import open_run, tables

    with Progress("reading records") as progress:
        store, run_id, problem = open_run(options.run, options.store, progress)
    if problem:
        sys.stderr.write(f"tracer-hooks: {problem}\n")
    report = summarise(tables(store, run_id), run_id)
    if options.output and options.output != "-":
        write_whole(options.output, _text(report, options.format))
    elif options.format == "text":
        print_report(report)
    else:
        sys.stdout.write(_text(report, options.format))
    return 0


def print_report(report: RunReport) -> None:
    """The report as text on stdout, in colour and as wide as a terminal, if it is one."""
    from tracer_hooks.report import terminal
    from tracer_hooks.report.text import encodable

    out = console()
    text = terminal.render(report, color=out.color_system is not None, width=out.width)
    sys.stdout.write(encodable(text, out.encoding).rstrip("\n") + "\n")


def _text(report: RunReport, form: str) -> str:
    """The report as it stands in a file: ends with one newline."""
    if form == "json":
        from tracer_hooks.report import json

        text = json.render(report)
    elif form == "markdown":
        from tracer_hooks.report import markdown

        text = markdown.render(report)
    else:
        from tracer_hooks.report import terminal

        text = terminal.render(report)
    return text.rstrip("\n") + "\n"


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
