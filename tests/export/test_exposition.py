"""The text of metrics, read back by the official client and by promtool."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_modern
from prometheus_client.parser import text_string_to_metric_families as read_older

from tracer_hooks.export.exposition import exposed
from tracer_hooks.export.families import Family, Point
from tracer_hooks.export.metrics import metric_table

METRICS = metric_table().metrics
COUNTER = METRICS["tracer_task_started_total"]
MODERN = "application/openmetrics-text"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(values=st.lists(texts, min_size=4, max_size=4), figure=st.floats(0, 1e18, allow_nan=False))
def test_labels_and_figures_come_back_as_they_were(values: list[str], figure: float) -> None:
    labels = tuple(zip(COUNTER.group.labels, values, strict=True))
    family = Family(COUNTER, [Point(labels, figure)])
    for accept, read in ((MODERN, read_modern), ("", read_older)):
        text, _ = exposed([family], accept)
        # The parsers split at every line break that Unicode knows; a reader of the format does not.
        if len(text.decode().splitlines()) != text.count(b"\n"):
            continue
        (found,) = read(text.decode())
        (sample,) = found.samples
        assert (sample.name, sample.labels, sample.value) == (COUNTER.name, dict(labels), figure)
        assert (found.type, found.documentation) == ("counter", COUNTER.help)


def test_times_are_seconds_or_milliseconds() -> None:
    family = Family(METRICS["tracer_serve_info"], [Point((), 1.0, at=1234.5)])
    assert b"tracer_serve_info 1.0 1234.5\n# EOF\n" in exposed([family], MODERN)[0]
    assert b"tracer_serve_info 1.0 1234500\n" in exposed([family])[0]


def every_metric() -> list[Family]:
    found = []
    for metric in METRICS.values():
        labels = tuple((name, "x") for name in metric.label_names)
        points = [Point(labels, 1.0)]
        if metric.type == "histogram":
            bounds = [*(f"{bound:.1f}" for bound in metric.buckets), "+Inf"]
            points = [Point((*labels, ("le", bound)), 1.0, "_bucket") for bound in bounds]
        if metric.type in ("histogram", "summary"):
            points += [Point(labels, 1.0, "_sum"), Point(labels, 1.0, "_count")]
            points = [point for point in points if point.suffix]
        found.append(Family(metric, points))
    return found


def test_every_metric_is_read_by_the_official_parser() -> None:
    read = list(read_modern(exposed(every_metric(), MODERN)[0].decode()))
    assert [family.name for family in read] == [metric.family for metric in METRICS.values()]


@pytest.mark.engine
def test_promtool_finds_nothing_to_say() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian's package prometheus)")
    text, _ = exposed(every_metric())
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
