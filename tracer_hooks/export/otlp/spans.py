"""A run as a trace: the run's span, in it one for each task attempt, in it those of its processes.

Ids follow from the names of run, task and attempt: whoever sends a span twice sends the same one.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from tracer_hooks.export.metrics import metric_table
from tracer_hooks.export.otlp.records import Record, seconds
from tracer_hooks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

RESOURCE = Resource({"service.name": "tracer-hooks", "service.version": __version__})
SCOPE = InstrumentationScope("tracer_hooks", __version__, metric_table().schema_url)
# The conventions' words for how something ended.
_RESULTS = {
    "succeeded": "success",
    "failed": "failure",
    "cancelled": "cancellation",
    "lost": "error",
}
# Columns that have a name in the conventions; the others are `tracer.` and their own name.
_ATTRIBUTES = {
    "run_id": "cicd.pipeline.run.id",
    "pipeline": "cicd.pipeline.name",
    "step": "cicd.pipeline.task.name",
    "host": "host.name",
    "user": "process.owner",
    "workdir": "process.working_directory",
    "command": "process.command_line",
    "container_id": "container.id",
    "container_image": "container.image.name",
    "exit_code": "process.exit.code",
    "failure_cause": "error.type",
}
_TIMES = frozenset(("started_at", "ended_at", "status"))


def spans_of(record: Record) -> list[ReadableSpan]:
    """The spans of a record; none if it has no times."""
    return _run(record) if record["kind"] == "run" else list(_attempt(record))


def _run(record: Record) -> list[ReadableSpan]:
    row, run_id = record["row"], record["run_id"]
    start, end = seconds(row.get("started_at")), seconds(row.get("ended_at"))
    if start is None or end is None:
        return []
    attributes = _attributes({**row, "run_id": run_id})
    attributes["cicd.pipeline.result"] = _result(row)
    name = str(row.get("pipeline") or run_id)
    return [_span(name, run_id, (), None, (start, end), attributes, row.get("status"))]


def _attempt(record: Record) -> Iterator[ReadableSpan]:
    row = record["row"]
    run_id, task = str(row["run_id"]), str(row["task_id"])
    number = int(row.get("attempt") or 1)
    start = seconds(row.get("started_at"))
    if start is None:
        return
    end = seconds(row.get("ended_at"))
    if end is None:
        end = start + (seconds(row.get("wall_s")) or 0.0)
    attributes = _attributes(row)
    attributes["cicd.pipeline.task.run.result"] = _result(row)
    if record["left_out"]:
        attributes["tracer.processes_left_out"] = record["left_out"]
    links = []
    if number > 1:
        before = _context(run_id, (task, number - 1))
        links.append(Link(before, {"tracer.link": "the attempt before"}))
    yield _span(
        str(row.get("step") or row.get("task_name") or task),
        run_id,
        (task, number),
        () if record["in_run"] else None,
        (start, end),
        attributes,
        row.get("status"),
        links,
        list(_events(record["events"])),
    )
    ids = {process.get("process_id") for process in record["processes"]}
    for process in record["processes"]:
        yield _process(process, run_id, (task, number), ids, (start, end))


def _process(
    process: Mapping[str, Any],
    run_id: str,
    attempt: tuple[str, int],
    ids: set[Any],
    during: tuple[float, float],
) -> ReadableSpan:
    own, parent = process.get("process_id"), process.get("parent_id")
    start = seconds(process.get("started_at")) or during[0]
    end = seconds(process.get("ended_at"))
    attributes: dict[str, Any] = {
        "process.pid": process.get("pid"),
        "process.parent_pid": process.get("parent_pid"),
        "process.executable.name": process.get("comm"),
        "process.executable.path": process.get("exe"),
        "process.command_args": process.get("argv") or None,
        "process.exit.code": process.get("exit_code"),
        **{
            f"tracer.{name}": process.get(name)
            for name in ("tool", "signal", "cpu_s", "memory_peak_bytes", "disk_read_bytes",
                         "disk_write_bytes", "network_rx_bytes", "network_tx_bytes")
        },
    }  # fmt: skip
    known = {name: value for name, value in attributes.items() if value is not None}
    failed = bool(process.get("exit_code") or process.get("signal"))
    return _span(
        str(process.get("tool") or process.get("comm") or "process"),
        run_id,
        (*attempt, own),
        (*attempt, parent) if parent in ids and parent != own else attempt,
        (start, max(start, during[1] if end is None else end)),
        known,
        "failed" if failed else None,
    )


def _span(
    name: str,
    run_id: str,
    own: tuple[Any, ...],
    parent: tuple[Any, ...] | None,
    during: tuple[float, float],
    attributes: Mapping[str, Any],
    status: Any,
    links: Iterable[Link] = (),
    events: Iterable[Event] = (),
) -> ReadableSpan:
    failed = status in ("failed", "lost")
    return ReadableSpan(
        name=name[:200],
        context=_context(run_id, own),
        parent=None if parent is None else _context(run_id, parent),
        resource=RESOURCE,
        attributes=attributes,
        events=list(events),
        links=list(links),
        kind=SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
        start_time=round(during[0] * 1e9),
        end_time=round(max(during) * 1e9),
        instrumentation_scope=SCOPE,
    )


def _context(run_id: str, own: tuple[Any, ...]) -> SpanContext:
    trace = hashlib.blake2b(run_id.encode(errors="replace"), digest_size=16).digest()
    text = json.dumps([run_id, *own])
    span = hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()
    return SpanContext(
        int.from_bytes(trace, "big") or 1,
        int.from_bytes(span, "big") or 1,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, value in row.items():
        if value is None or column in _TIMES:
            continue
        if column == "tags":
            found |= {f"tracer.tag.{k}": str(v) for k, v in dict(value).items()}
        elif isinstance(value, (str, bool, int, float)):
            found[_ATTRIBUTES.get(column, f"tracer.{column}")] = value
    if row.get("task_id") is not None:
        found["cicd.pipeline.task.run.id"] = f"{row['task_id']}.{row.get('attempt') or 1}"
    return found


def _result(row: Mapping[str, Any]) -> str:
    if row.get("failure_cause") == "timeout":
        return "timeout"
    return _RESULTS.get(str(row.get("status")), "error")


def _events(rows: Iterable[Mapping[str, Any]]) -> Iterator[Event]:
    for row in rows:
        at = seconds(row.get("at"))
        if at is None or not row.get("kind"):
            continue
        detail = row.get("detail")
        text = detail if isinstance(detail, str) else json.dumps(detail)
        yield Event(str(row["kind"]), {"tracer.detail": text}, round(at * 1e9))
