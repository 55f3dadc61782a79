"""The process tree of one attempt: its order, its guide lines, and what of a big one to show."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]
_MAX_DEPTH = 12


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


def branches(groups: list[Row]) -> Iterator[tuple[str, Row]]:
    """As `walk`, with the lines that lead to each group in place of its depth: `│  ├─ `."""
    walked = list(walk(groups))
    lasts = [True] * len(walked)
    later: list[bool] = []  # by depth: whether a sibling comes later
    for place in range(len(walked) - 1, -1, -1):
        depth = walked[place][0]
        del later[depth + 1 :]
        later += [False] * (depth + 1 - len(later))
        lasts[place] = not later[depth]
        later[depth] = True
    above: list[bool] = []
    for (depth, row), last in zip(walked, lasts, strict=True):
        del above[depth:]
        above.append(last)
        yield _guide(above), row


def _guide(lasts: list[bool]) -> str:
    """`lasts`: of the group and all above it, from the root, whether no sibling follows."""
    if len(lasts) < 2:
        return ""
    if len(lasts) > _MAX_DEPTH:
        return f"{'   ' * 2}… {len(lasts) - 1} deep └─ "
    lines = "".join("   " if last else "│  " for last in lasts[1:-1])
    return lines + ("└─ " if lasts[-1] else "├─ ")


def most_telling(groups: list[Row], limit: int) -> tuple[list[Row], list[Row]]:
    """At most `limit` groups with all that is above them, and the rest.

    Those that ended badly come first, then those that used the most CPU and memory.
    """
    if len(groups) <= limit:
        return groups, []
    by_id = {row["process_id"]: row for row in groups}
    chosen: set[int] = set()
    for row in sorted(groups, key=_weight, reverse=True):
        line: list[int] = []
        current: Row | None = row
        while current is not None and current["process_id"] not in chosen:
            if current["process_id"] in line:
                break
            line.append(current["process_id"])
            current = by_id.get(current["parent_id"])
        if len(chosen) + len(line) <= limit:
            chosen.update(line)
        if len(chosen) == limit:
            break
    shown = [row for row in groups if row["process_id"] in chosen]
    return shown, [row for row in groups if row["process_id"] not in chosen]


def _weight(row: Row) -> tuple[bool, float, int]:
    return bool(row["signal"]), row["cpu_s"] or 0.0, row["memory_peak_bytes"] or 0
