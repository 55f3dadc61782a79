"""`tracer-hooks tune`: requests that would have been enough, to paste into a configuration."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tracer_hooks.cli.choosing import add_runs, chosen_runs, run_tables
from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import Progress, print_page, warn, write_whole
from tracer_hooks.cli.parsing import add_format, add_store, one_of, positive, share
from tracer_hooks.tuning.formats import ENGINES

if TYPE_CHECKING:
    import argparse

    from tracer_hooks.analysis.sizing import Sizing

_FILE_WIDTH = 120


def _configure(parser: argparse.ArgumentParser) -> None:
    add_runs(parser)
    parser.add_argument(
        "--for", dest="engine", metavar="ENGINE", type=one_of(*ENGINES),
        help=f"write what {', '.join(ENGINES[:-1])} or {ENGINES[-1]} takes (default: a table)",
    )  # fmt: skip
    parser.add_argument(
        "--margin", metavar="SHARE", type=share,
        help="what is added to the largest peak of memory (default: 25%%)",
    )  # fmt: skip
    parser.add_argument(
        "--time-margin", metavar="SHARE", type=share,
        help="what is added to the longest time (default: 50%%)",
    )  # fmt: skip
    parser.add_argument(
        "--cover", metavar="SHARE", type=share,
        help="of how many tasks the largest is taken (default: 100%%); with less, some will be"
        " killed and need a retry",
    )  # fmt: skip
    parser.add_argument(
        "--min-tasks", metavar="N", type=positive,
        help="leave a step alone of which fewer tasks succeeded (default: 3)",
    )  # fmt: skip
    parser.add_argument(
        "--prices", metavar="SHEET", action="append",
        help="a price sheet (a file, or a sheet's name); may be repeated",
    )  # fmt: skip
    add_format(parser, "text", "json")
    parser.add_argument("--output", metavar="FILE", help="write to FILE, all of it or nothing")
    add_store(parser)


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.errors import UsageError
    from tracer_hooks.tuning import table
    from tracer_hooks.tuning.formats import render_for

    if options.engine and options.format != "text":
        raise UsageError("choose --for ENGINE or --format json: a configuration has its own form")
    if options.cover is not None and not 0 < options.cover <= 1:
        raise UsageError("--cover: write a share of the tasks above 0 and up to 100%")
    sizing = _sized(options)
    if options.engine:
        text = render_for(options.engine, sizing)
    elif options.format == "json":
        text = table.as_json(sizing)
    elif not options.output:
        print_page(sizing, table)
        return 0
    else:
        text = table.render(sizing, color=False, width=_FILE_WIDTH)
    if options.output and options.output != "-":
        write_whole(options.output, text)
    else:
        sys.stdout.write(text)
    return 0


def _sized(options: argparse.Namespace) -> Sizing:
    from tracer_hooks.analysis.sizing import Margins, size_steps
    from tracer_hooks.prices.choose import pricing

    given = {
        "memory": options.margin,
        "time": options.time_margin,
        "cover": options.cover,
        "observations": options.min_tasks,
    }
    margins = Margins(**{name: value for name, value in given.items() if value is not None})
    prices = pricing(options.prices)
    with Progress("reading records") as progress:
        store, run_ids = chosen_runs(options, progress, warn)
    tables = run_tables(store, run_ids, ("runs", "tasks", "readings", "hosts", "events"))
    return size_steps(tables, margins, prices)


COMMAND = Command(
    name="tune",
    summary="show requests that would have been enough, to paste into a configuration",
    examples="""\
  tracer-hooks tune
  tracer-hooks tune --pipeline rnaseq --last 5 --for nextflow > tuned.config
  tracer-hooks tune --last 5 --for snakemake --output profile/config.yaml
  tracer-hooks tune latest --margin 40% --for slurm
""",
    configure=_configure,
    execute=_execute,
)
