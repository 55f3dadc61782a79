"""Runs that are over as OpenMetrics with timestamps, for a Prometheus that was not watching.

What `serve` would have shown every 15 seconds, by the same table of metrics: counters that go on
from run to run, and sums of what ran at each moment. What rests on how a task behaved in its last
minutes (progress, trends, history) is for live metrics alone. `promtool tsdb create-blocks-from
openmetrics` and VictoriaMetrics' import read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer_hooks.export.sender import RunToSend


def export_runs(runs: Iterable[RunToSend], file: BinaryIO) -> None:
    """Write all runs as one text, oldest first. Raises TracerError."""
    from tracer_hooks.export.openmetrics.course import add_run
    from tracer_hooks.export.openmetrics.timeline import Timeline
    from tracer_hooks.export.openmetrics.writing import write

    timeline = Timeline()
    for run in runs:
        add_run(timeline, run)
    write(timeline, file)
