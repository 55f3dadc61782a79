"""Whose the connections were that nobody saw, by counting the processes that can have made them."""

from __future__ import annotations

import pytest

from tracer_hooks.supervisor.process import Image
from tracer_hooks.supervisor.sockets_balance import Books
from tracer_hooks.supervisor.sockets_claims import Claims

KIND = ("curl", False)
PEER = (b"\x0a\0\0\x01" + bytes(12), b"\x01\xbb")


def image(number: int) -> Image:
    made = Image(number, 1000 + number, 1, 0.0)
    made.comm, made.forked = KIND
    return made


def see(books: Books, owner: Image) -> None:
    books.seen()
    books.connects(owner)


def told(
    seen: int, unseen: list[int], processes: int | None, size: int = 1000
) -> tuple[int, int, int] | None:
    """(sockets, bytes, sockets of others) if the books balance."""
    books = Books()
    for number in range(seen):
        see(books, image(number + 1))
        books.ended(0, size)
    for sent in unseen:
        books.unseen(0, sent)
    asked = []

    def count(kinds: set[tuple[str, bool]]) -> int | None:
        asked.append(kinds)
        return processes

    balance = books.balance(count)
    assert asked in ([], [{KIND}])
    if balance is None:
        return None
    ours, rest = balance
    return ours.sockets, ours.sent, rest.sockets


def test_as_many_as_there_were_processes() -> None:
    assert told(5, [1000] * 95, 100) == (95, 95_000, 0)
    assert told(5, [1000] * 96, 100) == (96, 96_000, 0)  # one ran when the notices were not heard
    assert told(5, [1000] * 100, 100) is None
    assert told(5, [1000] * 80, 100) is None
    assert told(5, [10, 100_000] * 50, 105) == (100, 50 * 100_010, 0)  # whatever their sizes


def test_too_many_but_of_other_sizes() -> None:
    assert told(5, [1000] * 95 + [300] * 95, 100) == (95, 95_000, 95)
    assert told(5, [1000] * 95 + [1010] * 95, 100) is None


def test_few_must_agree_exactly_and_be_seen_in_part() -> None:
    assert told(1, [1000] * 3, 4) == (3, 3000, 0)
    assert told(1, [1000] * 4, 4) is None
    assert told(1, [1000] * 5, 6) is None
    assert told(2, [1000] * 5, 7) == (5, 5000, 0)


def test_if_one_was_seen_the_numbers_must_agree_to_the_last() -> None:
    assert told(1, [1000] * 299, 300) == (299, 299_000, 0)
    # one ran when the notices were not heard
    assert told(1, [1000] * 298, 300) == (298, 298_000, 0)
    assert told(1, [1000] * 297, 300) is None
    assert told(0, [1000] * 300, 300) is None


def test_not_every_process_is_known() -> None:
    assert told(5, [1000] * 95, None) is None


def test_a_process_with_several_connections_makes_their_number_tell_nothing() -> None:
    books = Books()
    one = image(1)
    for _ in range(2):
        see(books, one)
        books.ended(0, 1000)
    for _ in range(98):
        books.unseen(0, 1000)
    assert books.balance(lambda _: 100) is None


def test_a_process_that_was_gone_before_it_was_known_is_seen_all_the_same() -> None:
    books = Books()
    books.connects(image(1))
    for _ in range(3):
        books.seen()
        books.ended(0, 1000)
    for _ in range(97):
        books.unseen(0, 1000)
    balance = books.balance(lambda _: 100)
    assert balance is not None
    assert balance[0].sockets == 97


@pytest.mark.parametrize("number", [20_000, 20_001])
def test_what_is_written_is_bounded(number: int) -> None:
    books = Books()
    for owner in range(2):
        see(books, image(owner + 1))
    for _ in range(number):
        books.unseen(0, 1000)
    books.ended(0, 1000)
    assert (books.balance(lambda _: number + 2) is None) == (number > 20_000)


def shared(
    connections: int, own: int, of_others: int, sizes: tuple[int, int] = (1000, 1000)
) -> int:
    """How many of the unseen are ours, where others told how many processes of theirs connected."""
    books = Books()
    for number in range(2):
        see(books, image(number + 1))
        books.ended(0, sizes[number])
    for _ in range(connections - 2):
        books.unseen(0, 1000)
    books.compare(lambda _: own, of_others)
    balance = books.balance(lambda _: own)
    return 0 if balance is None else balance[0].sockets


def test_two_tasks_that_are_alike_have_as_many_as_they_had_processes() -> None:
    assert shared(200, own=100, of_others=100) == 98
    assert shared(210, own=100, of_others=120) == 98
    assert shared(200, own=100, of_others=0) == 0  # a stranger, of whom nobody tells
    assert shared(200, own=180, of_others=180) == 0  # not each of their processes connects
    assert shared(200, own=100, of_others=100, sizes=(1000, 2000)) == 0  # which of them matters


def test_supervisors_tell_each_other_how_many_processes_connected() -> None:
    first = Claims("/proc", "self")
    assert first.heard() == set()
    first.tell_counts({PEER: 5})  # to nobody: the next comes later
    first._since -= 1.0
    second = Claims("/proc", "self")
    first.tell_counts({PEER: 7})  # from before the second listened
    first.tell_counts({PEER: 17})
    second.tell_counts({PEER: 3})
    assert second.heard() == {PEER}
    assert second.of_others(PEER) == 10
    assert first.heard() == {PEER}
    assert first.of_others(PEER) == 3
    first.close()
    second.close()


def test_who_began_at_the_same_time_has_counted_nothing_else() -> None:
    """He may tell of a peer for the first time when most of his processes have connected."""
    first = Claims("/proc", "self")
    second = Claims("/proc", "self")
    first.tell_counts({PEER: 7})
    assert second.heard() == {PEER}
    assert second.of_others(PEER) == 7
    first.close()
    second.close()
