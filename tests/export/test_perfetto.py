"""A Perfetto trace, read with Perfetto's own classes."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from analysis.synthetic import MIB, RUN, START

from tests.export.conftest import Tables
from tracer_hooks.analysis.trace import run_trace
from tracer_hooks.export import perfetto
from tracer_hooks.export.perfetto import nanoseconds
from tracer_hooks.export.protobuf import integer, varint

pb = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4


def written(tables: Tables) -> list[Any]:
    """The packets of the exported run."""
    file = io.BytesIO()
    perfetto.export(run_trace(tables, RUN), file)
    trace = pb.Trace()
    trace.ParseFromString(file.getvalue())
    # What the schema does not know would be kept as unknown and written again.
    known = trace.SerializeToString()
    trace.DiscardUnknownFields()
    assert trace.SerializeToString() == known
    return list(trace.packet)


def tracks(packets: list[Any]) -> dict[int, Any]:
    return {p.track_descriptor.uuid: p.track_descriptor for p in packets
            if p.HasField("track_descriptor")}  # fmt: skip


def path(known: dict[int, Any], uuid: int) -> list[str]:
    """The names from the outermost track to this one."""
    names = []
    while uuid:
        names.append(known[uuid].name)
        uuid = known[uuid].parent_uuid
    return names[::-1]


def facts(event: Any) -> dict[str, Any]:
    kinds = ("string_value", "double_value", "int_value", "bool_value")
    return {
        note.name: next(getattr(note, kind) for kind in kinds if note.HasField(kind))
        for note in event.debug_annotations
    }


def test_it_is_what_the_format_asks_for(any_run: Tables) -> None:
    packets = written(any_run)
    assert {p.trusted_packet_sequence_id for p in packets} == {1}
    assert [p.sequence_flags for p in packets if p.sequence_flags] == [1]
    assert packets[0].HasField("clock_snapshot")
    known: dict[int, Any] = {}
    open_slices: dict[int, list[int]] = {}
    for packet in packets[1:]:
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            assert track.uuid not in known
            assert track.uuid
            assert not track.parent_uuid or track.parent_uuid in known
            assert track.name
            known[track.uuid] = track
            continue
        event = packet.track_event
        track = known[event.track_uuid]
        assert packet.timestamp
        assert event.type in (BEGIN, END, INSTANT, COUNTER)
        assert track.HasField("counter") == (event.type == COUNTER)
        if event.type == BEGIN:
            assert event.name
            open_slices.setdefault(event.track_uuid, []).append(packet.timestamp)
        elif event.type == END:
            assert packet.timestamp >= open_slices[event.track_uuid].pop()
        elif event.type == COUNTER:
            assert math.isfinite(event.double_counter_value)
            assert event.double_counter_value >= 0


def test_a_task_and_its_processes_have_a_track_each(full: Tables) -> None:
    packets = written(full)
    known = tracks(packets)
    begun = {
        tuple(path(known, p.track_event.track_uuid)): p
        for p in packets
        if p.track_event.type == BEGIN
    }
    assert ("align", "t1") in begun
    assert ("align", "t2 (attempt 2)") in begun
    bwa = begun[("align", "t1", "bash 4001", "bwa mem 4002")]
    assert bwa.timestamp == nanoseconds(START) + 100_000_000
    assert facts(bwa.track_event)["cpu_s"] == 3.0
    assert facts(bwa.track_event)["pid"] == 4002
    slices = [p.track_event for p in packets if p.track_event.type == BEGIN]
    assert sum(event.name == "gzip" for event in slices) == 40
    # Forty short leaves of one name: the viewer puts tracks of one name and parent into one row.
    leaves = {tuple(path(known, e.track_uuid)) for e in slices if e.name == "gzip"}
    assert leaves == {("align", "t1", "bash 4001", "bash 4008", "gzip")}


def test_counters_say_what_the_readings_say(full: Tables) -> None:
    packets = written(full)
    known = tracks(packets)
    values: dict[tuple[str, ...], list[tuple[int, float]]] = {}
    for p in packets:
        if p.track_event.type == COUNTER:
            key = tuple(path(known, p.track_event.track_uuid))
            values.setdefault(key, []).append(
                (p.timestamp - nanoseconds(START), p.track_event.double_counter_value)
            )
    cores = dict(values[("align", "t1", "cores in use")])
    # 70 CPU seconds within 40 seconds of wall time, from the tenth on
    assert cores[20 * 10**9] == pytest.approx(1.75)
    assert cores[5 * 10**9] == 0
    assert cores[60 * 10**9] == 0
    memory = values[("align", "t1", "memory")]
    assert max(value for _, value in memory) == 1900 * MIB
    own = dict(values[("align", "t1", "bash 4001", "bwa mem 4002", "memory")])
    assert own[100_000_000 + 7 * 10**9] == 7 * MIB
    assert ("host node1", "CPU busy") in values
    assert all(0 <= value <= 100 for _, value in values[("host node1", "CPU busy")])
    # Nothing was measured of the network.
    assert not [key for key in values if "network received /s" in key and "t1" in key]


def test_moments_are_instants_of_their_task(full: Tables) -> None:
    packets = written(full)
    known = tracks(packets)
    found = {
        (path(known, p.track_event.track_uuid)[-1], p.track_event.name)
        for p in packets
        if p.track_event.type == INSTANT
    }
    assert found == {
        ("t1", "throttled"), ("t2 (attempt 1)", "oom"), ("t2 (attempt 1)", "signal"),
        ("t2 (attempt 2)", "retry: attempt 2"),
    }  # fmt: skip


def test_what_is_not_known_is_not_there(unknown: Tables) -> None:
    packets = written(unknown)
    names = [p.track_event.name for p in packets if p.track_event.type == BEGIN]
    assert names == ["t2", "y"]
    assert not [p for p in packets if p.track_event.type == END]


def test_batches_change_nothing(full: Tables) -> None:
    trace = run_trace(full, RUN)
    assert list(trace.attempts(batch=1)) == list(trace.attempts(batch=100))
    assert [len(one.processes) for one in trace.attempts(batch=2)] == [49, 0, 0]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**64 - 1, -1])
def test_numbers_are_encoded_as_the_library_does(value: int) -> None:
    pb2 = pytest.importorskip("google.protobuf.internal.encoder")
    assert varint(value) == pb2._VarintBytes(value & (2**64 - 1))
    note = pb.DebugAnnotation.FromString(integer(4, value if value < 2**63 else -1))
    assert note.int_value == (value if value < 2**63 else -1)
