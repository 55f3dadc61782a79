"""The wire format of netlink, and of generic netlink on top of it."""

import _socket
from _struct import pack, unpack_from

AF_NETLINK = 16
GENERIC = 16  # the netlink protocol of the generic families
REQUEST, ACK = 1, 4
ERROR = 2  # the type of an answer that is an errno; 0 acknowledges
HEADER = 16
GENERIC_HEADER = 20
_CLOEXEC = 0o2000000
_CONTROL_FAMILY, _GET_FAMILY = 16, 3
_FAMILY_ID, _FAMILY_NAME = 1, 2


def open_socket(protocol: int, groups: int = 0) -> "_socket.socket":
    """A bound netlink socket; OSError if the kernel refuses."""
    sock = _socket.socket(AF_NETLINK, _socket.SOCK_RAW | _CLOEXEC, protocol)
    sock.bind((0, groups))
    return sock


def attribute(kind: int, data: bytes) -> bytes:
    """One attribute, padded."""
    return pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def message(kind: int, flags: int, body: bytes) -> bytes:
    """One netlink message."""
    return pack("IHHII", HEADER + len(body), kind, flags, 1, 0) + body


def generic(family: int, command: int, attributes: bytes, flags: int = REQUEST) -> bytes:
    """One message to a generic family, version 1."""
    return message(family, flags, pack("BBH", command, 1, 0) + attributes)


def attributes(data: bytes, place: int, end: int) -> "list[tuple[int, int, int]]":
    """(kind, begin, end) of each attribute's content in data[place:end]; stops at what is torn."""
    found = []
    while place + 4 <= end:
        length, kind = unpack_from("HH", data, place)
        if length < 4 or place + length > end:
            break
        found.append((kind & 0x3FFF, place + 4, place + length))
        place += (length + 3) & ~3
    return found


def errno_of(answer: bytes) -> "int | None":
    """The errno in an answer, 0 for an acknowledgement; None if it is another message."""
    if len(answer) < HEADER + 4 or unpack_from("H", answer, 4)[0] != ERROR:
        return None
    return -int(unpack_from("i", answer, HEADER)[0])


def family_id(sock: "_socket.socket", name: bytes) -> "int | None":
    """The number that the kernel gave to a generic family; None if it has none of that name."""
    sock.send(generic(_CONTROL_FAMILY, _GET_FAMILY, attribute(_FAMILY_NAME, name + b"\0")))
    answer = sock.recv(8192)
    # what an earlier socket of ours asked for may still come to our address
    while unpack_from("H", answer, 4)[0] not in (ERROR, _CONTROL_FAMILY):
        answer = sock.recv(8192)
    if errno_of(answer) is not None:
        return None
    for kind, begin, _ in attributes(answer, GENERIC_HEADER, len(answer)):
        if kind == _FAMILY_ID:
            return int(unpack_from("H", answer, begin)[0])
    return None
