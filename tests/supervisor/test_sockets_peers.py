"""What ended unseen, decided from evidence alone; and what supervisors tell each other."""

from __future__ import annotations

import os
from types import SimpleNamespace

from tracer_hooks.supervisor import sock_diag, sockets_peers
from tracer_hooks.supervisor.process import Image
from tracer_hooks.supervisor.sockets_claims import Claims
from tracer_hooks.supervisor.sockets_later import Later
from tracer_hooks.supervisor.sockets_owned import Connections
from tracer_hooks.supervisor.sockets_peers import Peers

PEER = (b"\x0a\0\0\x01" + bytes(12), b"\x01\xbb")
ENOUGH = sockets_peers._ENOUGH


def told(
    ours: int, unseen: int, *, strange: int = 0, others: int = 0, known_s: float = 0.01
) -> tuple[int, int]:
    """(counted, in doubt) of `unseen` connections to a peer of which some were seen."""
    peers = Peers()
    for _ in range(ours):
        peers.uses(PEER, 1.0)
        peers.ended(PEER, known_s, 1.0, 0, 1000)
    for _ in range(strange):
        peers.strange(PEER, 1.0)
    for _ in range(others):
        peers.another(PEER, 1.0)
    for _ in range(unseen):
        peers.unseen(PEER, 0, 1000, 1.0)
    peers.conclude(1.5)
    return peers.counted.sockets, peers.unsure.sockets


def test_unseen_connections_count_if_enough_were_seen_and_no_strangers() -> None:
    assert told(ENOUGH, 100) == (100, 0)
    assert told(ENOUGH - 1, 100) == (0, 100)
    assert told(ENOUGH, 100, others=1) == (0, 100)
    assert told(ENOUGH, 100, strange=1) == (0, 100)
    assert told(3 * ENOUGH, 100, strange=1) == (100, 0)
    assert told(2, 2) == (0, 2)
    assert told(0, 3) == (0, 3)  # anybody's
    assert told(0, 3, others=1) == (0, 0)  # somebody else's


def test_long_connections_say_nothing_of_short_ones() -> None:
    assert told(50, 100, known_s=3.0) == (0, 100)


def test_evidence_holds_for_its_time() -> None:
    peers = Peers()
    for second in range(100):
        for _ in range(ENOUGH if second < 20 else 0):
            peers.uses(PEER, second)
            peers.ended(PEER, 0.01, second, 0, 1000)
        if second == 90:
            peers.another(PEER, second)
        peers.unseen(PEER, 0, 1000, second)
    peers.conclude(100.0)
    assert 15 <= peers.counted.sockets <= 20
    assert peers.counted.sockets + peers.unsure.sockets == 100


def test_a_stranger_taints_what_came_before_and_after_he_was_seen() -> None:
    peers = Peers()
    for tenth in range(300):
        now = tenth / 10
        peers.uses(PEER, now)
        peers.ended(PEER, 0.01, now, 0, 1000)
        if tenth == 150:
            peers.another(PEER, now)
        peers.unseen(PEER, 0, 1000, now)
    peers.conclude(30.0)
    assert 80 <= peers.counted.sockets <= 200
    assert peers.counted.sockets + peers.unsure.sockets == 300


def test_what_went_unseen_long_before_the_tree_came_is_not_its_own() -> None:
    peers = Peers()
    for _ in range(50):
        peers.unseen(PEER, 0, 1000, 1.0)
    for _ in range(2 * ENOUGH):
        peers.uses(PEER, 5.0)
        peers.ended(PEER, 0.01, 5.0, 0, 1000)
    peers.unseen(PEER, 0, 1000, 5.0)
    peers.conclude(5.1)
    assert peers.counted.sockets == 1


def test_many_peers_take_bounded_memory() -> None:
    peers = Peers()
    for number in range(sockets_peers._PEERS_AT_MOST * 2):
        peers.unseen((number.to_bytes(16, "big"), b"\0\1"), 0, 1, 1.0)
    assert len(peers._peers) <= sockets_peers._PEERS_AT_MOST + 1
    peers.conclude(2.0)
    assert peers.unsure.sent == sockets_peers._PEERS_AT_MOST * 2


