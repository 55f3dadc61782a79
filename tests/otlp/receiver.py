"""A collector made of the official protobufs: takes what it is sent, or is away, or refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.servers.web import Asked, answering


@dataclass
class Receiver:
    """What arrived. `status`: what it answers with."""

    port: int = 0
    status: int = 200
    asked: int = 0
    spans: list[Any] = field(default_factory=list)
    metrics: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    def metric(self, name: str) -> Any:
        """The newest figures of a metric."""
        return next((m for m in reversed(self.metrics) if m.name == name), None)


def attributes(thing: Any) -> dict[str, Any]:
    """The attributes of a span, an event or a point."""
    return {entry.key: _value(entry.value) for entry in thing.attributes}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(entry) for entry in value.array_value.values]
    return getattr(value, kind)


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """Listen, at the receiver's port if it has had one."""

    def answer(asked: Asked) -> tuple[int, bytes]:
        receiver.asked += 1
        if receiver.status == 200:
            take(receiver, asked.path, asked.body)
        return receiver.status, b""

    with answering(answer, receiver.port) as receiver.port:
        yield receiver


def take(receiver: Receiver, path: str, body: bytes) -> None:
    """Parse a request strictly."""
    if path == "/v1/traces":
        traces = ExportTraceServiceRequest.FromString(body)
        for resource in traces.resource_spans:
            for scope in resource.scope_spans:
                receiver.spans.extend(scope.spans)
    else:
        assert path == "/v1/metrics"
        figures = ExportMetricsServiceRequest.FromString(body)
        for resource_metrics in figures.resource_metrics:
            for scope_metrics in resource_metrics.scope_metrics:
                receiver.metrics.extend(scope_metrics.metrics)
