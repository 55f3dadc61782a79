"""Processors that come into use while a task runs: hotplug, or a cpuset that grew.

What tells of every process is asked for by processor, so on a new one nobody listens yet.
"""

import posix


class Processors:
    """The processors that this process, and what it started, may run on."""

    def __init__(self) -> None:
        self._known = _allowed()

    def added(self) -> "list[int]":
        """Those that have come since the last call."""
        allowed = _allowed()
        new = sorted(allowed - self._known)
        self._known |= allowed
        return new


def why_blind(cpus: "list[int]") -> str:
    """What to say of processors that came."""
    names = ", ".join(["%d" % cpu for cpu in cpus[:8]])
    return "CPUs came into use meanwhile (%s): what ran there at first went unseen" % names


def _allowed() -> "set[int]":
    try:
        return posix.sched_getaffinity(0)
    except (AttributeError, OSError):
        return set()
