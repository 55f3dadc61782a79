"""A run as a Perfetto trace, which opens in https://ui.perfetto.dev.

Tracks are nested: step, attempt, process below the process that started it. An attempt's counters
stand above its processes, its moments (out of memory, signals, retries) on its own track. Siblings
of one name share a row in the viewer, so a storm of helpers stays one line. What was not measured
has no figure; a process whose start is not known has no slice.
"""

from __future__ import annotations

import datetime as dt
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO

from tracer_hooks.export.perfetto_packets import Packets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracer_hooks.analysis.trace import AttemptTrace, RunTrace

    Row = Mapping[str, Any]

_NS = 1_000_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_MAX_TEXT = 2000
# title, column of readings, unit, whether the figure is the column's growth per second
_COUNTERS = (
    ("cores in use", "cpu_s", "cores", True),
    ("memory", "memory_bytes", "bytes", False),
    ("disk read /s", "disk_read_bytes", "bytes", True),
    ("disk written /s", "disk_write_bytes", "bytes", True),
    ("network received /s", "network_rx_bytes", "bytes", True),
    ("network sent /s", "network_tx_bytes", "bytes", True),
    ("processes", "processes", "processes", False),
)
_OF_A_PROCESS = _COUNTERS[:4]
_HOST_RATES = (
    ("disk read /s", "disk_read_bytes", "bytes", True),
    ("disk written /s", "disk_write_bytes", "bytes", True),
    ("network received /s", "network_rx_bytes", "bytes", True),
    ("network sent /s", "network_tx_bytes", "bytes", True),
    ("processes started /s", "forks", "processes", True),
    ("load, 1 minute", "load_1m", "processes", False),
)
_HOST_STATES = ("user", "system", "iowait", "steal", "idle")
_FACTS = (
    "task_id", "attempt", "attempt_count", "step", "sample", "host", "command", "status",
    "failure_cause", "exit_code", "signal", "wall_s", "wall_cpu_s", "wall_runnable_s",
    "wall_disk_s", "wall_network_s", "wall_idle_s", "cpu_s", "cpu_unattributed_s",
    "cpus_requested", "memory_requested_bytes", "memory_peak_bytes", "disk_read_bytes",
    "disk_write_bytes", "network_rx_bytes", "network_tx_bytes", "process_count", "capture",
)  # fmt: skip
_PROCESS_FACTS = (
    "pid", "exit_code", "signal", "cpu_s", "memory_peak_bytes", "disk_read_bytes",
    "disk_write_bytes", "network_rx_bytes", "network_tx_bytes",
)  # fmt: skip


def export(trace: RunTrace, file: BinaryIO) -> None:
    """Write the run to `file`, an attempt at a time."""
    packets = Packets(file)
    begun = trace.run["started_at"]
    packets.start(0 if begun is None else nanoseconds(begun))
    _hosts(packets, trace.hosts)
    steps: dict[str | None, int] = {}
    ranks: dict[str | None, int] = {}
    for one in trace.attempts():
        step = one.attempt["step"]
        if step not in steps:
            steps[step] = packets.track(_text(step) if step else "(no step)")
        ranks[step] = ranks.get(step, 0) + 1
        _attempt(packets, one, steps[step], ranks[step])


