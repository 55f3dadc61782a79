"""Who a process was that held a socket for a moment: the tree often hears of it after its end."""

from tracer_hooks.supervisor.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tracer_hooks.supervisor.process import Image

    Tell = Callable[[Image], None]

LATER_S = 0.3  # until then the tree has heard
_TICK_S = 0.02  # what is found in /proc began up to a tick later than it seems
_ASKED_AT_MOST = 1000
_RECENT = 300  # images: what the tree heard of since the process was seen, and before it is asked


class Later:
    """Answers questions about processes of one tree."""

    def __init__(self, tree: Tree) -> None:
        # by pid: when it was there, and whom to tell
        self._asked = {}  # type: dict[int, list[tuple[float, Tell]]]
        self._heard = {}  # type: dict[int, list[Image]]  # what the tree has heard of those
        self._recent = []  # type: list[Image]
        tree.told_of_new = self._hear

    def ask(self, pid: int, at: float, tell: "Tell") -> None:
        """Have `tell` called with what process `pid`, unknown to the tree so far, was at a time."""
        if pid in self._asked:
            self._asked[pid].append((at, tell))
        elif len(self._asked) < _ASKED_AT_MOST:
            self._asked[pid] = [(at, tell)]
            self._heard[pid] = [image for image in self._recent if image.pid == pid]

    def answer(self, now: float) -> None:
        """Tell of those for which the tree had the time to hear."""
        for pid, asked in list(self._asked.items()):
            if now - asked[0][0] >= LATER_S:
                images = self._heard.pop(pid)
                for at, tell in self._asked.pop(pid):
                    image = there_at(at, images)
                    if image is not None:
                        tell(image)

    def _hear(self, image: "Image") -> None:
        self._recent.append(image)
        if len(self._recent) > 2 * _RECENT:
            del self._recent[:_RECENT]
        if image.pid in self._heard:
            self._heard[image.pid].append(image)


def there_at(at: float, images: "Iterable[Image]") -> "Image | None":
    """The latest of a pid's images that lived at a time."""
    found = None
    for image in images:
        ended = image.ended is None or at <= image.ended + _TICK_S
        if image.born - _TICK_S <= at and ended:
            found = image
    return found
