"""Perfetto's packets: tracks, slices, instants and counters.

Field numbers are those of `perfetto/protos/perfetto/trace/trace_packet.proto` and the files that
it includes (https://perfetto.dev/docs/reference/trace-packet-proto); the tests read what is
written with Perfetto's own generated classes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, BinaryIO

from tracer_hooks.export.protobuf import double, integer, message, text

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKET = 1  # of Trace
_TIMESTAMP, _SEQUENCE, _EVENT, _FLAGS, _TRACK, _CLOCKS = 8, 10, 11, 13, 60, 6
_BEGIN, _END, _INSTANT, _COUNTER = 1, 2, 3, 4
_REALTIME, _BOOTTIME = 1, 6
_EXPLICIT_ORDER = 3
_BYTES_UNIT = 3
_INT64 = 1 << 63
_ONE_SEQUENCE = integer(_SEQUENCE, 1)
_STATE_CLEARED = 1


class Packets:
    """Writes packets to a file as they come; times are nanoseconds since 1970 in UTC."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._last_track = 0

    def start(self, at: int) -> None:
        """The first packet: the trace's clock is the time of day."""
        clocks = [message(1, integer(1, clock), integer(2, at)) for clock in (_BOOTTIME, _REALTIME)]
        self._write(
            message(_CLOCKS, *clocks, integer(2, _BOOTTIME)), integer(_FLAGS, _STATE_CLEARED)
        )

    def track(self, name: str, parent: int | None = None, rank: int | None = None) -> int:
        """A track under `parent`; those of one parent are ordered by `rank`."""
        return self._new_track(name, parent, rank, integer(11, _EXPLICIT_ORDER))

    def counter(self, name: str, unit: str, parent: int, rank: int) -> int:
        """A track of figures; `unit` `bytes` is shown in KiB and so on."""
        kind = integer(3, _BYTES_UNIT) if unit == "bytes" else text(6, unit)
        return self._new_track(name, parent, rank, message(8, kind))

    def begin(
        self, track: int, at: int, name: str, category: str, facts: Mapping[str, Any] | None = None
    ) -> None:
        """A slice begins; `facts` are what the reader sees on selecting it."""
        self._event(track, at, _BEGIN, text(22, category), text(23, name), *_facts(facts))

    def end(self, track: int, at: int) -> None:
        """The slice that began last on this track ends."""
        self._event(track, at, _END)

    def instant(
        self, track: int, at: int, name: str, category: str, facts: Mapping[str, Any] | None = None
    ) -> None:
        """Something happened at a moment."""
        self._event(track, at, _INSTANT, text(22, category), text(23, name), *_facts(facts))

    def value(self, track: int, at: int, value: float) -> None:
        """From this moment on the counter stands at `value`."""
        self._event(track, at, _COUNTER, double(44, value))

    def _new_track(self, name: str, parent: int | None, rank: int | None, kind: bytes) -> int:
        self._last_track += 1
        parts = [integer(1, self._last_track), text(2, name), kind]
        if parent is not None:
            parts.append(integer(5, parent))
        if rank is not None:
            parts.append(integer(12, rank))
        self._write(message(_TRACK, *parts))
        return self._last_track

    def _event(self, track: int, at: int, kind: int, *parts: bytes) -> None:
        event = message(_EVENT, integer(9, kind), integer(11, track), *parts)
        self._write(integer(_TIMESTAMP, at), event)

    def _write(self, *parts: bytes) -> None:
        self._file.write(message(_PACKET, *parts, _ONE_SEQUENCE))


def _facts(facts: Mapping[str, Any] | None) -> list[bytes]:
    """Debug annotations, one for each fact that is known."""
    return [
        message(4, text(10, name), _value(value))
        for name, value in (facts or {}).items()
        if value is not None and not (isinstance(value, float) and math.isnan(value))
    ]


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return integer(2, value)
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return integer(4, value)
    if isinstance(value, float):
        return double(5, value)
    return text(6, str(value))
