"""Finished runs in a real Prometheus and a real VictoriaMetrics: the sums are the store's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from analysis.synthetic import START, sequencing_run

from tests.grafana.database import Tables, run_to_send
from tests.grafana.test_openmetrics import text_of, total
from tests.servers.daemon import server_folder
from tests.servers.prometheus import Prometheus, Queried, VictoriaMetrics, promtool

pytestmark = [pytest.mark.engine, pytest.mark.servers]


@pytest.fixture(scope="module")
def run() -> Tables:
    return sequencing_run(12)


@pytest.fixture(scope="module", params=["Prometheus", "VictoriaMetrics"])
def filled(
    request: pytest.FixtureRequest, run: Tables, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    text = text_of(run_to_send(run))
    with server_folder(request.param.lower()) as folder:
        server: Prometheus | VictoriaMetrics
        if request.param == "Prometheus":
            server = Prometheus(folder, "{}", _blocks(text, tmp_path_factory.mktemp("blocks")))
        else:
            server = VictoriaMetrics(folder)
            server.take(text.encode())
        yield server
        server.stop()


def _blocks(text: str, folder: Path) -> Path:
    (folder / "run.openmetrics").write_text(text)
    done = promtool(
        *("tsdb", "create-blocks-from", "openmetrics"),
        *(folder / "run.openmetrics", folder / "data"),
    )
    assert done.returncode == 0, done.stderr
    return folder / "data"


def _end(run: Tables) -> float:
    """A moment after everything ended, at which the last points are still looked at."""
    ends = zip(
        run["tasks"]["started_at"].to_pylist(), run["tasks"]["wall_s"].to_pylist(), strict=True
    )
    return max(start.timestamp() + wall for start, wall in ends) + 60.0


def _sum(server: Queried, name: str, run: Tables) -> float | None:
    # The last point of each series, however early its step was over.
    return server.value(f"sum(last_over_time({name}[2h]))", _end(run))


def test_totals_are_those_of_the_store(filled: Queried, run: Tables) -> None:
    for name, column in (
        ("tracer_task_cpu_time_seconds_total", "cpu_s"),
        ("tracer_task_wall_time_seconds_total", "wall_s"),
        ("tracer_task_processes_total", "process_count"),
    ):
        assert _sum(filled, name, run) == pytest.approx(total(run, column))
    tools = _sum(filled, "tracer_tool_cpu_time_seconds_total", run)
    assert tools == pytest.approx(total(run, "cpu_s", "tools"))
    assert _sum(filled, "tracer_task_attempts_total", run) == run["tasks"].num_rows


def test_times_are_those_of_the_tasks(filled: Queried, run: Tables) -> None:
    start, end = START.timestamp(), _end(run)
    [active] = filled.query_range("sum(tracer_task_active)", start - 60, end + 60, 15)
    seen = {float(at): float(value) for at, value in active["values"]}
    inside = [at for at in seen if start + 15 < at < end - 120]
    begun, wall = (run["tasks"][name].to_pylist() for name in ("started_at", "wall_s"))
    for at in inside:
        grid = at // 15 * 15  # a point stands until the next one
        expected = sum(
            b.timestamp() <= grid < b.timestamp() + w for b, w in zip(begun, wall, strict=True)
        )
        assert seen[at] == expected
    assert len(inside) > 10


def test_a_histogram_is_one(filled: Queried, run: Tables) -> None:
    bucket = "sum by (le) (last_over_time(tracer_task_duration_seconds_bucket[2h]))"
    median = filled.value(f"histogram_quantile(0.5, {bucket})", _end(run))
    lasted = sorted(
        row["wall_s"] for row in run["tasks"].to_pylist() if row["status"] == "succeeded"
    )
    assert median is not None
    # As near as buckets allow: the one that holds the true median.
    assert 15 <= lasted[len(lasted) // 2] <= 60
    assert 15 <= median <= 60
