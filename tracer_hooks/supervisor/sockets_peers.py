"""Evidence of whose the connections were that came and went between two looks.

Such a connection shows its peer and its bytes, at its end, and no owner. It is counted for the
tree if, about the time, enough connections as short were seen in the tree's hands that went to
the same peer, and none in anybody else's, and no other supervisor claims the peer. Nothing else
is guessed: what may be the tree's or not is counted apart, for no task.
"""

from tracer_hooks.supervisor.sockets_balance import Books
from tracer_hooks.supervisor.sockets_bytes import Bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.process import Image
    from tracer_hooks.supervisor.sockets_balance import Count

    Key = tuple[bytes, bytes]  # address and port of the other side

# Short connections seen to be the tree's before those count that nobody saw, and how many more for
# each that was seen in nobody's hands. Of a single task's none was so, of 271 that were seen; where
# a stranger's are as many as the tree's, it is one for three, besides those seen to be his.
_ENOUGH = 12
_ENOUGH_FOR_STRANGE = 6
_SHORT_S = 0.25  # a connection known for longer says nothing of those that nobody saw
_STRANGE = 3  # connections seen, and all with nobody of ours, before a peer is another's
# Evidence holds for the time in which it was found, at least so long.
_STRETCH_S = 2.0
_LASTS_S = 5.0  # what was found holds so long after, if nothing speaks against it
_TAINT_S = 10.0  # a stranger who was seen stays so long
_UNCLAIMED_S = 1.0  # unseen connections wait so long for the first that is seen to be ours
_PEERS_AT_MOST = 2000


class _Stretch:
    """What was seen and what was not in some seconds."""

    __slots__ = ("others", "ours", "since", "strange", "unseen")

    def __init__(self, since: float) -> None:
        self.since = since
        self.ours = self.others = self.strange = 0
        self.unseen = Bytes()

    @property
    def enough(self) -> bool:
        """Whether what was seen of the tree outweighs what was seen of nobody."""
        return self.ours >= _ENOUGH + _ENOUGH_FOR_STRANGE * self.strange

    @property
    def ample(self) -> bool:
        """Whether more would tell nothing new."""
        return self.enough and self.ours >= 2 * _ENOUGH


class _Peer:
    """A remote address and port."""

    __slots__ = (
        "before", "books", "counted", "foreign", "now", "strange", "tainted_until", "unsure",
        "used",
    )  # fmt: skip

    def __init__(self, now: float) -> None:
        self.used = self.foreign = False  # by the tree, by somebody else: ever
        self.strange = 0  # seen once with nobody of ours
        self.tainted_until = 0.0
        self.now = _Stretch(now)
        self.before = None  # type: _Stretch | None
        self.books = Books()
        self.counted = Bytes()  # as far as decided
        self.unsure = Bytes()


