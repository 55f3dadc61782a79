"""Who opened a socket, from the kernel at the moment of opening; needs CAP_BPF and a cgroup v2.

A small program runs whenever a process of the task's cgroup opens an IP socket, and notes process
and time under the socket's cookie, which the news of its end carries too. Two more count what
datagram sockets send and receive, which the kernel counts nowhere else. The task is moved nowhere,
and the programs go with us.
"""

import posix
from _struct import unpack

from tracer_hooks.supervisor import bpf
from tracer_hooks.supervisor.bpf import Bpf, Reader, do
from tracer_hooks.supervisor.sources import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Union

    from tracer_hooks.supervisor.procfs import Proc

_CGROUP_SKB, _CGROUP_SOCK = 8, 9  # types of programs
_INGRESS, _EGRESS, _SOCK_CREATE = 0, 1, 2  # places to attach them to
_ENTRIES = 4096
# Each costs every packet of the cgroup 0.05 to 0.15 µs, on a host where all tasks share one also
# those of others; further tasks do without.
_COUNTERS_AT_MOST = 8
# (process and thread, time since boot), and for datagrams (bytes received, bytes sent)
_STREAM_WORDS, _DATAGRAM_WORDS = 2, 4
_RECEIVED, _SENT = 16, 24  # where in the value
_TYPE = 8  # in struct bpf_sock
_LENGTH, _PROTOCOL, _SOCKET = 0, 16, 168  # in struct __sk_buff
_DATAGRAM = 2
_IPV6 = 0xDD86  # as the network orders it, on a machine that orders the other way
_UDP_HEADER, _IPV4_HEADER, _IPV6_HEADER = 8, 20, 40
_COOKIE_OPTION = 57
_SOL_SOCKET = 1
_CLOEXEC = 0o2000000


class Created:
    """The openers of sockets in the cgroup of process `pid`. Raises `Refused`."""

    def __init__(self, proc: "Proc", pid: "int | str") -> None:
        self._bpf = Bpf()
        try:
            # what most are refused is asked first, before it costs anything
            streams = self._bpf.map(8 * _STREAM_WORDS, _ENTRIES)
            datagrams = self._bpf.map(8 * _DATAGRAM_WORDS, _ENTRIES)
            folder = self._bpf.keep(_open_group(proc, pid))
            self._streams = Reader(self._bpf, streams, _STREAM_WORDS, _ENTRIES)
            self._datagrams = Reader(self._bpf, datagrams, _DATAGRAM_WORDS, _ENTRIES)
            programs = [(_CGROUP_SOCK, _SOCK_CREATE, _opened(streams, datagrams))]
            self.counts_datagrams = self._bpf.attached(_EGRESS, folder) < _COUNTERS_AT_MOST
            if self.counts_datagrams:
                programs += [
                    (_CGROUP_SKB, _INGRESS, _moved(datagrams, _RECEIVED)),
                    (_CGROUP_SKB, _EGRESS, _moved(datagrams, _SENT)),
                ]
            for kind, where, program in programs:
                self._bpf.attach(kind, where, b"".join(program), folder, b"tracer_sockets")
            self._try()
        except (OSError, Refused):
            self.close()
            raise

    def opener(self, cookie: int) -> "tuple[int, float] | None":
        """(pid, monotonic time) of who opened a TCP socket; None if it was not told."""
        told = self._streams.one(cookie)
        return None if told is None else (told[0] >> 32, told[1] / 1e9)

    def datagrams(self) -> "Iterator[tuple[int, int, float, int, int]]":
        """(cookie, pid, monotonic time, bytes received, sent) of each datagram socket."""
        for cookie, (who, at_ns, received, sent) in self._datagrams.all():
            yield cookie, who >> 32, at_ns / 1e9, received, sent

    def forget_datagrams(self, cookie: int) -> None:
        """Count no more of a datagram socket."""
        self._datagrams.remove(cookie)

    def close(self) -> None:
        """Take the programs out of the kernel."""
        self._bpf.close()

    def _try(self) -> None:
        """See that it works, and that processes have the numbers here by which we know them."""
        import _socket

        sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _CLOEXEC)
        try:
            (cookie,) = unpack("=Q", sock.getsockopt(_SOL_SOCKET, _COOKIE_OPTION, 8))
        finally:
            sock.close()
        found = self.opener(cookie)
        if found is None or found[0] != posix.getpid():
            raise Refused("the task's cgroup or process numbers are not the supervisor's")


