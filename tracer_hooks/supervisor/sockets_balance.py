"""Connections that nobody saw, told by the books: as many as there were processes to make them.

A task that connects by short children has one connection for each. Where every process is known,
and those that were seen to connect to a peer are of one kind (`curl`, forks of one program), the
connections that ended there and the processes of that kind that ended must be equally many. If
they are, the connections are the tree's, however few of them a look caught. Somebody else's would
be too many. If his differ in size from those seen in the tree's hands, they are told by that.
"""

from _struct import Struct

from tracer_hooks.supervisor.sockets_bytes import Bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Union

    from tracer_hooks.supervisor.process import Image

    Count = Callable[[set[tuple[str, bool]]], Union[int, None]]

_ENTRY = Struct("=QQ")
_ENTRIES_AT_MOST = 20_000  # of one peer
_OWNERS_AT_MOST = 10_000
_FEW = 12  # below this many every one must be accounted for, and a part of them have been seen
_PART_OF_FEW = 4
_SEEN_AT_LEAST = 2  # or the numbers must agree to the last one
_TOLERANCE = 0.01  # of many: some end before the notices are heard, or after the task
# While tasks run, what is known of processes is a tenth of a second older than what is known of
# connections, and what others tell is older still.
_LAG = 0.15
_LIKE = 0.02  # sizes that differ by no more
_LIKE_BYTES = 16


class Books:
    """What is known of one peer: the tree's connections that were seen, and all that were not."""

    __slots__ = (
        "_least", "_log", "_most", "_owners", "_seen", "_several", "_shared", "others_seen",
    )  # fmt: skip

    def __init__(self) -> None:
        self._log = bytearray()
        self._owners = {}  # type: dict[int, Image]  # by its number
        self._seen = 0
        self._several = False  # a process had more than one: then counting them tells nothing
        self._least = (1 << 63, 1 << 63)  # received, sent: of the tree's that have ended
        self._most = (0, 0)
        self.others_seen = 0  # connections in the hands of others
        self._shared = False  # with others, whose numbers and ours made up all connections

    def close(self) -> None:
        """Write no more: they would tell nothing."""
        self._several = True

    def seen(self) -> None:
        """A connection of the tree was seen."""
        self._seen += 1

    def connects(self, image: "Image") -> None:
        """Whose such a connection was."""
        if image.id in self._owners or len(self._owners) >= _OWNERS_AT_MOST:
            self.close()
        else:
            self._owners[image.id] = image

    def ended(self, received: int, sent: int) -> None:
        """One of those has ended."""
        self._least = min(self._least[0], received), min(self._least[1], sent)
        self._most = max(self._most[0], received), max(self._most[1], sent)

    def unseen(self, received: int, sent: int) -> None:
        """A connection has ended that was not seen."""
        if len(self._log) >= _ENTRIES_AT_MOST * _ENTRY.size:
            self.close()
        if not self._several:
            self._log += _ENTRY.pack(received, sent)

    def processes(self, count: "Count") -> "int | None":
        """How many processes ended of the kinds that connect; None if they or some are unknown."""
        if self._several or not self._owners:
            return None
        return count({(image.comm, image.forked) for image in self._owners.values()})

    def compare(self, count: "Count", of_others: int) -> None:
        """Others have told how many processes of theirs connected by now."""
        own = self.processes(count)
        if own is not None:
            expected = own + of_others
            connections = self._seen + self.others_seen + len(self._log) // _ENTRY.size
            self._shared = abs(connections - expected) <= _LAG * expected

    def balance(self, count: "Count") -> "tuple[Bytes, Bytes] | None":
        """What of the unseen is the tree's and what is not; None if the books tell nothing.

        `count` says how many processes of some kinds there were, None if that is not known.
        """
        processes = self.processes(count)
        if processes is None or not self._log:
            return None
        entries = list(_ENTRY.iter_unpack(self._log))
        alike = [entry for entry in entries if self._is_like_ours(entry)]
        ours = None
        for chosen in (entries, alike):
            if ours is None and self._agrees(len(chosen), processes):
                ours = _sum(chosen)
        if ours is None and self._shared and self._own_are_alike():
            ours = _part(_sum(alike), processes - self._seen)
        if ours is None:
            return None
        rest = _sum(entries)
        rest.add(-ours.sockets, -ours.received, -ours.sent)
        return ours, rest

    def _agrees(self, unseen: int, processes: int) -> bool:
        connections = self._seen + unseen
        if processes < _FEW:
            return connections == processes and self._seen * _PART_OF_FEW >= processes
        off = abs(connections - processes)
        if self._seen < _SEEN_AT_LEAST:
            return off <= 1 and self._seen > 0
        return off <= max(1.0, _TOLERANCE * processes)

    def _own_are_alike(self) -> bool:
        return self._seen >= _SEEN_AT_LEAST and all(
            most - least <= _LIKE * most + _LIKE_BYTES
            for least, most in zip(self._least, self._most)
        )

    def _is_like_ours(self, entry: "tuple[int, ...]") -> bool:
        return all(
            least * (1 - _LIKE) - _LIKE_BYTES <= value <= most * (1 + _LIKE) + _LIKE_BYTES
            for value, least, most in zip(entry, self._least, self._most)
        )


def _sum(entries: "list[tuple[int, ...]]") -> Bytes:
    total = Bytes()
    total.add(len(entries), sum([one[0] for one in entries]), sum([one[1] for one in entries]))
    return total


def _part(of: Bytes, sockets: int) -> "Bytes | None":
    """So many of sockets that are all alike; None if there are not so many."""
    if not 0 <= sockets <= of.sockets:
        return None
    part = Bytes()
    if sockets:
        share = sockets / of.sockets
        part.add(sockets, round(of.received * share), round(of.sent * share))
    return part
