"""The wire format of sock_diag: TCP sockets with their byte counters, alive and at their end.

A dump goes through the kernel's table of connections bucket by bucket, which costs 0.2 to 0.5 ms
however few there are; the old request type does so once for IPv4 and IPv6 together.
"""

import _socket
from _struct import Struct, pack, unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    # (cookie, state, local port, peer's port, peer's address, uid, inode, received, sent); an IPv4
    # address is the first four bytes; at its destruction a socket has neither uid nor inode.
    Found = tuple[int, int, bytes, bytes, bytes, int, int, int, int]

LISTEN = 10
CLOSED = (4, 5, 9, 11)  # FIN_WAIT1, FIN_WAIT2, LAST_ACK and CLOSING
_AF_NETLINK, _SOCK_DIAG = 16, 4
_CLOEXEC = 0o2000000
_DONE, _ERROR = 3, 2
_TCPDIAG_GETSOCK = 18
_REQUEST_DUMP = 0x301
_INFO = 2  # the attribute that holds struct tcp_info
# All states but those in which a connection has no socket yet or no more: SYN_RECV, TIME_WAIT,
# CLOSE and the handshake of a server.
_STATES = 0xFFF & ~(1 << 3 | 1 << 6 | 1 << 7)
_GROUPS = 1 << 0 | 1 << 2  # TCP and TCP over IPv6: at their destruction
_ACKED_AND_RECEIVED = 120  # offset in struct tcp_info, since Linux 4.1
# family, state, ports, addresses, cookie, uid, inode
_MESSAGE = Struct("=BB2x2s2s16s16s4xQ12xII")
_HEADER = 16
_COOKIE = _HEADER + 44
_PEER_PORT = _HEADER + 6
_NO_PORT = b"\0\0"
_BUFFER = 1 << 16
_MAPPED = b"\0" * 10 + b"\xff\xff"


class Lost(Exception):  # noqa: N818 - a fact, not an error
    """More came than the socket's buffer holds."""


def open_requests() -> "_socket.socket":
    """A socket for dumps; OSError if the kernel refuses."""
    sock = _socket.socket(_AF_NETLINK, _socket.SOCK_RAW | _CLOEXEC, _SOCK_DIAG)
    sock.settimeout(2.0)
    return sock


def open_destroyed() -> "_socket.socket":
    """A socket that is told of each TCP socket's end; OSError if the kernel refuses."""
    sock = _socket.socket(_AF_NETLINK, _socket.SOCK_RAW | _CLOEXEC, _SOCK_DIAG)
    try:
        for option in (33, 8):  # SO_RCVBUFFORCE for who may, SO_RCVBUF as far as it goes
            try:
                sock.setsockopt(1, option, 8 << 20)
                break
            except OSError:
                continue
        sock.bind((0, _GROUPS))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def listen() -> "_socket.socket | None":
    """The same; None if the kernel refuses."""
    try:
        return open_destroyed()
    except OSError:
        return None


def has_heard(sock: "_socket.socket") -> bool:
    """Whether something is there to be read, or was lost."""
    try:
        return bool(sock.recv(1, _socket.MSG_PEEK))
    except BlockingIOError:
        return False
    except OSError:
        return True


def dump(sock: "_socket.socket") -> "list[Found]":
    """Every TCP socket of the network namespace; OSError if the kernel refuses."""
    body = pack("=BBBB48xII", 0, 0, 0, 1 << (_INFO - 1), _STATES, 0)
    sock.send(pack("=IHHII", _HEADER + len(body), _TCPDIAG_GETSOCK, _REQUEST_DUMP, 1, 0) + body)
    found = []  # type: list[Found]
    while True:
        data = sock.recv(_BUFFER)
        place = 0
        while place + _HEADER <= len(data):
            size, kind = unpack_from("=IH", data, place)
            if kind == _DONE:
                return found
            if kind == _ERROR:
                number = -unpack_from("=i", data, place + _HEADER)[0]
                raise OSError(number, "sock_diag refuses")
            found.append(_parse(data, place, size))
            place += (size + 3) & ~3


def destroyed(sock: "_socket.socket") -> "Iterator[tuple[int, bytes]]":
    """(cookie, message) of each connection that ended since the last call, as far as told.

    The kernel tells a moment later, when a worker of its own has the time. Raises `Lost` if
    messages did not fit.
    """
    while True:
        try:
            data = sock.recv(_BUFFER)
        except BlockingIOError:
            return
        except OSError as error:
            raise Lost from error
        if len(data) >= _HEADER + _MESSAGE.size and data[_PEER_PORT : _PEER_PORT + 2] != _NO_PORT:
            yield int(unpack_from("=Q", data, _COOKIE)[0]), data


def parse_destroyed(data: bytes) -> "Found":
    """The whole of a message."""
    return _parse(data, 0, len(data))


def _parse(data: bytes, place: int, size: int) -> "Found":
    family, state, port, peer_port, _, peer, cookie, uid, inode = _MESSAGE.unpack_from(
        data, place + _HEADER
    )
    if family != 2 and peer.startswith(_MAPPED):
        peer = peer[12:] + bytes(12)  # IPv4 in a socket of IPv6
    at, end = place + _HEADER + _MESSAGE.size, place + size
    received = sent = 0
    while at + 4 <= end:
        length, kind = unpack_from("=HH", data, at)
        if kind == _INFO and length >= 4 + _ACKED_AND_RECEIVED + 16:
            sent, received = unpack_from("=QQ", data, at + 4 + _ACKED_AND_RECEIVED)
            break
        at += max(4, (length + 3) & ~3)
    return cookie, state, port, peer_port, peer, uid, inode, received, sent