class Peers:
    """The peers of one network namespace. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.counted = Bytes()  # unseen, and found to be the tree's
        self.unsure = Bytes()  # unseen, and it could not be found out
        self._peers = {}  # type: dict[Key, _Peer]
        self._active = set()  # type: set[Key]  # of ours, with something new to tell others

    def is_ours(self, key: "Key") -> bool:
        """Whether the tree was ever seen to connect there."""
        peer = self._peers.get(key)
        return peer is not None and peer.used

    def sure(self) -> bool:
        """Whether enough is known for now of every peer to which connections went unseen."""
        asked = [peer.now for peer in self._peers.values() if peer.now.unseen.sockets]
        return bool(asked) and all(one.others or one.ample for one in asked)

    def uses(self, key: "Key", now: float) -> None:
        """The tree was seen to have a connection there."""
        peer = self._peer(key, now)
        peer.used = True
        peer.books.seen()
        self._active.add(key)

    def connects(self, key: "Key", image: "Image") -> None:
        """Whose such a connection was, which may be known later."""
        peer = self._peers.get(key)
        if peer is not None:
            peer.books.connects(image)

    def ended(self, key: "Key", known_s: float, now: float, received: int, sent: int) -> None:
        """A connection of the tree has ended that was known for so long, and what it moved."""
        peer = self._peer(key, now)
        peer.books.ended(received, sent)
        if known_s <= _SHORT_S:
            peer.now.ours += 1

    def another(self, key: "Key", now: float, seen: bool = False) -> None:
        """Somebody else has a connection there, which was seen, or says so."""
        peer = self._peer(key, now)
        peer.books.others_seen += seen
        peer.foreign = True
        peer.tainted_until = now + _TAINT_S
        peer.now.others += 1
        if peer.before is not None:  # he was there before he was seen
            peer.before.others += 1

    def strange(self, key: "Key", now: float) -> None:
        """A connection was seen in nobody's hands."""
        peer = self._peer(key, now)
        peer.strange += 1
        peer.now.strange += 1

    def unseen(self, key: "Key", received: int, sent: int, now: float) -> None:
        """A connection ended that nobody saw."""
        peer = self._peer(key, now)
        peer.now.unseen.add(1, received, sent)
        peer.books.unseen(received, sent)
        if peer.used:
            self._active.add(key)

    def take_active(self) -> "set[Key]":
        """The tree's peers with something new since the last call."""
        active, self._active = self._active, set()
        return active

    def all_ours(self) -> "set[Key]":
        """Every peer to which the tree was seen to connect."""
        return {key for key, peer in self._peers.items() if peer.used}

    def processes(self, keys: "set[Key]", count: "Count") -> "dict[Key, int]":
        """How many processes connected to each of these peers, where that is known."""
        found = {}
        for key in keys & set(self._peers):
            number = self._peers[key].books.processes(count)
            if number:
                found[key] = number
        return found

    def compare(self, key: "Key", count: "Count", of_others: int) -> None:
        """Others have told how many processes of theirs connected to a peer by now."""
        self._peers[key].books.compare(count, of_others)

    def conclude(self, at: float, count: "Count | None" = None) -> None:
        """The end: decide what is open. `count` says how many processes of some kinds ended."""
        for peer in self._peers.values():
            now, before = peer.now, peer.before
            if before is not None:
                self._decide(peer, before)
                lasting = now.ours or at - now.since < _LASTS_S
                if lasting and not before.others:  # it had no time to bring enough of its own
                    now.ours += before.ours
                    now.strange += before.strange
            self._decide(peer, now)
            balance = None if count is None else peer.books.balance(count)
            if balance is not None:
                peer.counted, peer.unsure = balance
            self.counted.take(peer.counted)
            self.unsure.take(peer.unsure)
        self._peers.clear()

    def _peer(self, key: "Key", now: float) -> _Peer:
        if key not in self._peers and len(self._peers) >= _PEERS_AT_MOST:
            key = (b"", b"")  # so many that nothing can be learnt of each
        peer = self._peers.get(key)
        if peer is None:
            peer = self._peers[key] = _Peer(now)
            if not key[1]:
                peer.books.close()
        stretch = peer.now
        age_s = now - stretch.since
        decided = stretch.others > 0 or stretch.enough
        if age_s >= _STRETCH_S and decided:
            if peer.before is not None:
                self._decide(peer, peer.before)
            peer.before, peer.now = stretch, _Stretch(now)
            peer.now.others += now < peer.tainted_until
        elif age_s >= _UNCLAIMED_S and not (peer.used or decided):
            self._decide(peer, stretch)  # too long ago for what is seen from now on to tell
            peer.now = _Stretch(now)
        return peer

    def _decide(self, peer: _Peer, stretch: _Stretch) -> None:
        if stretch.enough and not stretch.others:
            peer.counted.take(stretch.unseen)
        elif peer.used or not (peer.foreign or peer.strange >= _STRANGE):
            peer.unsure.take(stretch.unseen)
