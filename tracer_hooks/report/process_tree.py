"""The process tree of one attempt as indented lines."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]


def walk(groups: list[Row]) -> Iterator[tuple[int, Row]]:
    """Each group with its depth, parents before children, in order of start.

    A group whose parent is not among them is a root, and so is the first of a circle: every group
    comes exactly once.
    """
    children: dict[int | None, list[Row]] = defaultdict(list)
    ids = {row["process_id"] for row in groups}
    for row in groups:
        parent = row["parent_id"]
        children[parent if parent in ids and parent != row["process_id"] else None].append(row)
    seen: set[int] = set()
    for start in [*children[None], *groups]:
        stack = [(0, start)]
        while stack:
            depth, row = stack.pop()
            if id(row) in seen:
                continue
            seen.add(id(row))
            yield depth, row
            stack += [(depth + 1, child) for child in reversed(children[row["process_id"]])]