def nanoseconds(at: dt.datetime) -> int:
    """Since 1970 in UTC; exact, which a float is not."""
    since = at - _EPOCH
    return ((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds) * 1000


def _attempt(packets: Packets, one: AttemptTrace, step: int, rank: int) -> None:
    a = one.attempt
    if a["started_at"] is None:
        return
    name = _text(a["task_name"] or a["task_id"] or "(no name)")
    if a["attempt_count"] > 1:
        name += f" (attempt {a['attempt']})"
    track, start = packets.track(name, step, rank), nanoseconds(a["started_at"])
    packets.begin(track, start, name, "task", {key: _fact(a[key]) for key in _FACTS})
    if (a["attempt"] or 1) > 1:
        packets.instant(track, start, f"retry: attempt {a['attempt']}", "retry")
    for event in one.events:
        if event["at"] is not None:
            facts = {"detail": _fact(event["detail"])}
            packets.instant(track, nanoseconds(event["at"]), _text(event["kind"]), "event", facts)
    end = None if a["ended_at"] is None else nanoseconds(a["ended_at"])
    own: list[Row] = []
    of_processes: dict[int, list[Row]] = {}
    for row in one.readings:
        number = row["process_id"]
        (own if number is None else of_processes.setdefault(number, [])).append(row)
    _counters(packets, track, own, start, end, _COUNTERS)
    _processes(packets, one.processes, track, of_processes, (start, end))
    if end is not None:
        packets.end(track, max(start, end))


def _processes(
    packets: Packets,
    processes: list[dict[str, Any]],
    above: int,
    readings: Mapping[int, list[Row]],
    life: tuple[int, int | None],
) -> None:
    """A track for each process, below that of its parent, parents first."""
    parents = {row["parent_id"] for row in processes}
    tracks: dict[int, int] = {}
    for place, row in enumerate(_parents_first(processes)):
        if row["started_at"] is None:
            continue
        name = _text(row["tool"] or row["comm"] or "(no name)")
        start = nanoseconds(row["started_at"])
        # Leaves of one name share a row in the viewer; who started others has one of its own.
        alone = row["process_id"] in parents or row["process_id"] in readings
        titled = f"{name} {row['pid']}" if alone and row["pid"] is not None else name
        track = packets.track(titled, tracks.get(row["parent_id"], above), len(_COUNTERS) + place)
        tracks[row["process_id"]] = track
        facts = {key: row[key] for key in _PROCESS_FACTS}
        argv = " ".join(row["argv"]) if row["argv"] is not None else None
        packets.begin(track, start, name, "process", {**facts, "argv": _fact(argv)})
        if row["ended_at"] is not None:
            packets.end(track, max(start, nanoseconds(row["ended_at"])))
        if row["process_id"] in readings:
            ended = row["ended_at"]
            end = life[1] if ended is None else nanoseconds(ended)
            own = readings[row["process_id"]]
            _counters(packets, track, own, start, end, _OF_A_PROCESS)


def _parents_first(processes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every process once: below its parent if that is among them, else a root; circles too."""
    ids = {row["process_id"] for row in processes}
    children: dict[int | None, list[dict[str, Any]]] = {}
    for row in processes:
        parent = row["parent_id"]
        known = parent in ids and parent != row["process_id"]
        children.setdefault(parent if known else None, []).append(row)
    seen: set[int] = set()
    for root in [*children.get(None, []), *processes]:
        stack = [root]
        while stack:
            row = stack.pop()
            if row["process_id"] in seen:
                continue
            seen.add(row["process_id"])
            yield row
            stack += reversed(children.get(row["process_id"], []))


def _counters(
    packets: Packets,
    parent: int,
    readings: Sequence[Row],
    start: int,
    end: int | None,
    counters: Sequence[tuple[str, str, str, bool]],
) -> None:
    """A counter for each column of which there is more than zero to say."""
    for rank, (title, column, unit, growth) in enumerate(counters):
        points = [
            (_moment(row, start), float(row[column])) for row in readings if row[column] is not None
        ]
        values = list(_rates(points)) if growth else points
        if not any(value for _, value in values):
            continue
        track = packets.counter(title, unit, parent, rank)
        for at, value in values:
            packets.value(track, at, value)
        if end is not None:
            packets.value(track, max(end, values[-1][0]), 0.0)


def _moment(reading: Row, start: int) -> int:
    """When the reading was: by the clock that does not jump, where that is known."""
    elapsed = reading.get("elapsed_s")
    if elapsed is None:
        return start if reading["at"] is None else nanoseconds(reading["at"])
    return start + round(float(elapsed) * _NS)


def _rates(points: Sequence[tuple[int, float]]) -> Iterator[tuple[int, float]]:
    """Growth per second from each reading to the next; a counter holds until its next value."""
    for (at, value), (then, later) in pairwise(points):
        if then > at:
            # A counter that seems to fall was read at an unlucky moment, or began anew.
            yield at, max(0.0, (later - value) * _NS / (then - at))


def _hosts(packets: Packets, rows: list[dict[str, Any]]) -> None:
    """Counters of the whole hosts: what a dashboard would have shown."""
    by_host: dict[str | None, list[dict[str, Any]]] = {}
    for row in rows:
        by_host.setdefault(row["host"], []).append({**row, "elapsed_s": None})
    for host, own in by_host.items():
        track = packets.track(f"host {_text(host or '(no name)')}")
        for rank, state in enumerate(("busy", "iowait")):
            values = list(_shares(own, state))
            if values:
                counter = packets.counter(f"CPU {state}", "%", track, rank)
                for at, value in values:
                    packets.value(counter, at, value)
        for row in own:
            total, free = row["memory_total_bytes"], row["memory_available_bytes"]
            row["memory_used_bytes"] = None if None in (total, free) else total - free
        used = ("memory in use", "memory_used_bytes", "bytes", False)
        _counters(packets, track, own, nanoseconds(own[0]["at"]), None, (used, *_HOST_RATES))


def _shares(rows: list[dict[str, Any]], state: str) -> Iterator[tuple[int, float]]:
    """Per cent of the CPU time between two readings that was neither idle nor waiting for I/O, or
    that was."""
    for row, later in pairwise(rows):
        grown = {s: (later[f"cpu_{s}_s"] or 0.0) - (row[f"cpu_{s}_s"] or 0.0) for s in _HOST_STATES}
        whole = sum(grown.values())
        if row["cpu_idle_s"] is None or later["cpu_idle_s"] is None or whole <= 0:
            continue
        share = grown["iowait"] if state == "iowait" else grown["user"] + grown["system"]
        yield nanoseconds(row["at"]), min(100.0, max(0.0, 100.0 * share / whole))


def _text(value: str | None) -> str:
    return "(no name)" if value is None else value[:_MAX_TEXT]


def _fact(value: Any) -> Any:
    """A fact as a trace holds it: cut if it is long, left out if it is not known."""
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    return None if isinstance(value, float) and math.isnan(value) else value
