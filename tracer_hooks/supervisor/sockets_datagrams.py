"""What the datagram sockets (UDP, so QUIC and DNS) of the tree moved, where the kernel tells.

Its counters outlive the sockets, so they need not be read often: only before others have opened
so many that the oldest are forgotten. Those of others are forgotten at once.
"""

from tracer_hooks.supervisor.sockets_bytes import Bytes
from tracer_hooks.supervisor.sockets_openers import ANOTHERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer_hooks.supervisor.process import Image, Process
    from tracer_hooks.supervisor.sockets_openers import Openers

_EVERY_S = 1.0
_LAST_S = 3600.0  # nothing more will be learnt of who opened what


class Datagrams:
    """Reads the counters. `credit` is told of each process's bytes as they come."""

    def __init__(
        self, openers: "Openers", credit: "Callable[[Process | Image, int, int], None]"
    ) -> None:
        self.total = Bytes()
        self._openers = openers
        self._credit = credit
        self._known = {}  # type: dict[int, tuple[Image, int, int]]  # by cookie
        self._next = 0.0

    def look(self, now: float, last: bool = False) -> None:
        """Read the counters, if that is due or it is the last time."""
        if now < self._next and not last:
            return
        self._next = now + _EVERY_S
        known = {}  # type: dict[int, tuple[Image, int, int]]
        for cookie, pid, at, received, sent in list(self._openers.datagrams()):
            ours = self._known.get(cookie)
            if ours is None:
                opener = self._openers.opened_by(pid, at, now + (_LAST_S if last else 0.0))
                if isinstance(opener, str):
                    if opener == ANOTHERS:
                        self._openers.forget_datagrams(cookie)
                    continue
                ours = opener, 0, 0
            more_received, more_sent = received - ours[1], sent - ours[2]
            if more_received or more_sent:
                self.total.add(0, more_received, more_sent)
                self._credit(ours[0], more_received, more_sent)
            known[cookie] = ours[0], received, sent
        self._known = known