def _opened(streams: int, datagrams: int) -> "Iterable[bytes]":
    """map[cookie of the socket] = (process and thread, time since boot); return 1: go on.

    The map is `datagrams` for datagram sockets, with two zeros more, else `streams`.
    """
    yield do(bpf.LOAD_WORD, 6, 1, _TYPE)  # of the socket that register 1 brings
    yield do(bpf.CALL, value=bpf.SOCKET_COOKIE)
    yield do(bpf.STORE_LONG, bpf.FRAME, 0, -8)
    yield do(bpf.CALL, value=bpf.CURRENT_PID)
    yield do(bpf.STORE_LONG, bpf.FRAME, 0, -40)
    yield do(bpf.CALL, value=bpf.KTIME)
    yield do(bpf.STORE_LONG, bpf.FRAME, 0, -32)
    yield do(bpf.STORE_VALUE, bpf.FRAME, 0, -24, 0)
    yield do(bpf.STORE_VALUE, bpf.FRAME, 0, -16, 0)
    yield bpf.load_map(1, streams)
    yield do(bpf.IF_DIFFERENT, 6, 0, 2, _DATAGRAM)
    yield bpf.load_map(1, datagrams)
    yield do(bpf.MOVE, 2, bpf.FRAME)
    yield do(bpf.ADD_VALUE, 2, value=-8)
    yield do(bpf.MOVE, 3, bpf.FRAME)
    yield do(bpf.ADD_VALUE, 3, value=-40)
    yield do(bpf.MOVE_VALUE, 4)
    yield do(bpf.CALL, value=bpf.UPDATE)
    yield do(bpf.MOVE_VALUE, 0, value=1)
    yield do(bpf.EXIT)


def _moved(datagrams: int, where: int) -> "Iterable[bytes]":
    """Add what a packet carries to the word at `where` of its socket's value; return 1: go on.

    A packet of another kind of socket takes the short way out. Headers are not counted.
    """
    head: tuple[Union[bytes, tuple[int, int, int]], ...] = (
        do(bpf.MOVE, 6, 1),
        do(bpf.LOAD_LONG, 1, 6, _SOCKET),
        (bpf.IF_EQUAL, 1, 0),  # no socket
        do(bpf.CALL, value=bpf.FULL_SOCKET),
        (bpf.IF_EQUAL, 0, 0),
        do(bpf.LOAD_WORD, 1, 0, _TYPE),
        (bpf.IF_DIFFERENT, 1, _DATAGRAM),
        do(bpf.MOVE, 1, 6),
        do(bpf.CALL, value=bpf.SOCKET_COOKIE),
        do(bpf.STORE_LONG, bpf.FRAME, 0, -8),
        bpf.load_map(1, datagrams),
        do(bpf.MOVE, 2, bpf.FRAME),
        do(bpf.ADD_VALUE, 2, value=-8),
        do(bpf.CALL, value=bpf.LOOKUP),
        (bpf.IF_EQUAL, 0, 0),
        do(bpf.LOAD_WORD, 1, 6, _LENGTH),
        do(bpf.LOAD_WORD, 2, 6, _PROTOCOL),
        do(bpf.IF_DIFFERENT, 2, 0, 1, _network_order(_IPV6)),
        do(bpf.SUBTRACT_VALUE, 1, value=_IPV6_HEADER - _IPV4_HEADER),
        do(bpf.SUBTRACT_VALUE, 1, value=_IPV4_HEADER + _UDP_HEADER),
        do(bpf.ADD_ATOMIC, 0, 1, where),
    )
    left = sum([1 if isinstance(step, tuple) else len(step) // 8 for step in head])
    for step in head:
        if isinstance(step, tuple):  # a jump to the end
            left -= 1
            yield do(step[0], step[1], 0, left, step[2])
        else:
            left -= len(step) // 8
            yield step
    yield do(bpf.MOVE_VALUE, 0, value=1)
    yield do(bpf.EXIT)


def _network_order(word: int) -> int:
    import sys

    return word if sys.byteorder == "little" else (word & 0xFF) << 8 | word >> 8


def _open_group(proc: "Proc", pid: "int | str") -> int:
    """The folder of a process's cgroup v2."""
    from tracer_hooks.supervisor.cgroup_paths import groups

    group = groups(proc, pid).get("unified")
    if group is None:
        raise Refused("no cgroup v2 is mounted")
    return posix.open(group.folder, posix.O_RDONLY | posix.O_CLOEXEC)
