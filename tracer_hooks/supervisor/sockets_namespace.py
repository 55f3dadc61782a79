"""One network namespace: its sockets to the kernel, and whether connections were opened in it."""

import posix

from tracer_hooks.supervisor import libc, sock_diag
from tracer_hooks.supervisor.sockets_claims import Claims, open_claims
from tracer_hooks.supervisor.sources import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

_CLONE_NEWNET = 0x40000000


class Namespace:
    """Dumps, notifications and the count of opened connections of a network namespace.

    `pid` is a process in it, None for our own, of whose ended sockets `ends` already hears.
    Raises `Refused`.
    """

    def __init__(
        self, root: str, pid: "int | None" = None, ends: "_socket.socket | None" = None
    ) -> None:
        self.requests: _socket.socket | None = None
        self.ends = ends
        self.claims: Claims | None = None
        self._counters = -1
        try:
            with _Inside(root, pid):
                self.requests = sock_diag.open_requests()
                if self.ends is None:  # else dumps must do
                    self.ends = sock_diag.listen()
                self.claims = open_claims(root, "self" if pid is None else "%d" % pid)
            whose = "self" if pid is None else "%d" % pid
            self._counters = posix.open(
                "%s/%s/net/snmp" % (root, whose), posix.O_RDONLY | posix.O_CLOEXEC
            )
        except OSError as error:
            if self.requests is None:
                raise Refused("sock_diag: %s" % (error.strerror or error)) from error

    def opened(self) -> int:
        """How many connections were ever opened or accepted here; -1 if the kernel won't say."""
        if self._counters < 0:
            return -1
        try:
            raw = posix.pread(self._counters, 4096, 0)
            field = raw[raw.rindex(b"\nTcp: ") :].split(None, 8)
            return int(field[5]) + int(field[6])
        except (OSError, ValueError, IndexError):
            return -1

    def dump(self) -> "list[sock_diag.Found]":
        """Every TCP socket that lives here."""
        return [] if self.requests is None else sock_diag.dump(self.requests)

    def stop_listening(self) -> None:
        """Hear no more of sockets that end."""
        if self.ends is not None:
            self.ends.close()
            self.ends = None

    def close(self) -> None:
        """Let go of the namespace, which would outlive its processes otherwise."""
        self.stop_listening()
        if self.claims is not None:
            self.claims.close()
        if self.requests is not None:
            self.requests.close()
        if self._counters >= 0:
            posix.close(self._counters)
        self.requests = None
        self._counters = -1


class _Inside:
    """For the time of a `with`, this process opens its sockets where process `pid` would."""

    def __init__(self, root: str, pid: "int | None") -> None:
        self._root = root
        self._pid = pid
        self._home = -1

    def __enter__(self) -> None:
        if self._pid is None:
            return
        flags = posix.O_RDONLY | posix.O_CLOEXEC
        there = posix.open("%s/%d/ns/net" % (self._root, self._pid), flags)
        try:
            self._home = posix.open("/proc/self/ns/net", flags)
            if not _setns(there):
                raise PermissionError(1, "entering the network namespace wants CAP_SYS_ADMIN")
        finally:
            posix.close(there)

    def __exit__(self, *_: object) -> None:
        if self._home >= 0:
            _setns(self._home)
            posix.close(self._home)


def _setns(fd: int) -> bool:
    call = libc.function("setns")
    return call is not None and call(fd, _CLONE_NEWNET) == 0  # type: ignore[operator]


def namespace_of(root: str, pid: "int | str") -> "str | None":
    """The identity of a process's network namespace; None if it is not told."""
    try:
        return posix.readlink("%s/%s/ns/net" % (root, pid))
    except OSError:
        return None
