"""What a source of further knowledge about a task looks like to the observer.

A source is one file behind this protocol: perf events, sockets, cgroups, the kernel's exit
accounting. It is chosen in `watch`, says why if it can't serve, and never raises into the task:
what it raises ends the source, is written down as degraded, and the rest goes on.
"""


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """This machine or user does not permit a source; the text says why and what would."""


class Source:
    """Base of all sources; each method may be left as it is. Times are monotonic seconds."""

    name = ""
    counts_processes = False  # True if it saw every process there was

    def due(self) -> float:
        """When the source must be looked at again, if earlier than the observer looks anyway."""
        return float("inf")

    def before_scan(self, now: float) -> None:
        """Called before each scan of the tree."""

    def look(self, now: float) -> None:
        """Called after each scan of the tree, and when due."""

    def finish(self, now: float) -> None:
        """The task has ended: take what is left. Called once, before the last rows are written."""

    def columns(self, now: float) -> "dict[str, object]":
        """Columns of `tasks` and `readings` as known now; overrides what was known without it."""
        return {}
