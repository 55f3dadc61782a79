"""The runs that `export` is to hand over, where it takes more than one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.cli.output import Progress, warn
from tracer_hooks.cli.prices import pricing_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tracer_hooks.export.sender import RunToSend


def chosen_runs(options: argparse.Namespace) -> tuple[list[str], Iterator[RunToSend]]:
    """Their ids, and the runs themselves, oldest first, each read when it is its turn.

    What waits in their spools is ingested on the way. Raises TracerError if there is no such run.
    """
    from tracer_hooks.export.sender import RunToSend
    from tracer_hooks.reading import ingest, run_records, tables
    from tracer_hooks.store import Store

    # Prices may be a file that is changed from one time to the next.
    pricing = pricing_of(options)
    store = Store(options.store, on_warning=warn)
    if options.all and options.follow is not None and not store.run_ids():
        return [], iter(())  # the first run is yet to begin
    chosen: list[str] = []
    if not options.all:
        chosen = list(dict.fromkeys(store.resolve(run) for run in options.runs or ["latest"]))
    with Progress("reading records") as progress:
        if options.all:
            ingest(store, None, progress)
        for run_id in chosen:
            ingest(store, run_id, progress)
    found = run_records(store, chosen)
    runs = (RunToSend(r["run_id"], r, tables(store, r["run_id"]), pricing) for r in found)
    return [record["run_id"] for record in found], runs
