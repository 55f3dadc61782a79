"""`tracer-hooks report`: where a run's time, CPU, memory and disk went."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import Progress, print_page, warn, write_whole
from tracer_hooks.cli.parsing import add_format, add_store

if TYPE_CHECKING:
    import argparse

    from tracer_hooks.analysis.summary import RunReport
    from tracer_hooks.store import Store


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


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.plugins import renderers
    from tracer_hooks.reading import open_run

    renderer = renderers()[options.format]
    with Progress("reading records") as progress:
        store, run_id = open_run(options.run, options.store, progress=progress, on_warning=warn)
    report = _analyse(store, run_id, getattr(renderer, "task_pages", 0))
    output = options.output or _own_file(run_id, getattr(renderer, "suffix", None))
    if output and output != "-":
        write_whole(output, renderer.render(report, color=False, width=_FILE_WIDTH))
        if not options.output:
            sys.stdout.write(f"{output}\n")
    else:
        print_page(report, renderer)
    return 0


def _analyse(store: Store, run_id: str, task_pages: int) -> RunReport:
    from tracer_hooks.analysis.summary import summarise
    from tracer_hooks.reading import tables

    known: dict[str, Any] = tables(store, run_id)
    report = summarise(known, run_id)
    if task_pages:
        from tracer_hooks.analysis.detail import with_detail

        known["readings"] = store.table("readings", run_id)
        report = with_detail(report, known, task_pages)
    return report


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
""",
    configure=_configure,
    execute=_execute,
)
