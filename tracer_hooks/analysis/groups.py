"""What costs can be added up by. Imports nothing: the command line checks its options with it."""

from __future__ import annotations

from tracer_hooks.errors import UsageError

GROUPS = ("run", "pipeline", "step", "task", "tool", "sample")
TAG = "tag:"


def check_group(by: str) -> str:
    """`by` if it is one of GROUPS or `tag:KEY`. Raises UsageError."""
    if by not in GROUPS and not (by.startswith(TAG) and len(by) > len(TAG)):
        raise UsageError(f"{by!r} is not one of {', '.join(GROUPS)} or tag:KEY")
    return by


def tag_of(by: str) -> str | None:
    """The tag's key, if `by` names one."""
    return by.removeprefix(TAG) if by.startswith(TAG) else None
