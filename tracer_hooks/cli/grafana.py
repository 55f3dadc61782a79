"""`tracer-hooks grafana`: dashboards, rules and provisioning, ready to mount."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.cli.command import Command

if TYPE_CHECKING:
    import argparse


def _configure(parser: argparse.ArgumentParser) -> None:
    from tracer_hooks.export.grafana.folder import Places

    parser.add_argument("folder", metavar="DIR", help="where to write; its other files stay")
    parser.add_argument(
        "--alerts",
        metavar="FILE",
        help="thresholds of your own: the file that `serve --alerts` takes",
    )
    group = parser.add_argument_group("where everything is, as Grafana and Prometheus reach it")
    for option, default, what in (
        ("--prometheus", Places.prometheus, "Prometheus, or what speaks its language"),
        ("--postgres", Places.postgres, "the database, with a user who may read; no password"),
        ("--grafana", Places.grafana, "Grafana, for links in alerts"),
    ):
        group.add_argument(
            option, metavar="URL", default=default, help=f"{what} (default: {default})"
        )
    for option, name, places, what in (
        ("--serve", "serves", Places.serves, "tracer-hooks serve"),
        ("--node", "nodes", Places.nodes, "node_exporter"),
        ("--alertmanager", "alertmanagers", Places.alertmanagers, "Alertmanager"),
    ):
        group.add_argument(
            option, dest=name, metavar="HOST:PORT", action="append",
            help=f"{what}; repeated for several (default: {', '.join(places)})",
        )  # fmt: skip


def _execute(options: argparse.Namespace) -> int:
    from tracer_hooks.alert.settings import Settings, read_settings
    from tracer_hooks.export.grafana.folder import Places, write

    many = {
        name: tuple(getattr(options, name) or getattr(Places, name))
        for name in ("serves", "nodes", "alertmanagers")
    }
    places = Places(
        prometheus=options.prometheus, postgres=options.postgres, grafana=options.grafana, **many
    )
    folder = Path(options.folder)
    settings = read_settings(Path(options.alerts)) if options.alerts else Settings()
    written = write(folder, settings.table, places)
    sys.stdout.write(
        f"{len(written)} files in {folder}: {folder / 'README.md'} says what to mount where\n"
    )
    return 0


COMMAND = Command(
    name="grafana",
    summary="write dashboards, alert rules and provisioning for Grafana and Prometheus",
    examples="""\
  tracer-hooks grafana ./monitoring
  tracer-hooks grafana ./monitoring --postgres postgresql://grafana@db/pipelines --serve head:9469
""",
    configure=_configure,
    execute=_execute,
)
