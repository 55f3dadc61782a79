"""The TCP connections of one network namespace: which are the tree's, and what they moved.

A socket that a process of the tree was seen to hold is the tree's, whatever becomes of it. One
that came and went between two looks shows only its ports and its bytes, at its end. It is the
tree's if the kernel told that a process of the tree opened it, or if it was accepted on a port at
which the tree listens. The rest is left to the evidence that there is of its peer.
"""

import posix

from tracer_hooks.supervisor.process import Process
from tracer_hooks.supervisor.sock_diag import CLOSED, LISTEN, Lost, destroyed, parse_destroyed
from tracer_hooks.supervisor.sockets_bytes import Bytes
from tracer_hooks.supervisor.sockets_holders import Holders
from tracer_hooks.supervisor.sockets_namespace import Namespace
from tracer_hooks.supervisor.sockets_openers import LATER, UNTOLD
from tracer_hooks.supervisor.sockets_peers import Peers
from tracer_hooks.supervisor.sockets_untold import Untold

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Union

    from tracer_hooks.supervisor.process import Image
    from tracer_hooks.supervisor.sockets_balance import Count
    from tracer_hooks.supervisor.sockets_later import Later
    from tracer_hooks.supervisor.sockets_openers import Openers
    from tracer_hooks.supervisor.sockets_peers import Key

    Owner = Union[Process, Image, None]
    from tracer_hooks.supervisor.sock_diag import Found

# Dumps that must not show a held socket before it counts as one that is not TCP.
_MISSES = 3
_LAST_S = 3600.0  # nothing more will be learnt of who opened what


class _Socket:
    """A socket of the tree: who moved its bytes, how many are counted, and where it went."""

    __slots__ = ("absent", "owner", "peer", "received", "seen", "sent")

    def __init__(
        self, owner: "Owner", received: int, sent: int, peer: "Key | None", seen: float
    ) -> None:
        self.owner = owner
        self.received = received
        self.sent = sent
        self.peer = peer  # None if it was accepted
        self.seen = seen
        self.absent = 0  # dumps in a row that did not show it


