"""Telling the processes of a tree that are new, or may just have become another program."""

from tracer_hooks.supervisor.evidence import Evidence, Timer
from tracer_hooks.supervisor.sources import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.process import Process
    from tracer_hooks.supervisor.tree import Tree

_YOUNG_S = 0.5  # a fork may exec some time after it was first seen, under the same number
_TIMERS = ("timeout", "gtimeout")


class Newcomers:
    """Each look of one source asks once; what is young is told more than once."""

    def __init__(self, tree: "Tree") -> None:
        self._tree = tree
        self._seen = 0
        self._until = 0.0  # when the youngest are young no more

    def take(self, now: float) -> "list[Process]":
        """The live processes whose image is new since the last call, or young."""
        seen, self._seen = self._seen, self._tree.seen_count
        if self._seen > seen:
            self._until = now + _YOUNG_S
        elif now > self._until:
            return []
        return [
            process for process in self._tree.live.values()
            if process.image.id > seen or process.image.born > now - _YOUNG_S
        ]  # fmt: skip


class TimerSource(Source):
    """Notes each `timeout` that runs within the task, for the cause of a failure."""

    name = "timers"

    def __init__(self, tree: "Tree", evidence: Evidence) -> None:
        self._newcomers = Newcomers(tree)
        self._evidence = evidence
        self._known = set()  # type: set[int]

    def look(self, now: float) -> None:
        """Look at who is new."""
        for process in self._newcomers.take(now):
            image = process.image
            if image.comm not in _TIMERS or image.forked or not image.argv:
                continue
            if image.id not in self._known:
                self._known.add(image.id)
                self._evidence.timers.append(Timer(image))
