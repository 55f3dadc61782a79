"""`tracer-hooks serve`: live metrics and report pages over HTTP."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer_hooks.cli.command import Command
from tracer_hooks.cli.output import warn
from tracer_hooks.cli.parsing import add_store, positive
from tracer_hooks.cli.prices import add_prices, pricing_of
from tracer_hooks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_VARIABLE = "TRACER_HOOKS_TOKEN"  # noqa: S105 (the variable's name, no token)
_SHORTEST_TOKEN = 16


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", metavar="ADDRESS", default="127.0.0.1",
        help="the address to listen at (default: 127.0.0.1, which only this machine reaches;"
        " any other needs a token)",
    )  # fmt: skip
    parser.add_argument(
        "--port",
        metavar="N",
        type=_port,
        default=9469,
        help="default: 9469; 0: any that is free",
    )
    parser.add_argument(
        "--token-file", metavar="FILE",
        help=f"a file whose first line is the token that requests must bring (${TOKEN_VARIABLE})",
    )  # fmt: skip
    parser.add_argument(
        "--interval", metavar="S", type=_seconds, default=1.0,
        help="how often the store is looked at, in seconds (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--hold", metavar="S", type=_seconds, default=30.0,
        help="how long the counters of a new step stay 0, so that rates begin with its first task;"
        " two scrape intervals (default: 30)",
    )  # fmt: skip
    parser.add_argument(
        "--alerts", metavar="FILE",
        help="who is told when execution goes wrong, budgets, silences, other thresholds (TOML;"
        " see docs/beside-grafana.md)",
    )  # fmt: skip
    parser.add_argument(
        "--otlp", metavar="URL",
        help="send traces and metrics to an OpenTelemetry collector, such as http://localhost:4318",
    )  # fmt: skip
    parser.add_argument(
        "--otlp-interval", metavar="S", type=_seconds, default=15.0,
        help="how often metrics are sent to it (default: 15)",
    )  # fmt: skip
    parser.add_argument(
        "--max-groups", metavar="N", type=positive,
        help="how many combinations of pipeline, step, engine and host, and of pipeline, step and"
        " tool, have metrics of their own (default: 300); what comes later is counted as `other`",
    )  # fmt: skip
    parser.add_argument(
        "--state", metavar="DIR",
        help="where counters are kept (default: .serve in the store)",
    )  # fmt: skip
    add_store(parser)
    add_prices(parser)


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.adapter import store_path
    from tracer_hooks.server.serve import Serve, serve

    store = Path(store_path(options.store))
    serve(
        Serve(
            store=store,
            pricing=pricing_of(options),
            host=options.host,
            port=options.port,
            token=_token(options.token_file),
            state=Path(options.state) if options.state else None,
            interval_s=options.interval,
            hold_s=options.hold,
            alerts=Path(options.alerts) if options.alerts else None,
            otlp=options.otlp,
            otlp_interval_s=options.otlp_interval,
            most=_most(options.max_groups),
            report_arguments=_report_arguments(options),
            warn=warn,
        )
    )
    return 0


def _token(path: str | None) -> str | None:
    if path is not None:
        text = Path(path).read_text(encoding="utf-8").partition("\n")[0].strip()
    else:
        text = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not text:
            return None
    if len(text) < _SHORTEST_TOKEN:
        raise UsageError(
            f"a token has at least {_SHORTEST_TOKEN} characters: `openssl rand -hex 24` makes one"
        )
    return text


def _most(groups: int | None) -> Mapping[str, int]:
    return {} if groups is None else {"step": groups, "tool": groups}


def _report_arguments(options: argparse.Namespace) -> tuple[str, ...]:
    """The same prices for the pages."""
    found: list[str] = []
    for name in ("prices", "instance"):
        found += [word for value in getattr(options, name) or () for word in (f"--{name}", value)]
    for name in ("method", "margin", "region"):
        value: Any = getattr(options, name)
        if value is not None:
            found += [f"--{name}", str(value)]
    return tuple(found)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) < 65_536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


COMMAND = Command(
    name="serve",
    summary="offer live metrics for Prometheus, and reports as pages that follow a run",
    examples="""\
  tracer-hooks serve
  tracer-hooks serve --store /shared/.tracer --port 9469
  tracer-hooks serve --host 0.0.0.0 --token-file /etc/tracer-hooks/token
""",
    configure=_configure,
    execute=_execute,
)
