"""A number of sockets, and what they moved."""


class Bytes:
    """Sockets, and what they received and sent."""

    __slots__ = ("received", "sent", "sockets")

    def __init__(self) -> None:
        self.sockets = self.received = self.sent = 0

    def add(self, sockets: int, received: int, sent: int) -> None:
        self.sockets += sockets
        self.received += received
        self.sent += sent

    def take(self, other: "Bytes") -> None:
        """Add another's."""
        self.add(other.sockets, other.received, other.sent)
