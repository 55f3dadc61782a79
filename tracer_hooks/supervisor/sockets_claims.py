"""Supervisors tell each other to which peers their tasks connect, and how many processes did.

What ended unseen at a peer that two tasks use may be either's; each hears of the other, and counts
none of it unless the numbers tell. They meet by the names of their sockets, which the kernel keeps
per network namespace and forgets with their owners: no file, no lock, no daemon. Whoever tells
lies can keep others from counting what they did not see.
"""

import _socket
import posix
import time
from _struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.sockets_peers import Key

_NAME = b"tracer-hooks/network/"
_CLOEXEC = 0o2000000
_TELL_S = 0.25  # between two times of telling
_AT_ONCE_S = 0.2  # who listened as little before us counts nothing that we should not know
_KEY = 18  # 16 bytes of address, 2 of port
_KEYS_IN_ONE = 200
_HELLO = b"?"
# peer, who tells, since when there is somebody to tell (monotonic), how many processes connected
# by now; its size is no multiple of a key's
_COUNT = Struct("=18s8sdIx")


class Count:
    """What one supervisor last told of one peer."""

    __slots__ = ("before", "now", "since")

    def __init__(self, since: float, number: int) -> None:
        self.since = since
        self.before = self.now = number  # when it was first told, and last


class Claims:
    """Our voice and our ear in one network namespace. Raises OSError if it can't be had."""

    def __init__(self, root: str, whose: str) -> None:
        # kept open: the process by which we find the namespace may end before it does
        path = "%s/%s/net/unix" % (root, whose)
        self._list = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        self._own = posix.urandom(8)
        self._name = _NAME + self._own.hex().encode()
        self._since = time.monotonic()
        self.counts = {}  # type: dict[Key, dict[bytes, Count]]  # by peer and by who told
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _CLOEXEC)
        self._told = 0.0
        self._greeted = False
        try:
            self._socket.setblocking(False)
            self._socket.bind(b"\0" + self._name)
            self._tell_all([_HELLO])
        except OSError:
            self.close()
            raise

    def heard(self) -> "set[Key]":
        """The peers that others have told of since the last call."""
        keys = set()  # type: set[Key]
        while True:
            try:
                data = self._socket.recv(_KEY * _KEYS_IN_ONE)
            except OSError:
                return keys
            self._greeted = self._greeted or data == _HELLO
            if len(data) == _COUNT.size:
                keys.add(self._note(data))
                continue
            for place in range(0, len(data) - _KEY + 1, _KEY):
                keys.add((data[place : place + 16], data[place + 16 : place + _KEY]))

    def _note(self, data: bytes) -> "Key":
        peer, teller, since, number = _COUNT.unpack(data)
        key = peer[:16], peer[16:]
        tellers = self.counts.setdefault(key, {})
        if teller not in tellers:
            tellers[teller] = Count(since, number)
        tellers[teller].now = number
        return key

    def of_others(self, key: "Key") -> int:
        """How many processes of other tasks have connected to a peer since we listen."""
        told = self.counts.get(key, {}).values()
        from_when = self._since - _AT_ONCE_S
        return sum([one.now - (one.before if one.since < from_when else 0) for one in told])

    @property
    def greeted(self) -> bool:
        """Whether somebody is new and knows nothing of ours; asking forgets it."""
        greeted, self._greeted = self._greeted, False
        return greeted

    def may_tell(self, now: float) -> bool:
        """Whether the last time is long enough ago."""
        return now - self._told >= _TELL_S

    def tell(self, keys: "set[Key]", now: float) -> None:
        """Tell all others in the namespace that a task of ours uses these peers."""
        self._told = now
        flat = [address + port for address, port in keys]
        self._tell_all(
            [b"".join(flat[n : n + _KEYS_IN_ONE]) for n in range(0, len(flat), _KEYS_IN_ONE)]
        )

    def tell_counts(self, counts: "dict[Key, int]") -> None:
        """Tell all others how many processes of our task have connected to these peers."""
        self._tell_all(
            [
                _COUNT.pack(address + port, self._own, self._since, number)
                for (address, port), number in counts.items()
            ]
        )

    def close(self) -> None:
        """Be silent and deaf."""
        self._socket.close()
        if self._list >= 0:
            posix.close(self._list)
            self._list = -1

    def _tell_all(self, messages: "list[bytes]") -> None:
        for name in self._others():
            for message in messages:
                try:
                    self._socket.sendto(message, b"\0" + name)
                except OSError:
                    break  # gone, or it has not listened for long: the next time

    def _others(self) -> "list[bytes]":
        parts, place = [], 0
        while True:
            part = posix.pread(self._list, 1 << 16, place)
            if not part:
                break
            parts.append(part)
            place += len(part)
        rows = b"".join(parts)
        names = [_NAME + row.split(b"\n", 1)[0] for row in rows.split(b"@" + _NAME)[1:]]
        return [name for name in names if name != self._name]


def open_claims(root: str, whose: str) -> "Claims | None":
    """The same, None if the kernel refuses; `whose` is a process in the namespace, or `self`."""
    try:
        return Claims(root, whose)
    except OSError:
        return None
