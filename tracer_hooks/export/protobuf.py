"""The wire format of protocol buffers, as far as a trace needs it.

https://protobuf.dev/programming-guides/encoding/: a message is its fields one after the other,
each a key (number and wire type) and a value. Written here because the official library and
Perfetto's generated classes would weigh more than all the rest of an export.
"""

from __future__ import annotations

import struct

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_UINT64 = (1 << 64) - 1


def varint(value: int) -> bytes:
    """Seven bits a byte, least first; negative numbers as 64-bit two's complement."""
    value &= _UINT64
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(field: int, value: int) -> bytes:
    """A field of type int64, uint64, enum or bool."""
    return varint(field << 3 | _VARINT) + varint(value)


def double(field: int, value: float) -> bytes:
    """A field of type double."""
    return varint(field << 3 | _FIXED64) + struct.pack("<d", value)


def message(field: int, *parts: bytes) -> bytes:
    """A field that holds a message, or bytes."""
    body = b"".join(parts)
    return varint(field << 3 | _BYTES) + varint(len(body)) + body


def text(field: int, value: str) -> bytes:
    """A field of type string; what is no text (a lone surrogate) becomes a question mark."""
    return message(field, value.encode("utf-8", "replace"))
