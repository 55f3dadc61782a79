"""The table of metrics: names as Prometheus and the semantic conventions want them."""

import importlib
import pkgutil
import re

import pytest

from tracer_hooks.export.metrics import metric_table

TABLE = metric_table()
UNIT_SUFFIX = {"s": "seconds", "By": "bytes", "1": ""}


@pytest.mark.parametrize("metric", TABLE.metrics.values(), ids=lambda metric: metric.name)
def test_names_carry_their_unit_and_type(metric) -> None:
    assert re.fullmatch(r"tracer_(task|tool|run|serve)_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.type == "counter")
    suffix = UNIT_SUFFIX.get(metric.unit, "")
    if suffix:
        assert suffix in metric.name
    assert metric.help.endswith(".")
    assert not {"run_id", "task_id", "pid", "run", "task"} & set(metric.label_names)
    assert bool(metric.buckets) == (metric.type == "histogram")
    # A gauge is of what runs now, everything else is counted.
    assert (metric.when == "now") == (metric.type == "gauge")


def test_the_conventions_that_metrics_follow_exist_in_the_pinned_version() -> None:
    schemas = pytest.importorskip("opentelemetry.semconv.schemas").Schemas
    assert TABLE.schema_url in {schema.value for schema in schemas}
    assert TABLE.schema_url.endswith("/" + TABLE.semantic_conventions)
    package = importlib.import_module("opentelemetry.semconv._incubating.metrics")
    known = set()
    for module in pkgutil.iter_modules(package.__path__):
        loaded = importlib.import_module(f"{package.__name__}.{module.name}")
        known.update(value for name, value in vars(loaded).items() if name.isupper())
    for metric in TABLE.metrics.values():
        assert metric.otel is None or metric.otel in known, metric.name


def test_the_labels_have_full_names() -> None:
    for metric in TABLE.metrics.values():
        for label in (*metric.group.labels, *metric.values):
            assert label in TABLE.attributes, (metric.name, label)