class Connections:
    """What is known of one namespace. `credit` is told of each process's bytes as they come."""

    def __init__(
        self,
        space: Namespace,
        holders: Holders,
        credit: "Callable[[Process | Image, int, int], None]",
        count: "Count",
        openers: "Openers | None" = None,
        later: "Later | None" = None,
    ) -> None:
        """`count` says how many processes of some kinds have ended, `later` who they were."""
        self.space = space
        self.openers = openers
        self.peers = Peers()
        self.total = Bytes()  # of the tree's sockets
        self.unnamed = Bytes()  # of these, what no process was seen to hold
        self.lost = False
        self.opened = self.opened_at_dump = -2
        self.dumped = 0.0
        self.pending = []  # type: list[Found]
        self._holders = holders
        self._credit = credit
        self._count_processes = count
        self._later = later
        self._ours = {}  # type: dict[int, _Socket]
        self._strangers = {}  # type: dict[int, int]  # cookie: how often nobody of ours held it
        self._ports = {}  # type: dict[bytes, bool]  # somebody listens: is it the tree
        self._now = 0.0
        self._missed = {}  # type: dict[int, int]  # inode: dumps that need not come again
        self._untold = Untold()
        # What was closed and not over at the last dump: mostly it waits for its last packet again.
        self._closed = {}  # type: dict[int, Found]
        self._closed_before = set()  # type: set[int]  # cookies: at the first dump already
        self._uid = posix.getuid()

    def __len__(self) -> int:
        return len(self._ours)

    def holders(self) -> "set[int]":
        """The processes that were seen to hold a connection which is still open."""
        return {ours.owner.pid for ours in self._ours.values() if ours.owner is not None}

    def drain(self, now: float) -> bool:
        """Take the news of ended sockets; True if some of them were never seen before."""
        self._now = now
        self._hear_ends()
        unseen = bool(self.pending)
        self._hear_claims()
        return unseen

    def _hear_ends(self) -> None:
        if self.space.ends is None:
            return
        try:
            for cookie, message in destroyed(self.space.ends):
                self._untold.told(cookie)
                self._closed.pop(cookie, None)
                ours = self._ours.pop(cookie, None)
                if ours is not None:
                    found = parse_destroyed(message)
                    self._count(ours, found[7], found[8])
                    if ours.peer is not None:
                        known_s = self._now - ours.seen
                        self.peers.ended(ours.peer, known_s, self._now, found[7], found[8])
                elif self._strangers.pop(cookie, 0) < 2:
                    self.pending.append(parse_destroyed(message))
        except Lost:
            self.lost = True

    def must_dump(self, held: "dict[int, int]") -> bool:
        """Whether a dump can tell something new, given the inodes of the tree's sockets.

        It can if the tree has a socket that no dump has shown, unless it was not shown so often
        that it must be of another kind.
        """
        missed = self._missed
        if len(missed) > 2 * len(held) + 100:
            self._missed = missed = {inode: missed[inode] for inode in held if inode in missed}
        return any(missed.get(inode, 0) < _MISSES for inode in held)

    def contested(self) -> bool:
        """Whether connections to the tree's peers come and go unseen: whose they are is to be seen.

        Called when they are not settled yet.
        """
        return any(self._is_peer_of_ours(found) for found in self.pending)

    def _is_peer_of_ours(self, found: "Found") -> bool:
        return self.peers.is_ours((found[4], found[3]))

    def _hear_claims(self, last: bool = False) -> None:
        """Hear who else uses which peers, and tell which the tree does."""
        claims, peers = self.space.claims, self.peers
        if claims is None:
            return
        heard = claims.heard()
        if heard and claims.counts and not last:
            self.settle()
        for key in heard:
            peers.another(key, self._now)
            if key in claims.counts and peers.is_ours(key):
                peers.compare(key, self._count_processes, claims.of_others(key))
        if last or claims.may_tell(self._now):
            keys = peers.take_active()
            if last or claims.greeted:
                keys = peers.all_ours()
            if keys:
                claims.tell(keys, self._now)
                claims.tell_counts(peers.processes(keys, self._count_processes))

    def look(
        self,
        held: "dict[int, int]",
        name: "Callable[[set[int]], dict[int, Owner]]",
        before: "set[int]",
        now: float,
    ) -> None:
        """Dump; find the owners of what is new; settle what ended unseen.

        `held` are the inodes of the tree's sockets with their pids. `name` is called with pids
        and says what is known of them; one that it does not know is of the tree all the same.
        Sockets whose inodes are in `before` had moved what they show before the task began.
        """
        self._now = now
        unknown = []
        connected = set()
        present = set()
        inodes = set()
        self._closed.clear()
        for found in self.space.dump():
            cookie = found[0]
            present.add(cookie)
            if found[1] != LISTEN:
                connected.add(cookie)
            inodes.add(found[6])
            ours = self._ours.get(cookie)
            if ours is not None:
                self._count(ours, found[7], found[8])
            elif self._strangers.get(cookie, 0) < 2:
                if found[1] in CLOSED and not found[6]:  # its end will tell, if it comes in time
                    self._closed[cookie] = found
                else:
                    unknown.append(found)
        if self._untold.began:
            self._untold.dumped(connected)
        else:
            self._untold.begin(connected, self.space.opened())
            self._closed_before.update(self._closed)
        self._forget(present)
        for inode in held:  # what is known has nothing new to show either
            self._missed[inode] = _MISSES if inode in inodes else self._missed.get(inode, 0) + 1
        if unknown:
            self._find_owners(unknown, held, name, before)
        self.settle()

    @property
    def has_moved(self) -> bool:
        """Whether the tree is known to have had a connection here, or to have waited for one."""
        return self.total.sockets > 0 or any(self._ports.values())

    def outstanding(self) -> int:
        """How many connections have ended in this namespace of which the kernel is still to tell.

        0 if that can't be known.
        """
        opened = self.space.opened()
        return 0 if self.space.ends is None or opened < 0 else self._untold.number(opened)

    def _when_known(self, pid: int, owner: "Owner", tell: "Callable[[Image], None]") -> None:
        if owner is not None:
            tell(owner.image if isinstance(owner, Process) else owner)
        elif self._later is not None:
            self._later.ask(pid, self._now, tell)

    def settle(self, last: bool = False) -> None:
        """Assign the sockets that ended unseen. The `last` time none is left for later."""
        pending, self.pending = self.pending, []
        now = self._now + (_LAST_S if last else 0.0)
        for found in pending:
            cookie, _, port, peer_port, address, _, _, received, sent = found
            listener = self._ports.get(port)
            if cookie in self._closed_before:
                listener = None  # maybe it was accepted by who listened there before the task
            if listener is not None:
                if listener:
                    self.total.add(1, received, sent)
                    self.unnamed.add(1, received, sent)
                continue
            opener = UNTOLD if self.openers is None else self.openers.whose(cookie, now)
            if opener == LATER:
                self.pending.append(found)
            elif opener == UNTOLD:
                self.peers.unseen((address, peer_port), received, sent, self._now)
            elif not isinstance(opener, str):
                self.total.add(1, received, sent)
                self._credit(opener, received, sent)

    def conclude(self) -> Bytes:
        """At the end: count what can be told, and return what can't."""
        for cookie, found in self._closed.items():
            if cookie not in self._closed_before:
                self.pending.append(found)
        self.settle(last=True)
        self._hear_claims(last=True)
        self.peers.conclude(self._now, self._count_processes)
        self.total.take(self.peers.counted)
        self.unnamed.take(self.peers.counted)
        return self.peers.unsure

    def _count(self, ours: _Socket, received: int, sent: int) -> None:
        more_received, more_sent = received - ours.received, sent - ours.sent
        ours.absent = 0
        if more_received > 0 or more_sent > 0:
            ours.received, ours.sent = received, sent
            self.total.add(0, more_received, more_sent)
            if ours.owner is None:
                self.unnamed.add(0, more_received, more_sent)
            else:
                self._credit(ours.owner, more_received, more_sent)

    def _find_owners(
        self,
        unknown: "list[Found]",
        held: "dict[int, int]",
        name: "Callable[[set[int]], dict[int, Owner]]",
        before: "set[int]",
    ) -> None:
        if any(found[6] and found[6] not in held for found in unknown):
            now_held = self._holders.held()
            now_held.update(held)
            held = now_held
        wanted = [held.get(found[6]) for found in unknown]
        owners = name({pid for pid in wanted if pid is not None})
        doubtful = {}
        for found in unknown:
            pid = held.get(found[6])
            if found[1] == LISTEN:
                self._listens(found, pid is not None)
            elif pid is not None:
                self._adopt(found, pid, owners.get(pid), found[6] in before)
            elif not found[6]:
                continue  # not accepted yet
            elif not self._is_strange(found) and self._is_peer_of_ours(found):
                doubtful[found[6]] = found
        if doubtful:  # one of ours that is new or has just ended, or another's
            ours, others = self._holders.sought(set(doubtful))
            owners = name(set(ours.values()))
            for inode, pid in ours.items():
                self._adopt(doubtful[inode], pid, owners.get(pid), False)
            for inode in others:
                self._is_strange(doubtful[inode])

    def _listens(self, found: "Found", ours: bool) -> None:
        cookie, port = found[0], found[2]
        if ours:
            self._strangers.pop(cookie, None)
            self._ports[port] = True
            return
        self._strangers[cookie] = self._strangers.get(cookie, 0) + 1
        self._ports.setdefault(port, False)  # until a later dump shows otherwise

    def _adopt(self, found: "Found", pid: int, owner: "Owner", old: bool) -> None:
        cookie, _, port, peer_port, address, _, _, received, sent = found
        self._strangers.pop(cookie, None)
        peer = None
        if port not in self._ports:  # it connected, and was not accepted
            key = peer = (address, peer_port)
            self.peers.uses(key, self._now)
            self._when_known(pid, owner, lambda image: self.peers.connects(key, image))
        ours = _Socket(owner, received if old else 0, sent if old else 0, peer, self._now)
        self._ours[cookie] = ours
        self.total.sockets += 1
        self.unnamed.sockets += owner is None
        self._count(ours, received, sent)

    def _is_strange(self, found: "Found") -> bool:
        """Nobody of ours holds it. Once may be chance, twice is another's."""
        cookie = found[0]
        # this user can't look into another's processes, so what is another's stays so
        once = cookie not in self._strangers and self._uid in (0, found[5])
        self._strangers[cookie] = 1 if once else 2
        if found[2] not in self._ports:
            key = (found[4], found[3])
            if once:
                self.peers.strange(key, self._now)
            else:
                self.peers.another(key, self._now, seen=True)
        return not once

    def _forget(self, present: "set[int]") -> None:
        """Let go of what is gone though nobody said so."""
        for cookie, ours in list(self._ours.items()):
            if cookie not in present:
                ours.absent += 1
                if ours.absent > 2:
                    del self._ours[cookie]
        if len(self._strangers) > 2 * len(present) + 100:
            strangers = self._strangers
            self._strangers = {c: strangers[c] for c in strangers if c in present}
