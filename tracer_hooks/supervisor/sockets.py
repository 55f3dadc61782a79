"""Network bytes of a task and its processes, without privileges, from the kernel's TCP sockets.

The kernel's count of opened connections says for some microseconds whether there can be anything
new; only then are the sockets dumped and sought among the tree's files. What a known socket moved
up to its end comes with the news of its destruction, so it need not be read often.
"""

import posix
import time

from tracer_hooks.supervisor.process import Process
from tracer_hooks.supervisor.sockets_bytes import Bytes
from tracer_hooks.supervisor.sockets_datagrams import Datagrams
from tracer_hooks.supervisor.sockets_holders import Holders, socket_inodes
from tracer_hooks.supervisor.sockets_later import Later
from tracer_hooks.supervisor.sockets_namespace import Namespace, namespace_of
from tracer_hooks.supervisor.sockets_openers import Openers, find_openers
from tracer_hooks.supervisor.sockets_owned import Connections
from tracer_hooks.supervisor.sources import Refused, Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from tracer_hooks.supervisor.observer import Observer
    from tracer_hooks.supervisor.process import Image

_IDLE_S = 0.05  # between checks of whether connections were opened
_FULL_S = 0.1  # between looks at the tree's sockets if none were
_ACTIVE_S = 0.01  # the same while they are, and may well be the tree's
_OTHERS_S = 0.06  # and while they seem to be others'
_ACTIVE_FOR_S = 0.5
_YOUNG_S = 1.0
_CONTESTED_S = 0.1  # between looks at who else goes to peers of the tree
_READ_S = 1.0  # sockets that stay open are read so often
_READ_WITHOUT_ENDS_S = 0.02  # the same where nobody tells of their end
# The kernel tells of an end when it has the time; the end of the task waits for that so long.
_WAIT_FOR_ENDS_S = 0.04
_ENDS_COME_S = 0.002
# CPU seconds that may be spent at once, and earned back as a share of one core.
_BURST_S = 0.15
_RESERVE_S = 0.06  # of it is kept for looks that are further apart
_SHARE = 0.003
_TOO_DEAR_S = 0.3  # as much overspent, which dumps can't be blamed for


def watch_sockets(
    observer: "Observer",
    attached: bool,
    ends: "_socket.socket | None" = None,
    privileged: bool = False,
) -> None:
    """Have the observer count network bytes; say in the record why not, if the kernel refuses.

    `ends` is a socket that hears of ended sockets already. If `privileged` the kernel is asked
    for more than everybody may know.
    """
    try:
        source = NetworkSource(observer, attached, ends, privileged)
        observer.sources.append(source)
        observer.waits.known_connection = source.has_connection
    except Refused as refused:
        observer.degraded("network", str(refused))


