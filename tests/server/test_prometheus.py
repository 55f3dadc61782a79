"""A real Prometheus scrapes a live run: counters go on through kill -9, gauges end with tasks."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.server.serving import Served, end, run, start, until
from tests.servers.daemon import Daemon, answers, free_port, require, server_folder
from tracer_hooks.export.metrics import metric_table

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: tracer
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    """The server, and what it knows."""

    def __init__(self, folder: Path, scraped: int) -> None:
        folder.mkdir()
        (folder / "prometheus.yml").write_text(CONFIG.format(port=scraped))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.daemon = Daemon(
            folder, "prometheus", f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
        )  # fmt: skip
        self.daemon.wait_for(lambda: answers(f"{self.url}/-/ready"), "prometheus")

    def query(self, expression: str) -> list[Any]:
        """What an expression gives now."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=10) as answer:  # noqa: S310
            said = json.load(answer)
        assert said["status"] == "success"
        found: list[Any] = said["data"]["result"]
        return found

    def value(self, expression: str) -> float | None:
        """The same, of an expression that gives one figure."""
        found = self.query(expression)
        assert len(found) <= 1
        return float(found[0]["value"][1]) if found else None

    def metadata(self) -> dict[str, Any]:
        """What it was told of metrics."""
        with urllib.request.urlopen(f"{self.url}/api/v1/metadata", timeout=10) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)["data"]
            return found


@pytest.fixture
def served_port(tmp_path: Path) -> tuple[Path, int]:
    return tmp_path / "store", free_port()


def serve(store: Path, port: int) -> Served:
    return start(store, "--interval", "0.3", "--hold", "3", "--port", str(port))


def test_a_live_run_is_scraped(served_port: tuple[Path, int]) -> None:
    require("prometheus")
    store, port = served_port
    first = serve(store, port)
    with server_folder("prometheus") as folder:
        prometheus = Prometheus(folder, port)
        busy = run(
            store, "bash", "-c", "while true; do echo; done > /dev/null", wait=False,
            step="busy", pipeline="p", cpus="2", memory="1G",
        )  # fmt: skip
        second = None
        try:
            until(lambda: prometheus.value('tracer_task_active{step="busy"}') == 1)
            until(lambda: (prometheus.value('tracer_task_used_cores{step="busy"}') or 0) > 0.01)
            assert prometheus.value('tracer_task_requested_cores{step="busy"}') == 2
            # A step's first attempts all fail between two scrapes: Prometheus has them all.
            for _ in range(4):
                run(store, "false", step="fails", pipeline="p")
            grown = 'increase(tracer_task_attempts_total{step="fails",status="failed"}[1m])'
            until(lambda: (prometheus.value(grown) or 0) >= 3.5)
            counted = 'sum(tracer_task_attempts_total{step="fails"})'
            cpu = 'sum(tracer_task_cpu_time_seconds_total{step="busy"})'
            until(lambda: (prometheus.value(cpu) or 0) > 0.2)
            before = prometheus.value(cpu) or 0
            first.kill()
            run(store, "false", step="fails", pipeline="p")  # ends while nobody counts
            second = serve(store, port)
            until(lambda: prometheus.value(counted) == 5)
            assert (prometheus.value(cpu) or 0) >= before
            assert prometheus.value("sum(resets(tracer_task_attempts_total[5m]))") == 0
            assert prometheus.value(f"max(resets({cpu[4:-1]}[5m]))") == 0
            end(busy)
            until(lambda: prometheus.query('tracer_task_active{step="busy"}') == [])
            known = prometheus.metadata()
            for metric in metric_table().metrics.values():
                told = known.get(metric.family) or known.get(metric.name)
                if told is not None:
                    assert told[0]["help"] == metric.help
                    assert told[0]["type"] == metric.type
            assert sum(name.startswith("tracer_") for name in known) > 25
        finally:
            end(busy)
            prometheus.daemon.stop()
            for found in (first, second):
                if found is not None and found.process.poll() is None:
                    found.process.terminate()
                    found.process.wait(timeout=30)
