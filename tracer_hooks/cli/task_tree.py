"""A task's processes as the lines of a tree: what belongs together is put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

# So many siblings of one tool that started nothing themselves become one line.
_ALIKE = 4
_DEEPEST = 24


@dataclass(frozen=True)
class Line:
    """One line: a process, or `count` alike. Times in seconds; what is not known is None."""

    depth: int
    tool: str
    count: int
    start_s: float | None
    wall_s: float | None
    cpu_s: float | None
    memory_peak_bytes: int | None
    disk_read_bytes: int | None
    disk_write_bytes: int | None
    end: str
    pid: int | None
    forked: bool


def tree(processes: list[Row], task_start: Any, limit: int) -> tuple[list[Line], int]:
    """The lines from the root down, oldest first, and how many processes did not fit in `limit`.

    A process whose parent is not known stands at the root.
    """
    known = {row["process_id"] for row in processes}
    children: dict[Any, list[Row]] = {}
    for row in processes:
        parent = row["parent_id"] if row["parent_id"] in known else None
        if parent == row["process_id"]:
            parent = None
        children.setdefault(parent, []).append(row)
    lines: list[Line] = []
    shown = 0
    stack = [(0, group) for group in reversed(_groups(children.get(None, []), children))]
    while stack and len(lines) < limit:
        depth, group = stack.pop()
        lines.append(_line(min(depth, _DEEPEST), group, task_start))
        shown += len(group)
        below = [row for member in group for row in children.get(member["process_id"], [])]
        stack += [(depth + 1, inner) for inner in reversed(_groups(below, children))]
    return lines, len(processes) - shown


def _groups(siblings: list[Row], children: dict[Any, list[Row]]) -> list[list[Row]]:
    """The siblings in order of start, those that are many and alike as one group."""
    alike: dict[tuple[str, bool], list[Row]] = {}
    for row in siblings:
        if row["process_id"] not in children:
            alike.setdefault((_name(row), bool(row["forked"])), []).append(row)
    many = {id(row): group for group in alike.values() if len(group) >= _ALIKE for row in group}
    groups: list[list[Row]] = []
    for row in sorted(siblings, key=_start):
        group = many.get(id(row))
        if group is None:
            groups.append([row])
        elif group[0] is row:
            groups.append(group)
    return groups


def _start(row: Row) -> tuple[bool, Any]:
    return (row["started_at"] is None, row["started_at"] or 0)


def _name(row: Row) -> str:
    return str(row["tool"] or row["comm"] or "?")


def _line(depth: int, group: list[Row], task_start: Any) -> Line:
    first = group[0]
    start, one = first["started_at"], len(group) == 1
    walls = [
        (row["ended_at"] - row["started_at"]).total_seconds()
        for row in group
        if row["ended_at"] and row["started_at"]
    ]
    return Line(
        depth=depth,
        tool=_name(first),
        count=len(group),
        start_s=(start - task_start).total_seconds() if start and task_start else None,
        wall_s=sum(walls) if walls else None,
        cpu_s=_sum(group, "cpu_s"),
        memory_peak_bytes=_most(group, "memory_peak_bytes"),
        disk_read_bytes=_sum(group, "disk_read_bytes"),
        disk_write_bytes=_sum(group, "disk_write_bytes"),
        end=_end(group),
        pid=first["pid"] if one else None,
        forked=bool(first["forked"]),
    )


def _sum(group: list[Row], column: str) -> Any:
    values = [row[column] for row in group if row[column] is not None]
    return sum(values) if values else None


def _most(group: list[Row], column: str) -> Any:
    return max((row[column] for row in group if row[column] is not None), default=None)


def _end(group: list[Row]) -> str:
    """How they ended, where that is worth a word: `exit 1`, `signal 9`, `3 failed`."""
    bad = [row for row in group if row["signal"] or row["exit_code"]]
    if not bad:
        return ""
    if len(group) > 1:
        return f"{len(bad)} failed"
    return f"signal {bad[0]['signal']}" if bad[0]["signal"] else f"exit {bad[0]['exit_code']}"
