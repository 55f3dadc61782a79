"""A collector, reached by the official exporters; what they can't deliver is ours to keep."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from tracer_hooks.errors import TracerError, UsageError

try:
    import requests
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics.export import MetricExportResult
    from opentelemetry.sdk.trace.export import SpanExportResult
except ImportError as missing:
    raise TracerError("OTLP needs the SDK: pip install 'tracer-hooks[otlp]'") from missing

from tracer_hooks.export.otlp.spans import spans_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.metrics.export import MetricsData

    from tracer_hooks.live.outbox import Outcome

# The exporters try again by themselves for this long; then what is to be sent goes back to us.
_TIMEOUT_S = 5.0
# What a receiver says for now (https://opentelemetry.io/docs/specs/otlp/#failures-1): all other
# answers from 400 on are for good. A server that is behind a proxy may be away as 5xx too.
_LATER = frozenset((408, 429))


class Collector:
    """Sends spans and metrics. `problem`: what went wrong last, in a line."""

    def __init__(self, url: str) -> None:
        """`url`: such as http://localhost:4318; the signals' own paths are added to it. Raises
        UsageError."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{url!r} is no collector: write http://HOST:4318")
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # we say it ourselves
        base = parts.path.rstrip("/").removesuffix("/v1/traces")
        self._answers = threading.local()
        self._session = requests.Session()
        self._session.hooks["response"].append(self._heard)
        common: dict[str, Any] = {"timeout": _TIMEOUT_S, "session": self._session}

        def endpoint(signal: str) -> str:
            return urlunsplit(parts._replace(path=f"{base}/v1/{signal}"))

        self._spans = OTLPSpanExporter(endpoint=endpoint("traces"), **common)
        self._metrics = OTLPMetricExporter(endpoint=endpoint("metrics"), **common)
        self._name = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        self.problem = ""

    def close(self) -> None:
        """Let go of it."""
        self._spans.shutdown()  # type: ignore[no-untyped-call]
        self._metrics.shutdown()

    def deliver(self, payloads: Sequence[str]) -> Outcome:
        """Send records that waited as JSON."""
        return self.deliver_records([json.loads(payload) for payload in payloads])

    def deliver_records(self, records: Sequence[dict[str, Any]]) -> Outcome:
        """Send records (`tracer_hooks.export.otlp.records`) as spans."""
        spans = [span for record in records for span in spans_of(record)]
        if not spans:
            return "sent"
        self._answers.status = None
        return self._outcome(self._spans.export(spans) is SpanExportResult.SUCCESS)

    def deliver_metrics(self, metrics: MetricsData) -> Outcome:
        """Send figures."""
        self._answers.status = None
        return self._outcome(self._metrics.export(metrics) is MetricExportResult.SUCCESS)

    def _outcome(self, done: bool) -> Outcome:
        if done:
            return "sent"
        status = self._answers.status
        self.problem = (
            f"{self._name} does not answer" if status is None else f"{self._name} says {status}"
        )
        if status is not None and 400 <= status < 500 and status not in _LATER:
            return "refused"
        return "later"

    def _heard(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._answers.status = response.status_code
