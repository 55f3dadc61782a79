"""Everything that `serve` does, put together, until it is told to end."""

from __future__ import annotations

import ipaddress
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracer_hooks.alert.rules import rule_table
from tracer_hooks.errors import TracerError, UsageError
from tracer_hooks.live.cost import Prices
from tracer_hooks.live.state import State
from tracer_hooks.live.watcher import Watcher, default_state, raise_file_limit
from tracer_hooks.store.layout import OWN_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tracer_hooks.prices.rates import Pricing


@dataclass(frozen=True)
class Serve:
    """What was asked for. `settings`: the alert settings' file, read."""

    store: Path
    pricing: Pricing
    host: str = "127.0.0.1"
    port: int = 9469
    token: str | None = None
    state: Path | None = None
    interval_s: float = 1.0
    hold_s: float = 30.0
    most: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    report_arguments: tuple[str, ...] = ()
    warn: Callable[[str], None] = lambda _: None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address to listen at."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(wanted: Serve) -> None:
    """Serve until SIGINT or SIGTERM. Raises TracerError where it can't begin."""
    if not is_loopback(wanted.host) and not wanted.token:
        raise UsageError(
            f"{wanted.host} can be reached from elsewhere, which needs a token: "
            "--token-file FILE, or the variable TRACER_HOOKS_TOKEN"
        )
    try:
        import uvicorn

        from tracer_hooks.server.app import application
        from tracer_hooks.server.looks import Looks
        from tracer_hooks.server.reports import Reports
        from tracer_hooks.server.watching import Watching
    except ImportError as error:
        raise TracerError(f"serve needs {error.name}: pip install 'tracer-hooks[serve]'") from error
    raise_file_limit()
    watching = Watching(
        _watcher(wanted), interval_s=wanted.interval_s, hold_s=wanted.hold_s, warn=wanted.warn
    )
    reports = Reports(wanted.store, wanted.report_arguments)
    app = application(watching, reports, Looks(str(wanted.store)), wanted.token)
    config = uvicorn.Config(
        app,
        host=wanted.host,
        port=wanted.port,
        log_config=None,
        lifespan="off",
        ws="none",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=256,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    socket = _listen(config, wanted)
    try:
        watching.start()
        _announce(wanted.host, socket.getsockname()[1])
        # uvicorn ends on either signal, and raises it again when it has.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        server.run(sockets=[socket])
    except KeyboardInterrupt:
        pass
    finally:
        watching.stop()
        reports.close()
        socket.close()


def _watcher(wanted: Serve) -> Watcher:
    from tracer_hooks.plugins import tool_rules
    from tracer_hooks.tools import load_rules

    rules = tool_rules()
    own_rules = wanted.store / OWN_RULES
    if own_rules.is_file():
        rules = rules.extended([load_rules(own_rules)])
    table = rule_table(wanted.settings)
    state = State(wanted.state or default_state(wanted.store))
    return Watcher(
        wanted.store,
        state,
        Prices(wanted.pricing),
        table.measure,
        rules,
        budgets=wanted.settings.get("budgets"),
        most=wanted.most,
        warn=wanted.warn,
    )


def _listen(config: Any, wanted: Serve) -> Any:
    import socket

    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((wanted.host, wanted.port))
        listener.listen(config.backlog)
    except OSError as error:
        raise TracerError(
            f"{wanted.host}:{wanted.port} can't be listened at ({error.strerror}): "
            "choose another --port"
        ) from error
    return listener


def _announce(host: str, port: int) -> None:
    name = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"serving http://{name}:{port}/ and http://{name}:{port}/metrics\n")
    sys.stdout.flush()
