"""Who opened a socket, from the kernel at the moment of opening; needs CAP_BPF and a cgroup v2.

A program of fifteen instructions runs whenever a process of the task's cgroup opens an IP socket,
and notes process and time under the socket's cookie, which the news of its end carries too. The
task is moved nowhere, and the program goes when its file descriptor is closed: with us.
"""

import posix
from _struct import Struct, pack, unpack

from tracer_hooks.supervisor import libc
from tracer_hooks.supervisor.sources import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer_hooks.supervisor.procfs import Proc

_SYSCALL = {
    "x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "ppc64le": 361,
}  # fmt: skip
_MAP_CREATE, _MAP_LOOKUP, _PROG_LOAD, _LINK_CREATE = 0, 1, 5, 28
_LRU_HASH, _CGROUP_SOCK, _SOCK_CREATE = 9, 9, 2
_KEY, _VALUE, _ENTRIES = 8, 16, 4096
_HELPER_UPDATE, _HELPER_KTIME, _HELPER_PID, _HELPER_COOKIE = 2, 5, 14, 46
_INSTRUCTION = Struct("=BBhi")
_COOKIE_OPTION = 57
_SOL_SOCKET = 1
_CLOEXEC = 0o2000000


class Created:
    """The openers of sockets in the cgroup of process `pid`. Raises `Refused`."""

    def __init__(self, proc: "Proc", pid: "int | str") -> None:
        number = _SYSCALL.get(posix.uname().machine)
        call = libc.function("syscall")
        if number is None or call is None:
            raise Refused("bpf(2) is not known for this machine")
        self._number, self._call = number, call
        self._fds = []  # type: list[int]
        try:
            # what most are refused is asked first, before it costs anything
            self._map = self._bpf(_MAP_CREATE, pack("=5I", _LRU_HASH, _KEY, _VALUE, _ENTRIES, 0))
            folder = _open_group(proc, pid)
            self._fds.append(folder)
            import array

            self._buffer = array.array
            self._key = array.array("Q", [0])
            self._value = array.array("Q", [0, 0])
            self._question = pack(
                "=IIQQQ",
                self._map, 0, self._key.buffer_info()[0], self._value.buffer_info()[0], 0,
            )  # fmt: skip
            program = self._load()
            self._bpf(_LINK_CREATE, pack("=4I", program, folder, _SOCK_CREATE, 0))
            self._try()
        except (OSError, Refused):
            self.close()
            raise

    def opener(self, cookie: int) -> "tuple[int, float] | None":
        """(pid, monotonic time) of who opened a socket; None if it was not told."""
        self._key[0] = cookie
        if self._call(self._number, _MAP_LOOKUP, self._question, len(self._question)) != 0:  # type: ignore[operator]
            return None
        return self._value[0] >> 32, self._value[1] / 1e9

    def close(self) -> None:
        """Take the program out of the kernel."""
        for fd in reversed(self._fds):
            posix.close(fd)
        self._fds.clear()

    def _load(self) -> int:
        code = self._buffer("B", b"".join(_program(self._map)))
        license_ = self._buffer("B", b"GPL\0")
        attributes = pack(
            "=IIQQIIQII16sII",
            _CGROUP_SOCK, len(code) // _INSTRUCTION.size, code.buffer_info()[0],
            license_.buffer_info()[0], 0, 0, 0, 0, 0, b"tracer_sockets", 0, _SOCK_CREATE,
        )  # fmt: skip
        return self._bpf(_PROG_LOAD, attributes)

    def _bpf(self, command: int, attributes: bytes) -> int:
        fd = self._call(self._number, command, attributes, len(attributes))  # type: ignore[operator]
        if fd < 0:
            raise Refused("bpf(2) is refused: it needs CAP_BPF and CAP_NET_ADMIN")
        self._fds.append(int(fd))
        return int(fd)

    def _try(self) -> None:
        """See that it works, and that processes have the numbers here by which we know them."""
        import _socket

        sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _CLOEXEC)
        try:
            (cookie,) = unpack("=Q", sock.getsockopt(_SOL_SOCKET, _COOKIE_OPTION, _KEY))
        finally:
            sock.close()
        found = self.opener(cookie)
        if found is None or found[0] != posix.getpid():
            raise Refused("the task's cgroup or process numbers are not the supervisor's")


def _program(map_fd: int) -> "Iterable[bytes]":
    """map[cookie of the socket] = (process and thread, time since boot); return 1: go on."""

    def do(code: int, to: int = 0, of: int = 0, offset: int = 0, value: int = 0) -> bytes:
        return _INSTRUCTION.pack(code, of << 4 | to, offset, value)

    call, store, move, move_value, add_value = 0x85, 0x7B, 0xBF, 0xB7, 0x07
    frame = 10
    yield do(call, value=_HELPER_COOKIE)  # of the socket that register 1 brings
    yield do(store, frame, 0, -8)
    yield do(call, value=_HELPER_PID)
    yield do(store, frame, 0, -24)
    yield do(call, value=_HELPER_KTIME)
    yield do(store, frame, 0, -16)
    yield do(0x18, 1, 1, 0, map_fd)
    yield do(0)
    yield do(move, 2, frame)
    yield do(add_value, 2, value=-8)
    yield do(move, 3, frame)
    yield do(add_value, 3, value=-24)
    yield do(move_value, 4)
    yield do(call, value=_HELPER_UPDATE)
    yield do(move_value, 0, value=1)
    yield do(0x95)


def _open_group(proc: "Proc", pid: "int | str") -> int:
    """The folder of a process's cgroup v2."""
    from tracer_hooks.supervisor.cgroup_paths import groups

    group = groups(proc, pid).get("unified")
    if group is None:
        raise Refused("no cgroup v2 is mounted")
    return posix.open(group.folder, posix.O_RDONLY | posix.O_CLOEXEC)
