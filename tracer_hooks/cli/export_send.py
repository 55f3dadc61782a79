"""`tracer-hooks export` to a server: once, or again and again while runs are on."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING

from tracer_hooks.cli.export_options import PATIENCE_S, target_of
from tracer_hooks.cli.export_runs import chosen_runs
from tracer_hooks.cli.output import warn

if TYPE_CHECKING:
    import argparse

    from tracer_hooks.export.sender import Destination, Sender


# Following takes no more than this of a core from the tasks, however often it is asked to look.
CPU_SHARE = 0.05


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
            begun_s = time.process_time()
            _send_all(destination, options, quiet=following)
            if not following:
                return 0
            spent_s = time.process_time() - begun_s
            time.sleep(max(options.follow, spent_s / CPU_SHARE))
    finally:
        destination.close()


def _send_all(destination: Destination, options: argparse.Namespace, *, quiet: bool) -> None:
    for run in chosen_runs(options)[1]:
        sent = destination.send(run)
        if sent is not None or not quiet:
            sys.stdout.write(f"{run.run_id}: {sent or 'nothing new'}\n")
            sys.stdout.flush()
