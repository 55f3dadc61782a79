"""Everything that `serve` does, put together, until it is told to end."""

from __future__ import annotations

import ipaddress
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracer_hooks.alert.alerting import Alerting
from tracer_hooks.alert.notify import notify_target, target_name
from tracer_hooks.alert.settings import Settings, SettingsFile
from tracer_hooks.errors import TracerError, UsageError
from tracer_hooks.live.cost import Prices
from tracer_hooks.live.families import queue_points
from tracer_hooks.live.outbox import Sender
from tracer_hooks.live.state import State
from tracer_hooks.live.watcher import Watcher, default_state, raise_file_limit
from tracer_hooks.store.layout import OWN_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tracer_hooks.prices.rates import Pricing


@dataclass(frozen=True)
class Serve:
    """What was asked for. `alerts`: the file of settings (`tracer_hooks.alert.settings`)."""

    store: Path
    pricing: Pricing
    host: str = "127.0.0.1"
    port: int = 9469
    token: str | None = None
    state: Path | None = None
    interval_s: float = 1.0
    hold_s: float = 30.0
    most: Mapping[str, int] = field(default_factory=dict)
    alerts: Path | None = None
    otlp: str | None = None
    otlp_interval_s: float = 15.0
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
            f"{wanted.host or 'every address'} can be reached from elsewhere, which needs a token: "
            "--token-file FILE, or the variable TRACER_HOOKS_TOKEN"
        )
    try:
        import uvicorn

        from tracer_hooks.server.app import application
        from tracer_hooks.server.connections import PATIENCE_S, Connection
        from tracer_hooks.server.looks import Looks
        from tracer_hooks.server.reports import Reports
        from tracer_hooks.server.watching import Watching
    except ImportError as error:
        raise TracerError(f"serve needs {error.name}: pip install 'tracer-hooks[serve]'") from error
    raise_file_limit()
    settings = SettingsFile(wanted.alerts, wanted.warn)
    targets = {target_name(to): notify_target(to) for to in settings.now.notify}
    socket = _listen(wanted)
    name = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
    url = f"http://{name}:{socket.getsockname()[1]}"
    watcher = _watcher(wanted, settings.now)
    watching = Watching(
        watcher, interval_s=wanted.interval_s, hold_s=wanted.hold_s, warn=wanted.warn
    )
    alerting = Alerting(settings.now, watcher.state, url, settings.changed)
    watching.after_look(alerting.look)
    watching.tell_too(alerting.points)
    watching.tell_too(lambda: queue_points(watcher.state))
    figures = None
    if wanted.otlp is not None:
        from tracer_hooks.export.otlp.collector import Collector
        from tracer_hooks.server.pushing import TRACES, Figures, Traces, traces_target

        collector = Collector(wanted.otlp)
        targets[TRACES] = traces_target(collector)
        watcher.listeners.append(Traces(watcher.state, watcher.rules))
        began = float(watcher.state.get("began") or time.time())
        figures = Figures(collector, watching, began, wanted.otlp_interval_s)
    sender = Sender(watcher.state.path, targets, wanted.warn)
    reports = Reports(wanted.store, wanted.report_arguments)
    app = application(watching, reports, Looks(str(wanted.store), alerting.lines), wanted.token)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            log_config=None,
            lifespan="off",
            ws="none",
            server_header=False,
            date_header=False,
            proxy_headers=False,
            limit_concurrency=256,
            timeout_keep_alive=int(PATIENCE_S),
            timeout_graceful_shutdown=3,
        )
    )
    try:
        watching.start()
        sender.start()
        if figures is not None:
            figures.start()
        sys.stdout.write(f"serving {url}/ and {url}/metrics\n")
        sys.stdout.flush()
        # uvicorn ends on either signal, and raises it again when it has.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        server.run(sockets=[socket])
    except KeyboardInterrupt:
        pass
    finally:
        sender.stop()
        if figures is not None:
            figures.stop()
        watching.stop()
        reports.close()
        socket.close()


def _watcher(wanted: Serve, settings: Settings) -> Watcher:
    from tracer_hooks.plugins import tool_rules
    from tracer_hooks.tools import load_rules

    rules = tool_rules()
    own_rules = wanted.store / OWN_RULES
    if own_rules.is_file():
        rules = rules.extended([load_rules(own_rules)])
    state = State(wanted.state or default_state(wanted.store))
    return Watcher(
        wanted.store,
        state,
        Prices(wanted.pricing),
        settings.table.measure,
        rules,
        budgets=settings.budgets,
        most=wanted.most,
        warn=wanted.warn,
    )


def _listen(wanted: Serve) -> Any:
    import errno
    import socket

    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((wanted.host, wanted.port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise TracerError(
                f"{wanted.host} is no address of this machine ({error.strerror}): "
                "choose another --host"
            ) from error
        raise TracerError(
            f"{wanted.host}:{wanted.port} can't be listened at ({error.strerror}): "
            "choose another --port"
        ) from error
    return listener
