"""Keeping the cost of other people's processes bounded.

Two steps. Records of children of a busy process that is none of ours are dropped in the kernel,
where that costs 0.3 µs a record instead of the 3 µs of reading and judging it here. If more than
the budget still come through, listening stops for a while, and the record says so.
"""

import posix
import select

from tracer_hooks.supervisor.sources import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.observer import Observer
    from tracer_hooks.supervisor.taskstats_open import ExitMessages
    from tracer_hooks.supervisor.taskstats_owner import Owner

_MOST_BLOCKED = 60
# Reading 3,000 records a second costs 1 % of one core.
_MOST_OTHERS_PER_S = 3000
_WINDOW_S = 2.0
_PAUSE_S = 10.0
_LONGEST_PAUSE_S = 300.0


class Filter:
    """Decides what is blocked and when to pause, for one open socket."""

    def __init__(self, messages: "ExitMessages", owner: "Owner", observer: "Observer") -> None:
        self._messages = messages
        self._owner = owner
        self._observer = observer
        self._pidfds = {}  # type: dict[int, int]  # of blocked parents
        self._poll = select.poll()
        self._window_since = observer.started
        self._others = 0
        self._until = 0.0
        self._attached = True  # what is blocked, at the socket that is open now
        self._pause_s = _PAUSE_S
        self._usable = hasattr(posix, "pidfd_open")
        self.paused_ever = False
        self.used = False  # whether records went unread, so that chains of parents may have gaps

    def paused(self, now: float) -> bool:
        """Whether nothing is listened to at this time; begins again when the pause is over."""
        if not self._until:
            return False
        if now < self._until:
            return True
        try:
            self._messages.resume()
        except (OSError, Refused):
            self._until = now + self._pause_s
            return True
        self._until = 0.0
        self._window_since, self._others = now, 0
        self._forget_the_dead()  # their numbers may be ours by now
        self._attached = self._attach()  # the socket is a new one, which drops nothing yet
        return False

    def _attach(self) -> bool:
        return not self._pidfds or self._messages.block(list(self._pidfds))

    def update(self, others: int, now: float) -> None:
        """So many records of others came through; look what to do about them."""
        self._others += others
        changed = self._forget_the_dead()
        if self._usable:
            for pid in self._owner.busy_others():
                changed = self._block(pid) or changed
        if changed and not self._messages.block(list(self._pidfds)):
            self._usable = False
            self.close()
        elif not self._attached:
            self._attached = changed or self._attach()
        if now - self._window_since < _WINDOW_S:
            return
        rate = self._others / (now - self._window_since)
        self._window_since, self._others = now, 0
        if rate > _MOST_OTHERS_PER_S:
            self._pause(rate, now)

    def close(self) -> None:
        """Let go of what is open."""
        for fd in self._pidfds.values():
            self._poll.unregister(fd)
            posix.close(fd)
        self._pidfds.clear()

    def _block(self, pid: int) -> bool:
        if pid in self._pidfds or len(self._pidfds) >= _MOST_BLOCKED:
            return False
        try:
            fd = posix.pidfd_open(pid)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        self._pidfds[pid] = fd
        self.used = True
        self._poll.register(fd, select.POLLIN)
        return True

    def _forget_the_dead(self) -> bool:
        """A pid may be one of ours once its process has ended."""
        if not self._pidfds:
            return False
        dead = {fd for fd, _ in self._poll.poll(0)}
        for pid, fd in list(self._pidfds.items()):
            if fd in dead:
                del self._pidfds[pid]
                self._poll.unregister(fd)
                posix.close(fd)
        return bool(dead)

    def _pause(self, rate: float, now: float) -> None:
        if not self.paused_ever:
            why = "%d processes of others end each second: reading of them all would cost too much"
            self._observer.degraded("short processes, for a while", why % rate)
        self.paused_ever = self.used = True
        self._messages.pause()
        self._until = now + self._pause_s
        self._pause_s = min(_LONGEST_PAUSE_S, 2 * self._pause_s)
