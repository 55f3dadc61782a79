"""Traces and figures in a collector: all of it, once, also when it was away or refused some."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.command import one_error, tracer_hooks
from tests.otlp.receiver import Receiver, attributes, receiving
from tests.server.serving import run, served, until
from tests.store import spools
from tracer_hooks.supervisor.identifiers import escape

# Real servers on both sides.
pytestmark = pytest.mark.engine

FAST = ("--interval", "0.2", "--otlp-interval", "0.5", "--hold", "0.1")


def a_run(store: Path) -> None:
    """A run with a record, a task that was tried twice, and processes."""
    spools.write(store, spools.attempt("t1", card={"step": "sort"}))
    failed = spools.sealed_line(status="failed", exit_code=1, failure_cause="oom")
    oom = {"t": "e", "at": spools.START + 1, "kind": "oom", "detail": {"pid": 7}}
    spools.write(store, [spools.card_line("t2"), *spools.process_lines(), oom, failed])
    again = spools.card_line("t2", card={"attempt": 2})
    child = spools.process_lines(2, parent=1, comm="sort", exe="/usr/bin/sort", argv=["sort"])
    spools.write(store, [again, *spools.process_lines(), *child, spools.sealed_line()])
    record = {
        "t": "run", "v": 1, "run_id": "r1", "pipeline": "rna", "engine": "snakemake",
        "started_at": spools.START, "host": "h",
    }  # fmt: skip
    end = {"t": "run_end", "ended_at": spools.START + 9, "status": "succeeded"}
    spools.write(store, [record, end], name="@run.h-1-1.jsonl")


def check(found: Receiver) -> None:
    """The trace of `a_run`."""
    spans = found.spans
    assert len({span.trace_id for span in spans}) == 1
    assert max(Counter(span.span_id for span in spans).values()) == 1, "doubled"
    (root,) = (span for span in spans if not span.parent_span_id)
    assert root.name == "rna"
    assert attributes(root)["cicd.pipeline.result"] == "success"
    assert root.end_time_unix_nano - root.start_time_unix_nano == 9_000_000_000
    attempts = [span for span in spans if span.parent_span_id == root.span_id]
    assert sorted(span.name for span in attempts) == ["align", "align", "sort"]
    first, second = sorted(found.named("align"), key=lambda span: len(span.links))
    assert second.links[0].span_id == first.span_id
    assert attributes(first)["cicd.pipeline.task.run.result"] == "failure"
    assert attributes(first)["tracer.cpu_s"] == 1.2
    assert [event.name for event in first.events] == ["oom"]
    (child,) = (s for s in spans if attributes(s).get("process.executable.name") == "sort")
    (parent,) = (s for s in spans if s.span_id == child.parent_span_id)
    assert parent.parent_span_id == second.span_id
    assert attributes(parent)["process.command_args"] == ["bwa", "mem"]


def test_a_run_is_exported_as_a_trace(tmp_path: Path) -> None:
    a_run(tmp_path)
    with receiving(Receiver()) as found:
        done = tracer_hooks("export", "otlp", "r1", "--to", found.url, "--store", tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        check(found)


def test_the_export_waits_for_a_collector_that_is_away(tmp_path: Path) -> None:
    a_run(tmp_path)
    with receiving(Receiver()) as found:
        pass
    command = ["tracer-hooks", "export", "otlp", "r1", "--to", found.url, "--store", str(tmp_path)]
    from tests.cli.command import SCRIPT

    process = subprocess.Popen([SCRIPT, *command[1:]], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "waiting for the collector" in process.stderr.readline()
    with receiving(found):
        assert process.wait(timeout=120) == 0
    process.stderr.close()
    check(found)


def test_a_collector_that_refuses_is_not_asked_again(tmp_path: Path) -> None:
    a_run(tmp_path)
    with receiving(Receiver(status=400)) as found:
        done = tracer_hooks("export", "otlp", "r1", "--to", found.url, "--store", tmp_path)
    assert "says 400" in one_error(done, 1)
    assert found.asked == 1


def test_what_is_no_url_is_said(tmp_path: Path) -> None:
    a_run(tmp_path)
    done = tracer_hooks("export", "otlp", "r1", "--to", "ftp://x", "--store", tmp_path)
    assert "http://HOST:4318" in one_error(done, 2)


def test_serve_sends_what_ends_while_the_collector_is_away_for_a_while(tmp_path: Path) -> None:
    with receiving(Receiver()) as found:
        pass
    with served(tmp_path, "--otlp", found.url, *FAST) as serve:
        for number in range(3):
            task = run(tmp_path, "/bin/true", run="r1", step=f"s{number}", task=f"t{number}")
            assert task.returncode == 0
        until(lambda: serve.metric("tracer_serve_queue_size", to="otlp:traces") == 3)
        serve.kill()
    with served(tmp_path, "--otlp", found.url, *FAST), receiving(found):
        until(lambda: len(found.named("true")) == 3)
        until(lambda: found.metric("tracer.task.attempts"))
        points = found.metric("tracer.task.attempts").sum.data_points
        known = {
            attributes(point)["cicd.pipeline.task.name"]: point.as_double
            for point in points
            if attributes(point)["cicd.pipeline.task.run.result"] == "succeeded"
        }
        assert known == {"s0": 1.0, "s1": 1.0, "s2": 1.0}
        assert found.metric("tracer.task.duration").histogram.data_points[0].count == 1
    assert max(Counter(span.span_id for span in found.spans).values()) == 1
    assert {span.name for span in found.spans} >= {"s0", "s1", "s2"}


def test_serve_drops_what_is_refused_and_goes_on(tmp_path: Path) -> None:
    with (
        receiving(Receiver(status=400)) as found,
        served(tmp_path, "--otlp", found.url, *FAST) as serve,
    ):
        run(tmp_path, "/bin/true", run="r1", step="refused", task="t1")
        until(lambda: serve.metric("tracer_serve_queue_dropped_total", to="otlp:traces") == 1)
        found.status = 503
        run(tmp_path, "/bin/true", run="r1", step="later", task="t2")
        until(lambda: serve.metric("tracer_serve_queue_size", to="otlp:traces") == 1)
        found.status = 200
        until(lambda: found.named("later"))
    assert not found.named("refused")


@pytest.mark.parametrize("number", [7, 600])
def test_a_task_of_many_processes_sends_a_bounded_number(number: int) -> None:
    from tracer_hooks.export.otlp.records import MOST_PROCESSES, attempt_record
    from tracer_hooks.export.otlp.spans import spans_of

    rows = [
        {"process_id": i, "tool": "x", "started_at": spans_start, "ended_at": spans_start + i}
        for i in range(number)
    ]
    row = {"run_id": escape("r"), "task_id": "t", "attempt": 1, "started_at": spans_start}
    made = spans_of(attempt_record(row, rows, [], in_run=False))
    assert len(made) == 1 + min(number, MOST_PROCESSES)
    left_out = (made[0].attributes or {}).get("tracer.processes_left_out", 0)
    assert left_out == number - min(number, MOST_PROCESSES)


spans_start = spools.START
