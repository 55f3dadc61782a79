"""Which process of the tree opened a socket, whether or not it lives, where the kernel tells.

The kernel tells a pid and a time. The tree remembers its latest processes, so that the pid is
theirs even if they lived a millisecond; one that it never had is somebody else's.
"""

from tracer_hooks.supervisor.sockets_created import Created
from tracer_hooks.supervisor.sockets_later import LATER_S, there_at
from tracer_hooks.supervisor.sources import Refused
from tracer_hooks.supervisor.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Union

    from tracer_hooks.supervisor.process import Image
    from tracer_hooks.supervisor.procfs import Proc

ANOTHERS = "another's"
UNTOLD = "untold"  # the socket was accepted, or opened before anybody listened
LATER = "later"  # what the tree did at that time is still to be read
_IMAGES_AT_MOST = 8192


class Openers:
    """Answers for one tree."""

    def __init__(self, created: Created, tree: Tree, complete: "Callable[[], bool]") -> None:
        """`complete` says whether the tree is told of every process."""
        self._created = created
        self._tree = tree
        self._complete = complete
        self._images = {}  # type: dict[int, list[Image]]  # by pid, the latest last
        self.counts_datagrams = created.counts_datagrams
        self.datagrams = created.datagrams
        self.forget_datagrams = created.forget_datagrams
        for process in tree.live.values():
            self._remember(process.image)
        tree.told_of_new = self._remember

    def whose(self, cookie: int, now: float) -> "Union[Image, str]":
        """The image that opened the socket, or one of the three words."""
        told = self._created.opener(cookie)
        if told is None:
            return UNTOLD
        return self.opened_by(told[0], told[1], now)

    def opened_by(self, pid: int, at: float, now: float) -> "Union[Image, str]":
        """The same for what process `pid` opened at a time."""
        image = there_at(at, self._images.get(pid, ()))
        if image is not None:
            return image
        if now - at < LATER_S:
            return LATER
        return ANOTHERS if self._complete() else UNTOLD

    def close(self) -> None:
        """Ask the kernel no more."""
        self._created.close()
        self._tree.told_of_new = None
        self._images.clear()

    def _remember(self, image: "Image") -> None:
        images = self._images.setdefault(image.pid, [])
        images.append(image)
        if len(self._images) > _IMAGES_AT_MOST:  # the oldest half, in the order they were met
            for pid in list(self._images)[: _IMAGES_AT_MOST // 2]:
                if pid not in self._tree.live:
                    del self._images[pid]


def find_openers(
    proc: "Proc", tree: Tree, pid: "int | str", complete: "Callable[[], bool]"
) -> "Openers | None":
    """The same for the cgroup of process `pid`; None if the kernel does not permit it."""
    try:
        return Openers(Created(proc, pid), tree, complete)
    except (OSError, Refused):
        return None
