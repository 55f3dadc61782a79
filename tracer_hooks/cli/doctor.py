"""`tracer-hooks doctor`: what this machine lets us see, and what would have to change."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import console
from tracer_hooks.cli.parsing import add_format

if TYPE_CHECKING:
    import argparse

    from tracer_hooks.cli.checks import Check

_MARKS = {"ok": ("ok", "green"), "limited": ("limited", "yellow"), "failed": ("FAILED", "bold red")}


def _configure(parser: argparse.ArgumentParser) -> None:
    add_format(parser, "text", "json")
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="the store to check (default: $TRACER_HOOKS_STORE, or .tracer here)",
    )


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.adapter import store_path
    from tracer_hooks.cli import capture_test, checks, self_test, source_checks

    store = store_path(options.store)
    found = [
        *checks.machine(), *source_checks.run(), *checks.store(store), *capture_test.run(),
        *self_test.run(),
    ]  # fmt: skip
    healthy = all(check.state != "failed" for check in found)
    if options.format == "json":
        rows = [check.as_dict() for check in found]
        json.dump({"schema_version": 1, "healthy": healthy, "checks": rows}, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        _print(found, healthy)
    return 0 if healthy else 1


def _print(found: list[Check], healthy: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from tracer_hooks.report.text import clean

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in found:
        mark, style = _MARKS[check.state]
        text = Text(clean(check.finding))
        if check.remedy:
            text.append(f"\nto change it: {clean(check.remedy)}", style="dim")
        table.add_row(Text(mark, style=style), check.name, text)
    out = console()
    out.print(table)
    out.print()
    limited = [check.name for check in found if check.state == "limited"]
    if not healthy:
        failed = ", ".join(check.name for check in found if check.state == "failed")
        out.print(Text(f"Not everything works: {failed}. Supervised commands run all the same."))
    elif limited:
        out.print(Text(f"Recording works; less is seen than could be: {', '.join(limited)}."))
    else:
        out.print(Text("Recording works, and everything is permitted that this version can use."))


COMMAND = Command(
    name="doctor",
    summary="say what this machine permits to see, and what would permit more",
    examples="""\
  tracer-hooks doctor
  tracer-hooks doctor --store /data/tracer --format json
""",
    configure=_configure,
    execute=_execute,
)
