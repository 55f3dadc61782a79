"""`tracer-hooks compact`: fewer, larger files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import Progress, warn
from tracer_hooks.cli.parsing import add_store

if TYPE_CHECKING:
    import argparse


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="a run's id, a unique prefix of it, or `latest` (default: every run)",
    )
    add_store(parser)


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.store import Store

    store = Store(options.store, on_warning=warn)
    run_id = store.resolve(options.run) if options.run else None
    with Progress("ingesting records") as progress:
        store.ingest(run_id, progress=progress)
    with Progress("compacting") as progress:
        store.compact(run_id, progress=progress)
    sys.stdout.write("compacted every run\n" if run_id is None else f"compacted {run_id!r}\n")
    return 0


COMMAND = Command(
    name="compact",
    summary="merge a run's many small files into a few large ones",
    examples="""\
  tracer-hooks compact            every run
  tracer-hooks compact latest
""",
    configure=_configure,
    execute=_execute,
)
