"""Who held a socket for a moment, and how many ends of connections are still to be told."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracer_hooks.supervisor.process import Image
from tracer_hooks.supervisor.sockets_later import LATER_S, Later, there_at
from tracer_hooks.supervisor.sockets_untold import Untold


class Tree:
    """What Later wants of one."""

    told_of_new: Any = None


def image(pid: int, born: float, ended: float | None = None) -> Image:
    made = Image(pid, pid, 1, born)
    made.comm, made.ended = "curl", ended
    return made


def test_who_was_there_at_a_time() -> None:
    first, second, third = image(7, 1.0, 2.0), image(7, 2.0, 3.0), image(7, 9.0)
    every = [first, second, third]
    assert there_at(1.5, every) is first
    assert there_at(2.5, every) is second
    assert there_at(5.0, every) is None
    assert there_at(99.0, every) is third


def test_the_tree_may_hear_of_a_process_before_it_is_asked_for_or_after() -> None:
    tree: Any = Tree()
    later = Later(tree)
    told: list[Image] = []
    before, after, another = image(7, 1.0, 1.01), image(8, 1.0, 1.01), image(9, 1.0, 1.01)
    tree.told_of_new(before)
    later.ask(7, 1.0, told.append)
    later.ask(7, 1.005, told.append)  # with another socket
    later.ask(8, 1.0, told.append)
    later.ask(10, 1.0, told.append)
    tree.told_of_new(after)
    tree.told_of_new(another)
    later.answer(1.0 + LATER_S / 2)
    assert told == []
    later.answer(1.0 + LATER_S)
    assert told == [before, before, after]
    later.answer(99.0)
    assert told == [before, before, after]


def test_what_is_remembered_is_bounded() -> None:
    tree: Any = Tree()
    later = Later(tree)
    for pid in range(5000):
        tree.told_of_new(image(pid, 1.0))
        later.ask(pid + 10_000, 1.0, lambda _: None)
    assert len(later._recent) <= 1000
    assert len(later._asked) <= 1000


@given(
    st.lists(st.integers(0, 30), unique=True),
    st.lists(st.tuples(st.sampled_from("oedt"), st.integers(0, 30)), max_size=60),
)
def test_what_is_still_to_be_told(alive: list[int], steps: list[tuple[str, int]]) -> None:
    """Whatever is opened, ended, dumped and told in whatever order: ended less told."""
    untold = Untold()
    living, opened, ended = set(alive), 5, set[int]()
    assert not untold.began
    assert untold.number(opened) == 0
    untold.begin(set(living), opened)
    for what, number in steps:
        if what == "o":
            living.add(1000 + opened)
            opened += 1
        elif what == "e" and living:
            cookie = sorted(living)[number % len(living)]
            living.remove(cookie)
            ended.add(cookie)
        elif what == "d":
            untold.dumped(set(living))
        elif what == "t" and ended:
            cookie = sorted(ended)[number % len(ended)]
            ended.remove(cookie)
            untold.told(cookie)
        shown = untold._living
        since = {cookie for cookie in living if cookie not in shown}
        assert untold.number(opened) - len(since) == len(ended - shown)
