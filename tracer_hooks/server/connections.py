"""Connections: who says nothing, or never ends asking, makes room for who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

# A whole request must be there so long after its connection, or after the answer before it.
PATIENCE_S = 30.0
# With so many connections each new one closes another: of those that are not being answered the
# one that waits for the longest.
MOST = 200


class Connection(H11Protocol):
    """One connection. uvicorn's own limit would refuse whoever comes once others, who need not
    even have the token, hold that many; and it waits for ever for a request that has begun."""

    answers = False  # rather than waits for a request
    since = 0.0
    unsent = 0  # bytes of answers, when last looked at
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody came (uvicorn has the same narrower type)."""
        super().connection_made(transport)
        self._wait()
        others = [one for one in self.connections if isinstance(one, Connection) and one != self]
        if len(others) >= MOST:
            min(others, key=lambda one: (one.is_busy(), one.since)).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """They went."""
        self._cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """More of a request came."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._cancel()
            self.answers, self.since = True, self.loop.time()

    def on_response_complete(self) -> None:
        """A request was answered; the next may be there already."""
        self._wait()
        super().on_response_complete()

    def _wait(self) -> None:
        self._cancel()
        self.answers, self.since = False, self.loop.time()
        self.unsent = 0 if self.transport.is_closing() else self._unsent()
        self._timer = self.loop.call_later(PATIENCE_S, self._lose_patience)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _lose_patience(self) -> None:
        left = self._unsent()
        if 0 < left < self.unsent:  # an answer is on its way over a slow line
            self.unsent = left
            self._timer = self.loop.call_later(PATIENCE_S, self._lose_patience)
        else:
            self.drop()

    def _unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    def is_busy(self) -> bool:
        """Whether it is being answered, or what it was answered is still on its way."""
        return self.answers or self._unsent() > 0

    def drop(self) -> None:
        """Close it, whatever was on its way."""
        self.connections.discard(self)
        self.transport.abort()
