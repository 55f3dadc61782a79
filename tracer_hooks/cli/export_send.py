"""`tracer-hooks export` to a server: once, or again and again while runs are on."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any

from tracer_hooks.cli.export_options import PATIENCE_S, target_of
from tracer_hooks.cli.output import warn
from tracer_hooks.cli.prices import pricing_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tracer_hooks.export.sender import Destination, RunToSend, Sender
    from tracer_hooks.store import Store


def send(sender: Sender, options: argparse.Namespace) -> int:
    """Send the runs that `options` name, and with --follow what comes, until Ctrl-C."""
    following = options.follow is not None
    patience_s = options.wait
    if patience_s is None:
        patience_s = math.inf if following else PATIENCE_S
    target = target_of(options, sender.target)
    destination = sender.connect(target, patience_s=patience_s, tell=warn)
    try:
        while True:
            _send_all(destination, options, quiet=following)
            if not following:
                return 0
            time.sleep(options.follow)
    finally:
        destination.close()


def _send_all(destination: Destination, options: argparse.Namespace, *, quiet: bool) -> None:
    for run in _runs(options):
        sent = destination.send(run)
        if sent is not None or not quiet:
            sys.stdout.write(f"{run.run_id}: {sent or 'nothing new'}\n")
            sys.stdout.flush()


def _runs(options: argparse.Namespace) -> Iterator[RunToSend]:
    """The runs, oldest first, each read when it is its turn."""
    from tracer_hooks.export.sender import RunToSend
    from tracer_hooks.reading import ingest, run_records, tables
    from tracer_hooks.store import Store

    # Prices may be a file that is changed meanwhile.
    pricing = pricing_of(options)
    store = Store(options.store, on_warning=warn)
    chosen = _chosen(store, options)
    for run_id in chosen or [None]:
        ingest(store, run_id, None)
    for record in run_records(store, chosen):
        run_id = record["run_id"]
        yield RunToSend(run_id, record, tables(store, run_id), pricing)


def _chosen(store: Store, options: argparse.Namespace) -> list[Any]:
    """Whole ids of the runs that were named; empty: all of them."""
    if options.all:
        return []
    return list(dict.fromkeys(store.resolve(run) for run in options.runs or ["latest"]))
