"""The folder that `tracer-hooks grafana` writes: what to mount into Grafana and Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tracer_hooks.errors import UsageError
from tracer_hooks.export.grafana.alerts import grafana_rules, prometheus_rules
from tracer_hooks.export.grafana.block_yaml import block_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracer_hooks.alert.rules import RuleTable

PROMETHEUS_UID, POSTGRES_UID = "tracer-prometheus", "tracer-postgres"
_BOARDS = "/var/lib/grafana/dashboards/tracer-hooks"
_HEAD = "# Written by `tracer-hooks grafana`; written anew, it loses what was changed by hand.\n"


@dataclass(frozen=True)
class Places:
    """Where everything is, as Grafana and Prometheus reach it. `postgres`: a URL of a user who may
    read the schema tracer_hooks; `serves`, `nodes`, `alertmanagers`: HOST:PORT."""

    prometheus: str = "http://localhost:9090"
    postgres: str = "postgresql://grafana@localhost:5432/pipelines"
    grafana: str = "http://localhost:3000"
    serves: Sequence[str] = ("localhost:9469",)
    nodes: Sequence[str] = ("localhost:9100",)
    alertmanagers: Sequence[str] = ("localhost:9093",)


def dashboards() -> dict[str, str]:
    """The dashboards' JSON by file name."""
    folder = resources.files(__package__ or "") / "dashboards"
    found = {file.name: file.read_text("utf-8") for file in folder.iterdir()}
    return dict(sorted((name, text) for name, text in found.items() if name.endswith(".json")))


def files(table: RuleTable, places: Places) -> dict[str, str]:
    """The text of every file, by its place in the folder. Raises UsageError."""
    provisioning = "grafana/provisioning"
    yaml = {
        f"{provisioning}/datasources/tracer-hooks.yaml": _sources(places),
        f"{provisioning}/dashboards/tracer-hooks.yaml": _providers(),
        f"{provisioning}/alerting/tracer-hooks.yaml": grafana_rules(
            table.rules, PROMETHEUS_UID, places.grafana
        ),
        "prometheus/prometheus.yml": _prometheus(places),
        "prometheus/rules/tracer-hooks.yaml": prometheus_rules(table.rules, places.grafana),
    }
    return {
        **{name: _HEAD + block_yaml(value) for name, value in yaml.items()},
        **{f"grafana/dashboards/{name}": text for name, text in dashboards().items()},
        "README.md": (resources.files(__package__ or "") / "mounting.md").read_text("utf-8"),
    }


def write(folder: Path, table: RuleTable, places: Places) -> list[Path]:
    """Write the folder; what else is in it stays. Raises OSError, UsageError."""
    written = []
    for name, text in files(table, places).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _sources(places: Places) -> dict[str, Any]:
    address = urlsplit(places.postgres)
    if address.scheme not in ("postgresql", "postgres") or not address.hostname:
        raise UsageError(
            f"{places.postgres} is no database: write postgresql://USER@HOST:PORT/NAME"
        )
    host = f"[{address.hostname}]" if ":" in address.hostname else address.hostname
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "tracer-hooks metrics", "uid": PROMETHEUS_UID, "type": "prometheus",
                "access": "proxy", "url": places.prometheus, "jsonData": {"timeInterval": "15s"},
            },
            {
                "name": "tracer-hooks runs", "uid": POSTGRES_UID,
                "type": "grafana-postgresql-datasource", "access": "proxy",
                "url": f"{host}:{address.port or 5432}",
                "user": unquote(address.username or "grafana"),
                # Grafana takes it from its own environment, so that it stands in no file.
                "secureJsonData": {"password": "$TRACER_POSTGRES_PASSWORD"},
                "jsonData": {
                    "database": unquote(address.path.lstrip("/")) or "pipelines",
                    "sslmode": "prefer", "postgresVersion": 1500, "maxOpenConns": 10,
                },
            },
        ],
    }  # fmt: skip


def _providers() -> dict[str, Any]:
    provider = {
        "name": "tracer-hooks", "folder": "tracer-hooks", "type": "file",
        "disableDeletion": True, "allowUiUpdates": False, "options": {"path": _BOARDS},
    }  # fmt: skip
    return {"apiVersion": 1, "providers": [provider]}


def _prometheus(places: Places) -> dict[str, Any]:
    jobs = {"tracer-hooks": places.serves, "node": places.nodes}
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": ["rules/*.yaml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": list(places.alertmanagers)}]}]
        },
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(targets)}]}
            for job, targets in jobs.items()
        ],
    }  # fmt: skip
