"""The same in a real collector: what it wrote of what we sent."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import tracer_hooks
from tests.otlp.real_collector import Collector
from tests.otlp.receiver import attributes
from tests.otlp.test_otlp import FAST, a_run, check
from tests.server.serving import run, served, until

pytestmark = pytest.mark.engine


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    (tmp_path / "collector").mkdir()
    one = Collector(tmp_path / "collector")
    one.start()
    yield one
    one.stop()


def test_a_run_is_exported_as_a_trace(collector: Collector, tmp_path: Path) -> None:
    store = tmp_path / "store"
    a_run(store)
    done = tracer_hooks("export", "otlp", "r1", "--to", collector.url, "--store", store)
    assert (done.returncode, done.stderr) == (0, "")
    until(lambda: collector.received().named("rna"))
    check(collector.received())


def test_nothing_is_lost_or_doubled_when_it_is_killed(collector: Collector, tmp_path: Path) -> None:
    store, names = tmp_path / "store", [f"s{number}" for number in range(6)]
    with served(store, "--otlp", collector.url, *FAST) as serve:
        for place, name in enumerate(names):
            if place == 2:
                until(lambda: {"s0", "s1"} <= {span.name for span in collector.received().spans})
                collector.stop(signal.SIGKILL)
            assert run(store, "/bin/true", run="r1", step=name, task=name).returncode == 0
        until(lambda: serve.metric("tracer_serve_queue_size", to="otlp:traces") == 4)
        collector.start()
        until(lambda: set(names) <= {span.name for span in collector.received().spans})
        until(lambda: counted(collector) == dict.fromkeys(names, 1.0))
    spans = collector.received().spans
    assert max(Counter(span.span_id for span in spans).values()) == 1


def counted(collector: Collector) -> dict[str, float]:
    """Attempts that succeeded, by step, as last told."""
    metric = collector.received().metric("tracer.task.attempts")
    points = metric.sum.data_points if metric else ()
    return {
        attributes(point)["cicd.pipeline.task.name"]: point.as_double
        for point in points
        if attributes(point)["cicd.pipeline.task.run.result"] == "succeeded"
    }
