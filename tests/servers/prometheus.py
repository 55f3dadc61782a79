"""Prometheus, what it scrapes and whom it tells, and VictoriaMetrics: Debian's packages."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.servers.daemon import Daemon, answers, free_port, require


def fetched(url: str, body: bytes | None = None) -> bytes:
    """What a server of ours answers."""
    request = urllib.request.Request(url, data=body)  # noqa: S310 - http, on loopback
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - the same
        return bytes(response.read())


class Queried:
    """A server that speaks Prometheus' HTTP API at `url`."""

    url: str

    def query(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """The vector that an expression is now, or was at a time."""
        return self._answer("query", query=expr, **({} if at is None else {"time": f"{at:.3f}"}))

    def value(self, expr: str, at: float | None = None) -> float | None:
        """The one value that an expression has, or None."""
        found = self.query(expr, at)
        assert len(found) <= 1
        return float(found[0]["value"][1]) if found else None

    def query_range(self, expr: str, start: float, end: float, step_s: float) -> list[Any]:
        """The matrix that an expression was from `start` to `end`."""
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_s:g}"}
        return self._answer("query_range", query=expr, **times)

    def _answer(self, what: str, **parameters: str) -> list[dict[str, Any]]:
        address = f"{self.url}/api/v1/{what}"
        answer = json.loads(fetched(address, urllib.parse.urlencode(parameters).encode()))
        assert answer["status"] == "success"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found


class Prometheus(Queried):
    """A Prometheus with a configuration of ours, or with blocks that were made for it."""

    def __init__(self, folder: Path, config: str, blocks: Path | None = None) -> None:
        require("prometheus", "setpriv")
        data = folder / "data"
        data.mkdir(parents=True)
        (folder / "prometheus.yml").write_text(config)
        if blocks is not None:
            shutil.copytree(blocks, data, dirs_exist_ok=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._daemon = Daemon(
            folder, "prometheus", f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.retention.time=100y", "--log.level=warn",
        )  # fmt: skip
        self._daemon.wait_for(lambda: answers(f"{self.url}/-/ready"), "Prometheus")

    def alerts(self) -> list[dict[str, Any]]:
        """Its alerts, pending and firing."""
        found: list[dict[str, Any]] = json.loads(fetched(f"{self.url}/api/v1/alerts"))["data"][
            "alerts"
        ]
        return found

    def stop(self) -> None:
        """End it."""
        self._daemon.stop()


class NodeExporter:
    """node_exporter on `address`."""

    def __init__(self, folder: Path) -> None:
        require("prometheus-node-exporter", "setpriv")
        self.address = f"127.0.0.1:{free_port()}"
        self._daemon = Daemon(
            folder, "prometheus-node-exporter", f"--web.listen-address={self.address}"
        )
        self._daemon.wait_for(lambda: answers(f"http://{self.address}/metrics"), "node_exporter")

    def stop(self) -> None:
        """End it."""
        self._daemon.stop()


class Alertmanager:
    """An Alertmanager on `address`, which tells nobody but keeps what it was told."""

    def __init__(self, folder: Path) -> None:
        require("prometheus-alertmanager", "setpriv")
        folder.mkdir(parents=True)
        config = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
        (folder / "alertmanager.yml").write_text(json.dumps(config))
        self.address = f"127.0.0.1:{free_port()}"
        self._daemon = Daemon(
            folder, "prometheus-alertmanager", f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}", f"--web.listen-address={self.address}",
            "--cluster.listen-address=", "--log.level=warn",
        )  # fmt: skip
        self._daemon.wait_for(lambda: answers(f"http://{self.address}/-/ready"), "Alertmanager")

    def alerts(self) -> list[dict[str, Any]]:
        """What it holds: alerts that fire."""
        found: list[dict[str, Any]] = json.loads(fetched(f"http://{self.address}/api/v2/alerts"))
        return found

    def stop(self) -> None:
        """End it."""
        self._daemon.stop()


class VictoriaMetrics(Queried):
    """A VictoriaMetrics with nothing in it."""

    def __init__(self, folder: Path) -> None:
        require("victoria-metrics", "setpriv")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._daemon = Daemon(
            folder, "victoria-metrics", f"-storageDataPath={folder / 'data'}",
            f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y",
            "-search.latencyOffset=0s", "-loggerLevel=WARN",
        )  # fmt: skip
        self._daemon.wait_for(lambda: answers(f"{self.url}/health"), "VictoriaMetrics")

    def take(self, text: bytes) -> None:
        """Import metrics in text form, and make them searchable."""
        fetched(f"{self.url}/api/v1/import/prometheus", text)
        fetched(f"{self.url}/internal/force_flush")

    def stop(self) -> None:
        """End it."""
        self._daemon.stop()


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Prometheus' own tool."""
    require("promtool")
    argv = ["promtool", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