class Stage:
    """Stands for the kernel and the processes: sockets alive, and who holds them."""

    ends = claims = None

    def opened(self) -> int:
        return -1

    def __init__(self) -> None:
        self.alive: list[sock_diag.Found] = []
        self.ours: dict[int, int] = {}
        self.late: dict[int, int] = {}
        self.strangers: set[int] = set()

    def dump(self) -> list[sock_diag.Found]:
        return self.alive

    def held(self) -> dict[int, int]:
        return self.ours

    def sought(self, wanted: set[int]) -> tuple[dict[int, int], set[int]]:
        late = {inode: pid for inode, pid in self.late.items() if inode in wanted}
        return late, wanted & self.strangers


def socket_of(number: int) -> sock_diag.Found:
    return number, 1, b"\xc0\0", PEER[1], PEER[0], os.getuid(), number, 10, 1000


def test_a_socket_is_whose_hands_it_is_found_in() -> None:
    stage = Stage()
    connections = Connections(stage, stage, lambda *_: None, lambda _: None)  # type: ignore[arg-type]
    stage.alive, stage.ours = [socket_of(1)], {1: 100}
    connections.look(stage.ours, lambda _: {}, set(), 1.0)
    assert connections.total.sent == 1000
    stage.alive, stage.ours, stage.late = [socket_of(2)], {}, {2: 101}  # a child just born
    connections.look(stage.ours, lambda _: {}, set(), 1.1)
    assert connections.total.sent == 2000
    stage.alive, stage.late, stage.strangers = [socket_of(3)], {}, {3}
    connections.look(stage.ours, lambda _: {}, set(), 1.2)
    assert connections.total.sent == 2000
    assert connections.peers._peers[PEER].foreign


def test_whose_a_connection_was_may_be_known_later() -> None:
    stage, tree = Stage(), SimpleNamespace(told_of_new=None)
    later = Later(tree)  # type: ignore[arg-type]
    connections = Connections(stage, stage, lambda *_: None, lambda _: 1, None, later)  # type: ignore[arg-type]
    stage.alive, stage.ours = [socket_of(1)], {1: 100}
    connections.look(stage.ours, lambda _: {}, set(), 1.0)
    assert connections.peers.processes({PEER}, lambda _: 1) == {}
    tree.told_of_new(Image(1, 100, 1, 0.99))
    later.answer(9.0)
    assert connections.peers.processes({PEER}, lambda _: 1) == {PEER: 1}


def test_what_is_closed_and_lingers_at_the_end_is_counted() -> None:
    """Where the last packet was lost it comes again after 0.2 s, and nobody waits for that."""
    port = b"\xc3\x50"

    def accepted(cookie: int, state: int, inode: int = 0) -> sock_diag.Found:
        return cookie, state, port, b"\x80\0", PEER[0], os.getuid(), inode, 10, 1000

    stage = Stage()
    connections = Connections(stage, stage, lambda *_: None, lambda _: None)  # type: ignore[arg-type]
    listener = (1, sock_diag.LISTEN, port, b"\0\0", bytes(16), os.getuid(), 7, 0, 0)
    before, waits = accepted(2, 9), accepted(3, 8)
    stage.ours, stage.alive = {7: 100}, [listener, before, waits]
    connections.look(stage.ours, lambda _: {}, set(), 1.0)
    stage.alive = [listener, before, waits, accepted(4, 9), accepted(5, 5)]
    connections.look(stage.ours, lambda _: {}, set(), 2.0)
    assert connections.total.sockets == 0  # their end may still tell more
    stage.alive = [listener, before, waits, accepted(5, 5), accepted(6, 4)]
    connections.look(stage.ours, lambda _: {}, set(), 3.0)
    assert connections.conclude().sockets == 0
    assert (connections.total.sockets, connections.total.sent) == (2, 2000)


def test_supervisors_hear_what_others_claim() -> None:
    first = Claims("/proc", "self")
    second = Claims("/proc", "self")
    assert first.heard() == set()
    assert first.greeted
    assert not first.greeted
    first.tell({PEER}, 10.0)
    assert not first.may_tell(10.1)
    assert first.may_tell(11.0)
    assert second.heard() == {PEER}
    assert first.heard() == set()
    second.close()
    first.tell({PEER}, 11.0)  # to nobody
    first.close()


def test_a_flood_of_claims_keeps_nobody_waiting() -> None:
    first = Claims("/proc", "self")
    second = Claims("/proc", "self")
    keys = {(number.to_bytes(16, "big"), b"\0\1") for number in range(500)}
    for _ in range(100):
        first.tell(keys, 1.0)
    assert second.heard() <= keys
    first.close()
    second.close()
