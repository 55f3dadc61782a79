"""The rows of `processes`: one for each program image, named after its tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.tools import tool_name

if TYPE_CHECKING:
    from tracer_hooks.store.spool import Line
    from tracer_hooks.tools import ToolRules

_RENAMED = {
    "id": "process_id",
    "parent": "parent_id",
    "ppid": "parent_pid",
    "start": "started_at",
    "end": "ended_at",
    "argv_src": "argv_source",
    "cpu_src": "cpu_source",
    "src": "source",
}


def process_rows(first_seen: list[Line], figures: list[Line], rules: ToolRules) -> list[Line]:
    """Rows from the `p` and `q` lines of one attempt, in the order in which they were first seen.

    Besides the table's columns a row has `replaced`: a later image exec'd in its place. A fork
    that has not exec'd bears the name of its parent's tool.
    """
    rows: dict[int, Line] = {}
    for line in first_seen:
        process_id = line.get("id")
        if isinstance(process_id, int) and process_id not in rows:
            rows[process_id] = _renamed(line)
    for line in figures:
        process_id = line.get("id")
        if isinstance(process_id, int):
            rows.setdefault(process_id, {}).update(_renamed(line))
    for row in list(rows.values()):
        before = row.get("exec_of")
        if isinstance(before, int) and before in rows:
            rows[before]["replaced"] = True
    for process_id in rows:
        _name(process_id, rows, rules)
    return list(rows.values())


def _renamed(line: Line) -> Line:
    return {_RENAMED.get(key, key): value for key, value in line.items()}


def _name(process_id: int, rows: dict[int, Line], rules: ToolRules) -> None:
    """Set `tool`: walk up the forks to an image that has a name, then name all on the way."""
    workers: list[Line] = []
    current: Any = process_id
    seen: set[int] = set()
    name = None
    while True:
        row = rows[current]
        name = row.get("tool")
        if isinstance(name, str) and row.get("named"):
            break
        parent = row.get("parent_id")
        if row.get("forked") is not True or parent not in rows or current in seen:
            name = tool_name(row.get("exe"), row.get("argv"), row.get("comm"), rules)
            workers.append(row)
            break
        seen.add(current)
        workers.append(row)
        current = parent
    for row in workers:
        row["tool"] = name
        row["named"] = True
