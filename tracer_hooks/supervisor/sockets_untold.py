"""How many connections have ended of which the kernel is still to tell: it does so when it can."""


class Untold:
    """The account of one network namespace, from its count of all connections ever opened."""

    def __init__(self) -> None:
        self._ever = None  # type: int | None  # connections at the first dump, less those opened
        self._living = set()  # type: set[int]  # cookies at the last dump, but of those told since
        self._told = 0  # ends since the first dump

    @property
    def began(self) -> bool:
        """Whether there was a dump."""
        return self._ever is not None

    def begin(self, living: "set[int]", opened: int) -> None:
        """The first dump has shown these connections when so many had been opened."""
        self._ever, self._told = len(living) - opened, 0
        self._living = living

    def dumped(self, living: "set[int]") -> None:
        """Another dump has shown these."""
        self._living = living

    def told(self, cookie: int) -> None:
        """The kernel has told of the end of one."""
        self._told += 1
        self._living.discard(cookie)

    def number(self, opened: int) -> int:
        """How many there are, about, when so many were opened; 0 if no dump was made."""
        return 0 if self._ever is None else self._ever + opened - len(self._living) - self._told
