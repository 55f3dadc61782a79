"""`tracer-hooks cost`: what runs cost, by run, pipeline, step, task, tool, sample or tag."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import Progress, print_page, warn, write_whole
from tracer_hooks.cli.parsing import add_format, add_store, positive
from tracer_hooks.cli.prices import add_prices, pricing_of

if TYPE_CHECKING:
    from tracer_hooks.analysis.cost import RollUp
    from tracer_hooks.store import Store

_FORMATS = ("text", "json", "markdown", "csv")
_FILE_WIDTH = 120


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", nargs="*", metavar="RUN", help="runs, or unique prefixes of them (default: latest)"
    )
    parser.add_argument("--all", action="store_true", help="every run in the store")
    parser.add_argument(
        "--by",
        metavar="WHAT",
        type=_by,
        default="run",
        help="run, pipeline, step, task, tool, sample or tag:KEY (default: run)",
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=positive,
        help="show the N most expensive (default: 40 as text or markdown, else all)",
    )
    add_format(parser, *_FORMATS)
    parser.add_argument(
        "--output", metavar="FILE", help="write to FILE, all of it or nothing (default: stdout)"
    )
    add_store(parser)
    add_prices(parser)


def _by(text: str) -> str:
    from tracer_hooks.analysis.groups import check_group
    from tracer_hooks.errors import UsageError

    try:
        return check_group(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.analysis.cost import roll_up
    from tracer_hooks.errors import UsageError
    from tracer_hooks.report.costs import Costs

    if options.all and options.run:
        raise UsageError("name runs, or write --all: not both")
    pricing = pricing_of(options)
    found: RollUp = roll_up(_tables(options), options.by, pricing)
    page = Costs(options.format, options.limit)
    if options.output and options.output != "-":
        write_whole(options.output, page.render(found, color=False, width=_FILE_WIDTH))
    elif options.format in ("json", "csv"):
        sys.stdout.write(page.render(found, color=False, width=0))
    else:
        print_page(found, page)
    return 0


def _tables(options: argparse.Namespace) -> dict[str, Any]:
    from tracer_hooks.reading import ingest, open_run
    from tracer_hooks.store import Store

    names = ("tasks", "tools", "events", "hosts")
    if options.all:
        store = Store(options.store, on_warning=warn)
        with Progress("reading records") as progress:
            ingest(store, None, progress)
        return {name: store.stored(name) for name in names}
    ids: dict[str, Store] = {}
    for run in options.run or ["latest"]:
        with Progress("reading records") as progress:
            store, run_id = open_run(run, options.store, progress=progress, on_warning=warn)
        ids[run_id] = store
    if len(ids) == 1:
        return {name: store.stored(name, run_id) for name in names}
    import pyarrow as pa

    return {
        name: pa.concat_tables([store.table(name, run_id) for run_id, store in ids.items()])
        for name in names
    }


COMMAND = Command(
    name="cost",
    summary="show what runs cost, by run, step, tool, sample or tag",
    examples="""\
  tracer-hooks cost --instance m5.xlarge --region eu-west-1
  tracer-hooks cost --all --by pipeline --prices our-cluster.csv
  tracer-hooks cost 20250301 20250302 --by tag:project --format csv --output costs.csv
  tracer-hooks cost --all --by tool --prices generic
""",
    configure=_configure,
    execute=_execute,
)