class NetworkSource(Source):
    """Sockets of the observer's tree. Raises `Refused` if the kernel shows none."""

    name = "sock_diag"

    def __init__(
        self,
        observer: "Observer",
        attached: bool,
        ends: "_socket.socket | None" = None,
        privileged: bool = False,
    ) -> None:
        self._observer = observer
        self._attached = attached
        self._root = observer.proc.root
        self._holders = Holders(observer.proc, observer.tree)
        self._home = namespace_of(self._root, "self") or ""
        space = Namespace(self._root, None, ends)
        self._openers: Openers | None = None
        self._datagrams: Datagrams | None = None
        if privileged and space.ends is not None:
            self._openers = find_openers(observer.proc, observer.tree, "self", self._knows_all)
            if self._openers is not None and self._openers.counts_datagrams:
                self._datagrams = Datagrams(self._openers, self._credit)
            elif self._openers is not None:
                why = "UDP is not counted: so many tasks of this cgroup have it counted already"
                observer.degraded("network", why)
        # where the kernel tells who opened a socket, nothing is left to ask
        self._later = Later(observer.tree) if self._openers is None else None
        self._all = {self._home: self._connections(space)}
        self._where = {}  # type: dict[int, str]  # the namespace of each live image
        self._refused = set()  # type: set[str]
        self._closed = Bytes()
        self._closed_unnamed = Bytes()
        self._unsure = Bytes()
        self._complete = self._all[self._home].space.ends is not None
        self._looks = 0
        self._next = self._full_at = self._settled = self._next_listing = 0.0
        # Until when connections are opened by somebody, and it may well be the tree: it has some
        # already, or new processes.
        self._active_until = self._suspect_until = 0.0
        self._grown = 0
        self._credit_s = _BURST_S
        self._behind = self._broken = False

    def _connections(self, space: Namespace) -> Connections:
        count = self._observer.ended_of
        return Connections(space, self._holders, self._credit, count, self._openers, self._later)

    def _knows_all(self) -> bool:
        """Whether the tree is told of every process."""
        return any(source.counts_processes for source in self._observer.sources)

    def has_connection(self, pid: int) -> bool:
        """Whether a process is known to hold a TCP connection; it may have one all the same."""
        return any(pid in connections.holders() for connections in self._all.values())

    def due(self) -> float:
        return self._next

    def look(self, now: float) -> None:
        if self._broken:
            return
        try:
            self._look(now)
        except Exception as error:  # the rest of the record goes on without the network
            self._breaks(error)

    def _breaks(self, error: Exception) -> None:
        self._broken = True
        self._next = float("inf")
        why = "%s: %s; what was moved after that is not counted" % (type(error).__name__, error)
        self._observer.degraded("network", why)

    def _look(self, now: float) -> None:
        if self._datagrams is not None:
            self._datagrams.look(now)
        if now < self._full_at:
            every = self._all.values()
            if all(connections.space.opened() == connections.opened for connections in every):
                self._next = now + self._idle_s()
                return
        begin = time.process_time()
        if self._later is not None:
            self._later.answer(now)
        self._look_for_namespaces()
        for connections in list(self._all.values()):
            if self._has_news(connections, now):
                self._behind = True
        if self._credit_s > 0 and (self._behind or now >= self._next_listing):
            self._take_stock(now)
        gained = (now - self._settled) * _SHARE if self._settled else 0.0
        self._settled = now
        self._credit_s = min(_BURST_S, self._credit_s + gained - (time.process_time() - begin))
        if self._credit_s < -_TOO_DEAR_S:
            self._stop_listening()
        if self._is_active(now):
            self._next = self._full_at = now + _ACTIVE_S
        else:
            others_open = now < self._active_until
            self._next = now + (_OTHERS_S if others_open else self._idle_s())
            self._full_at = now + _FULL_S

    def _take_stock(self, now: float) -> None:
        """List the tree's sockets, and dump if that shows something new."""
        self._behind = False
        begin = time.process_time()
        held = self._holders.held()
        self._next_listing = now + (time.process_time() - begin) / _SHARE
        for connections in list(self._all.values()):
            gap_s = self._gap_s(connections)
            if connections.contested():
                gap_s = min(gap_s, _CONTESTED_S)
            news = connections.opened != connections.opened_at_dump or connections.pending
            overdue = (news or len(connections)) and now - connections.dumped >= gap_s
            if overdue or connections.must_dump(held):
                self._dump(connections, held, now)
            connections.settle()

    def finish(self, now: float) -> None:
        if not self._looks:
            return
        try:
            if self._datagrams is not None:
                self._datagrams.look(now, last=True)
            for name in list(self._all):
                self._close(name)
        except Exception as error:
            self._breaks(error)
        if self._openers is not None:
            self._openers.close()
        total, unsure, unnamed = self._closed, self._unsure, self._closed_unnamed
        if unnamed.sockets or unsure.sockets:
            detail = {
                "rx_bytes": unnamed.received, "tx_bytes": unnamed.sent,
                "sockets": unnamed.sockets, "of_sockets": total.sockets,
                "not_counted_rx_bytes": unsure.received, "not_counted_tx_bytes": unsure.sent,
                "not_counted_sockets": unsure.sockets,
            }  # fmt: skip
            self._observer.spool.add(
                {"t": "e", "at": now + self._observer.since, "kind": "network_unattributed",
                 "detail": detail}
            )  # fmt: skip

    def columns(self, now: float) -> "dict[str, object]":
        if not self._looks:
            return {}
        every = [self._closed, *[connections.total for connections in self._all.values()]]
        if self._datagrams is not None:
            every.append(self._datagrams.total)
        return {
            "network_rx_bytes": _known(every, self._unsure.received, "received"),
            "network_tx_bytes": _known(every, self._unsure.sent, "sent"),
            "network_source": self._source(),
        }

    def _source(self) -> str:
        if not self._complete:
            return "sock_diag"
        return "sock_diag+destroy" if self._openers is None else "sock_diag+destroy+bpf"

    # one look

    def _idle_s(self) -> float:
        """Until the next check; a tree that sleeps is looked at when the observer looks anyway."""
        awake = any(process.changed for process in self._observer.tree.live.values())
        return _IDLE_S if awake else float("inf")

    def _stop_listening(self) -> None:
        """The host's connections are so many that to hear of each one's end costs too much."""
        self._credit_s = 0.0
        if not self._complete:
            return
        self._complete = False
        for connections in self._all.values():
            connections.space.stop_listening()
        self._observer.degraded(
            "network", "connections on this host end too often for each to be looked at"
        )

    def _is_active(self, now: float) -> bool:
        """Whether connections may come and go unseen that tell more of whose they are."""
        every = self._all.values()
        grown = self._observer.tree.seen_count
        if grown != self._grown or any(len(connections) for connections in every):
            self._grown, self._suspect_until = grown, now + _ACTIVE_FOR_S
        young = now - self._observer.started < _YOUNG_S
        if self._openers is not None and not young and self._knows_all():
            return False  # little is left to evidence: what is accepted, which listeners show
        if self._credit_s <= _RESERVE_S or now >= min(self._active_until, self._suspect_until):
            return False
        return not any(connections.peers.sure() for connections in every)

    def _has_news(self, connections: Connections, now: float) -> bool:
        unseen = connections.drain(now)
        opened = connections.space.opened()
        if connections.lost and self._complete:
            self._complete = False
            self._observer.degraded(
                "network", "more connections ended at once than the kernel's buffer could tell of"
            )
        if opened != connections.opened or unseen:
            connections.opened = opened
            self._active_until = now + _ACTIVE_FOR_S
            return True
        gap_s = self._gap_s(connections)
        if len(connections) and gap_s < _READ_S:
            self._active_until = now + _ACTIVE_FOR_S
        return (len(connections) > 0 or opened < 0) and now - connections.dumped >= gap_s

    def _gap_s(self, connections: Connections) -> float:
        told = connections.space.ends is not None and connections.opened >= 0
        return _READ_S if told else _READ_WITHOUT_ENDS_S

    def _dump(self, connections: Connections, held: "dict[int, int]", now: float) -> None:
        before = set() if self._looks else self._from_before()
        self._looks += 1
        connections.dumped = now
        connections.opened_at_dump = connections.opened
        connections.look(held, self._name, before, now)

    def _name(self, pids: "set[int]") -> "dict[int, Process | Image | None]":
        """What is known of processes of the tree, some of which it may not have met yet."""
        tree = self._observer.tree
        if any(pid not in tree.live for pid in pids):
            self._observer.scan(time.monotonic())
        known = {}  # type: dict[int, Process | Image | None]
        for pid in pids:
            known[pid] = tree.live.get(pid)
            if known[pid] is None and tree.lifecycle is not None:
                known[pid] = tree.lifecycle.image_of(pid)
        return known

    def _from_before(self) -> "set[int]":
        """The sockets that the task did not open: its processes have them, but from others."""
        if not self._attached:
            return socket_inodes(self._root, posix.getppid())
        live = list(self._observer.tree.live)
        return set().union(*[socket_inodes(self._root, pid) for pid in live])

    def _credit(self, owner: "Process | Image", received: int, sent: int) -> None:
        if isinstance(owner, Process):
            owner.changed = True
        image = owner.image if isinstance(owner, Process) else owner
        image.network_rx_bytes = (image.network_rx_bytes or 0) + received
        image.network_tx_bytes = (image.network_tx_bytes or 0) + sent
        if image.ended is not None and image.written:  # its last line may have been written
            self._observer.spool.add(image.figures_line(self._observer.since))

    # namespaces

    def _look_for_namespaces(self) -> None:
        where = {}
        for process in list(self._observer.tree.live.values()):
            name = self._where.get(process.image.id)
            if name is None:
                name = namespace_of(self._root, process.pid) or self._home
                if name not in self._all and name not in self._refused:
                    self._enter(name, process.pid)
            where[process.image.id] = name
        self._where = where
        if len(self._all) > 1:
            inhabited = set(where.values())
            for name in list(self._all):
                if name != self._home and name not in inhabited:
                    self._close(name)

    def _enter(self, name: str, pid: int) -> None:
        try:
            space = Namespace(self._root, pid)
        except Refused as refused:
            self._refused.add(name)
            self._observer.degraded(
                "network", "a process is in another network namespace; %s" % refused
            )
            return
        self._all[name] = self._connections(space)
        self._complete = self._complete and space.ends is not None

    def _close(self, name: str) -> None:
        """Take what is left in a namespace, and let go of it."""
        connections = self._all.pop(name)
        now = time.monotonic()
        connections.drain(now)
        connections.look({}, self._name, set(), now)
        until = now + _WAIT_FOR_ENDS_S
        while connections.has_moved and connections.outstanding() > 0:
            if time.monotonic() > until:
                break
            time.sleep(_ENDS_COME_S)
            connections.drain(now)
        if self._later is not None:
            self._later.answer(float("inf"))
        unsure = connections.conclude()
        for into, part in (
            (self._closed, connections.total),
            (self._closed_unnamed, connections.unnamed),
            (self._unsure, unsure),
        ):
            into.take(part)
        connections.space.close()


def _known(counted: "list[Bytes]", unsure: int, way: str) -> "int | None":
    """What was counted one way; None if nothing was, and what was not may be the task's."""
    total = sum([getattr(part, way) for part in counted])  # type: int
    return None if unsure and not total else total
