"""Listening to the kernel's records of threads that exit, and not to more of them than must be.

The kernel sends every exit on the CPUs that one listens to, whoever's it is. So only the CPUs of
the task's affinity mask are asked for, and records of children of a process that is known to be
none of ours are dropped by a filter in the kernel, before they cost this process anything.

What is imported here delays the command's start; what reads the records is in `taskstats`.
"""

import _socket
import posix
from _struct import pack, unpack_from

from tracer_hooks.supervisor import netlink
from tracer_hooks.supervisor.sources import Refused
from tracer_hooks.supervisor.taskstats_record import LEAST_VERSION, PPID_PLACE, find, shift

_REGISTER = 3  # TASKSTATS_CMD_ATTR_REGISTER_CPUMASK
_GET = 1
_RECEIVE_BUFFER_BYTES = 8 << 20
_SO_RCVBUF, _SO_RCVBUFFORCE, _SO_ATTACH_FILTER, _SO_DETACH_FILTER = 8, 33, 26, 27
_SO_MEMINFO, _MEMINFO_BYTES, _DROPS = 55, 36, 32
_EPERM, _EINVAL, _ENOBUFS, _EAGAIN = 1, 22, 105, 11
_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_MESSAGE_BYTES = 4096
MOST_BLOCKED = 60  # a classic filter jumps 255 instructions at most; 60 cost 0.1 µs a record


class ExitMessages:
    """The open socket. `lost` counts messages that did not fit into its buffer, whoever's."""

    def __init__(self) -> None:
        """Begin to listen; Refused says why that can't be."""
        self._open()
        self._early = []  # type: list[bytes]
        self.stats_place = 0  # where in a message the figures begin; 0 until one has come
        self.lost = 0
        self.version = 0

    def take(self, most: int) -> "list[bytes]":
        """The messages that wait, at most so many, in the order in which they were sent."""
        found, self._early = self._early, []
        receive = self._socket.recv
        while len(found) < most:
            try:
                found.append(receive(_MESSAGE_BYTES))
            except OSError as error:
                if error.errno == _ENOBUFS:
                    self._count_lost()
                    continue
                break
        if found and not self.stats_place:
            self._learn(found)
        return found

    def has_child_of(self, pid: int) -> bool:
        """Whether a child of process `pid` has ended by now; keeps what it reads for `take`."""
        self._early = self.take(10_000)
        place = self.stats_place + PPID_PLACE + shift(self.version)
        return bool(self.stats_place) and any(
            len(data) >= place + 4 and unpack_from("I", data, place)[0] == pid
            for data in self._early
        )

    def block(self, parents: "list[int]") -> bool:
        """Have the kernel drop records of children of these; False if it can't."""
        if not self.stats_place:
            return False
        try:
            if not parents:
                self._socket.setsockopt(_socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
            else:
                self._attach(parents[:MOST_BLOCKED])
        except (OSError, ImportError, AttributeError):
            return False
        return True

    def descriptors(self) -> "list[int]":
        """What must stay open."""
        return [self._socket.fileno()]

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()

    def pause(self) -> None:
        """Listen no more, for now; what waits is dropped."""
        self._socket.close()

    def resume(self) -> None:
        """Listen again after a pause; what ended meanwhile is not known."""
        self._open()

    def _open(self) -> None:
        try:
            self._socket = netlink.open_socket(netlink.GENERIC)
        except OSError as error:
            raise Refused("netlink is refused here: %s" % error.strerror) from None
        self._socket.settimeout(1.0)
        try:
            self._listen()
        except OSError as error:
            self._socket.close()
            raise Refused("taskstats: %s" % error.strerror) from None
        except Refused:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    def _listen(self) -> None:
        family = self._family = netlink.family_id(self._socket, b"TASKSTATS")
        if family is None:
            raise Refused("this kernel was built without taskstats (CONFIG_TASKSTATS)")
        try:
            self._socket.setsockopt(_socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_BYTES)
        except OSError:
            self._socket.setsockopt(_socket.SOL_SOCKET, _SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self._register(family, sorted(posix.sched_getaffinity(0)), netlink.REQUEST | netlink.ACK)
        errno = None
        while errno is None:  # a record may come before the answer
            errno = netlink.errno_of(self._socket.recv(_MESSAGE_BYTES))
        if errno == _EPERM:
            raise Refused("taskstats needs CAP_NET_ADMIN (root has it)")
        if errno == _EINVAL:
            raise Refused("taskstats serves only the host's own user and pid namespaces")
        if errno:
            raise Refused("taskstats: errno %d" % errno)

    def add(self, cpus: "list[int]") -> None:
        """Listen to these processors too, which have come since."""
        try:
            if self._family is not None:
                self._register(self._family, cpus, netlink.REQUEST)
        except OSError:
            pass  # it has been said that something is missed

    def _register(self, family: int, cpus: "list[int]", flags: int) -> None:
        mask = _ranges(cpus).encode() + b"\0"
        self._socket.send(netlink.generic(family, _GET, netlink.attribute(_REGISTER, mask), flags))

    def _learn(self, messages: "list[bytes]") -> None:
        for data in messages:
            place = find(data)
            if place:
                self.version = unpack_from("H", data, place)[0]
                if self.version >= LEAST_VERSION:
                    self.stats_place = place
                return

    def _count_lost(self) -> None:
        try:
            info = self._socket.getsockopt(_socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO_BYTES)
            self.lost = max(self.lost + 1, int(unpack_from("I", info, _DROPS)[0]))
        except OSError:
            self.lost += 1

    def _attach(self, parents: "list[int]") -> None:
        import _ctypes

        place = self.stats_place + PPID_PLACE + shift(self.version)
        count = len(parents)
        code = pack("HBBI", _LOAD_WORD, 0, 0, place)
        for number, pid in enumerate(parents):  # a load turns the bytes into network order
            key = int.from_bytes(pack("I", pid), "big")
            code += pack("HBBI", _JUMP_EQUAL, count - number, 0, key)
        code += pack("HBBI", _RETURN, 0, 0, 0x7FFFFFFF) + pack("HBBI", _RETURN, 0, 0, 0)
        block = _buffer(len(code)).from_buffer_copy(code)  # type: ignore[attr-defined]
        program = pack("HxxxxxxQ" if _pointer_bytes() == 8 else "HxxI", count + 3,
                       _ctypes.addressof(block))  # fmt: skip
        self._socket.setsockopt(_socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _buffer(size: int) -> "object":
    from _ctypes import Array, _SimpleCData

    class Byte(_SimpleCData):  # type: ignore[type-arg]
        _type_ = "B"

    class Buffer(Array):  # type: ignore[type-arg]
        _type_ = Byte
        _length_ = size

    return Buffer


def _pointer_bytes() -> int:
    import sys

    return 8 if sys.maxsize > 1 << 32 else 4


def _ranges(cpus: "list[int]") -> str:
    """CPU numbers as the kernel writes a mask: `0-3,8`."""
    parts = []  # type: list[list[int]]
    for cpu in cpus:
        if parts and parts[-1][1] == cpu - 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return ",".join(["%d-%d" % (first, last) for first, last in parts])
