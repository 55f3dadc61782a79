"""Small programs in the kernel by bpf(2): maps, loading, attaching to a cgroup, and the encoding.

A program and what it noted go when their file descriptors are closed: with us.
"""

import posix
from _struct import Struct, pack, unpack_from

from tracer_hooks.supervisor import libc
from tracer_hooks.supervisor.sources import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SYSCALL = {
    "x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "ppc64le": 361,
}  # fmt: skip
_MAP_CREATE, _MAP_LOOKUP, _MAP_DELETE, _PROG_LOAD, _PROG_QUERY = 0, 1, 3, 5, 16
_MAP_LOOKUP_BATCH, _LINK_CREATE = 24, 28
_LRU_HASH = 9
INSTRUCTION = Struct("=BBhi")
COOKIE = Struct("=Q")  # the key of all maps: a socket's

# helpers, and the codes of the instructions that are used
LOOKUP, UPDATE, KTIME, CURRENT_PID, SOCKET_COOKIE, FULL_SOCKET = 1, 2, 5, 14, 46, 95
CALL, EXIT, MOVE, MOVE_VALUE, ADD_VALUE, SUBTRACT_VALUE = 0x85, 0x95, 0xBF, 0xB7, 0x07, 0x17
LOAD_WORD, LOAD_LONG, STORE_LONG, STORE_VALUE, ADD_ATOMIC = 0x61, 0x79, 0x7B, 0x7A, 0xDB
JUMP, IF_EQUAL, IF_DIFFERENT = 0x05, 0x15, 0x55
FRAME = 10


def do(code: int, to: int = 0, of: int = 0, offset: int = 0, value: int = 0) -> bytes:
    """One instruction."""
    return INSTRUCTION.pack(code, of << 4 | to, offset, value)


def load_map(to: int, fd: int) -> bytes:
    """The two that put a map's address in a register."""
    return do(0x18, to, 1, 0, fd) + do(0)


class Bpf:
    """What one user of bpf(2) has in the kernel. Raises `Refused`."""

    def __init__(self) -> None:
        number = _SYSCALL.get(posix.uname().machine)
        call = libc.function("syscall")
        if number is None or call is None:
            raise Refused("bpf(2) is not known for this machine")
        self._number, self._call = number, call
        self._fds = []  # type: list[int]
        import array

        self.array = array.array

    def map(self, value_size: int, entries: int) -> int:
        """A map from socket cookies to values that forgets what was not used for longest."""
        return self._open(_MAP_CREATE, pack("=5I", _LRU_HASH, COOKIE.size, value_size, entries, 0))

    def attach(self, kind: int, where: int, code: bytes, folder: int, name: bytes) -> None:
        """Load a program of type `kind` and attach it at place `where` of the cgroup `folder`."""
        instructions = self.array("B", code)
        license_ = self.array("B", b"GPL\0")
        attributes = pack(
            "=IIQQIIQII16sII",
            kind, len(code) // INSTRUCTION.size, instructions.buffer_info()[0],
            license_.buffer_info()[0], 0, 0, 0, 0, 0, name, 0, where,
        )  # fmt: skip
        program = self._open(_PROG_LOAD, attributes)
        self._open(_LINK_CREATE, pack("=4I", program, folder, where, 0))

    def attached(self, where: int, folder: int) -> int:
        """How many programs, whosesoever, there are at place `where` of the cgroup `folder`."""
        question = pack("=IIIIQI", folder, where, 0, 0, 0, 0)
        self.call(_PROG_QUERY, question)  # the kernel puts the number where it was asked
        return int(unpack_from("=I", question, 24)[0])

    def call(self, command: int, attributes: bytes) -> int:
        """The system call: -1 if it fails."""
        return int(self._call(self._number, command, attributes, len(attributes)))  # type: ignore[operator]

    def close(self) -> None:
        """Take everything out of the kernel."""
        for fd in reversed(self._fds):
            posix.close(fd)
        self._fds.clear()

    def keep(self, fd: int) -> int:
        """Close this descriptor with the rest."""
        self._fds.append(fd)
        return fd

    def _open(self, command: int, attributes: bytes) -> int:
        fd = self.call(command, attributes)
        if fd < 0:
            raise Refused("bpf(2) is refused: it needs CAP_BPF and CAP_NET_ADMIN")
        return self.keep(fd)


class Reader:
    """Reads a map whose values are so many 64-bit words and that has so many `entries` at most."""

    def __init__(self, bpf: Bpf, map_fd: int, words: int, entries: int) -> None:
        array = bpf.array
        self._bpf, self._words = bpf, words
        self._key, self._value = array("Q", [0]), array("Q", bytes(8 * words))
        self._one = pack(
            "=IIQQQ", map_fd, 0, self._key.buffer_info()[0], self._value.buffer_info()[0], 0
        )
        self._keys = self._values = self._place = array("Q")
        self._map, self._entries = map_fd, entries

    def one(self, cookie: int) -> "tuple[int, ...] | None":
        """The value of a socket; None if it has none."""
        self._key[0] = cookie
        if self._bpf.call(_MAP_LOOKUP, self._one) != 0:
            return None
        return tuple(self._value)

    def remove(self, cookie: int) -> None:
        """Forget a socket."""
        self._key[0] = cookie
        self._bpf.call(_MAP_DELETE, self._one[:16])  # what it does not ask for must be absent

    def all(self) -> "Iterator[tuple[int, tuple[int, ...]]]":
        """(cookie, value) of every socket."""
        entries, words = self._entries, self._words
        if not self._keys:
            array = self._bpf.array
            self._keys, self._values = array("Q", bytes(8 * entries)), array("Q")
            self._values.frombytes(bytes(8 * entries * words))
            self._place = array("Q", [0])
        keys, values = self._keys, self._values
        question = pack(
            "=QQQQIIQQ",
            0, self._place.buffer_info()[0], keys.buffer_info()[0], values.buffer_info()[0],
            entries, self._map, 0, 0,
        )  # fmt: skip
        self._bpf.call(_MAP_LOOKUP_BATCH, question)  # the last part of a map counts as a failure
        for place, cookie in enumerate(keys):
            if not cookie:  # no socket has this one: here it ended
                return
            keys[place] = 0
            yield cookie, tuple(values[place * words : (place + 1) * words])
