"""`tracer-hooks compare`: what changed between runs, and whether it is too much."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tracer_hooks.cli.choosing import newest
from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import Progress, print_page, warn, write_whole
from tracer_hooks.cli.parsing import add_format, add_store, positive

if TYPE_CHECKING:
    import argparse

    from tracer_hooks.analysis.summary import RunReport
    from tracer_hooks.prices.rates import Pricing
    from tracer_hooks.store import Store

_FILE_WIDTH = 120


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs", nargs="*", metavar="A B",
        help="what was before, and what is now (default: the latest run); each a run's id, a unique"
        " prefix, `latest`, or several with commas between. Without both: the latest run and the"
        " one of the same pipeline before it",
    )  # fmt: skip
    parser.add_argument(
        "--baseline-last", metavar="N", type=positive,
        help="instead of A: the N runs of the same pipeline before B",
    )  # fmt: skip
    parser.add_argument(
        "--fail-on", metavar="LIMITS",
        help="exit 1 if one is exceeded, such as wall>20%%,cost>10%%,status; [run.|step.|task.]"
        "wall|cpu|memory|cost>N%%, status, verdict",
    )  # fmt: skip
    parser.add_argument(
        "--prices", metavar="SHEET", action="append",
        help="a price sheet (a file, or a sheet's name); may be repeated",
    )  # fmt: skip
    add_format(parser, "text", "json", "markdown")
    parser.add_argument("--output", metavar="FILE", help="write to FILE, all of it or nothing")
    add_store(parser)


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.analysis.compare import compare
    from tracer_hooks.analysis.compare_limits import exceeded, parse_limits
    from tracer_hooks.prices.choose import pricing
    from tracer_hooks.report.comparison.cells import Compared
    from tracer_hooks.store import Store

    limits = parse_limits(options.fail_on) if options.fail_on is not None else []
    prices = pricing(options.prices)
    store = Store(options.store, on_warning=warn)
    before, now = _sides(options, store)
    with Progress("reading records") as progress:
        a = [_report(store, run, prices, progress) for run in before]
        b = [_report(store, run, prices, progress) for run in now]
    comparison = compare(a, b)
    over = tuple(exceeded(comparison, limits))
    compared = Compared(comparison, over, checked=bool(limits))
    page = import_module(f"tracer_hooks.report.comparison.{options.format}")
    if options.output and options.output != "-":
        write_whole(options.output, page.render(compared, color=False, width=_FILE_WIDTH))
    else:
        print_page(compared, page)
    return 1 if over else 0


def _sides(options: argparse.Namespace, store: Store) -> tuple[list[str], list[str]]:
    """The ids of the runs of A and of B, each side's newest first."""
    from tracer_hooks.errors import UsageError

    names = options.runs
    if len(names) > (1 if options.baseline_last else 2):
        raise UsageError(
            "compare B --baseline-last N has no A" if options.baseline_last
            else "compare takes A and B; several runs on a side are written a1,a2,a3"
        )  # fmt: skip
    groups = [_group(store, name) for name in names]
    if len(groups) == 2 and not options.baseline_last:
        return groups[0], groups[1]
    if groups and not options.baseline_last:
        return groups[0], [store.resolve("latest")]
    now = groups[0] if groups else [store.resolve("latest")]
    return newest(store, None, options.baseline_last or 1, before=now[-1]), now


def _group(store: Store, names: str) -> list[str]:
    """The runs of `a1,a2,a3`, newest first. A run's id may itself have a comma."""
    from tracer_hooks.errors import TracerError, UsageError

    if not names.replace(",", "").strip():
        raise UsageError(f"{names!r} names no run: write A and B, or a1,a2,a3 for several")
    try:
        return [store.resolve(names)]
    except TracerError:
        if "," not in names:
            raise
    ids = {store.resolve(name) for name in names.split(",") if name.strip()}
    runs = store.runs().sort_values("started_at", ascending=False, na_position="last")
    return [str(run_id) for run_id in runs["run_id"] if run_id in ids]


def _report(store: Store, run_id: str, prices: Pricing, progress: Progress) -> RunReport:
    from tracer_hooks.analysis.summary import summarise
    from tracer_hooks.reading import ingest, tables

    ingest(store, run_id, progress)
    return summarise(tables(store, run_id), run_id, prices)


COMMAND = Command(
    name="compare",
    summary="show what changed between two runs, and fail if it is too much",
    examples="""\
  tracer-hooks compare
  tracer-hooks compare 20250301 latest
  tracer-hooks compare latest --baseline-last 5 --fail-on 'wall>20%,cost>10%,status'
  tracer-hooks compare 20250301 latest --format markdown --output comment.md
""",
    configure=_configure,
    execute=_execute,
)
