"""From the lines of spools to the rows of tables."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any, Literal

from tracer_hooks.store.columns import Columns
from tracer_hooks.store.processes import process_rows
from tracer_hooks.store.schema import TABLES
from tracer_hooks.store.tool_totals import tool_rows
from tracer_hooks.supervisor.identifiers import unescape

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tracer_hooks.store.spool import Line, Spool
    from tracer_hooks.tools import ToolRules

Status = Literal["running", "lost"]

_CARD = [
    "pipeline",
    "engine",
    "step",
    "task_name",
    "sample",
    "tags",
    "container_image",
    "container_id",
    "cpus_requested",
    "memory_requested_bytes",
    "time_requested_s",
    "disk_requested_bytes",
    "submitted_at",
    "input_bytes",
]
_WHERE = ("host", "user", "workdir", "started_at", "capture")
_MEASURED = set(TABLES["tasks"].names) - {
    *_CARD, *_WHERE, "task_id", "attempt", "command", "status", "ended_at", "spool", "input_bytes",
} | {"container_id", "container_image", "input_bytes", "capture"}  # fmt: skip
_SEALED = _MEASURED | {"status", "ended_at"}
_STATUSES = frozenset(("succeeded", "failed", "cancelled", "lost"))
_SO_FAR = ("r", "paused")  # lines with the totals up to then
# A reading's row for one process, as the spool has it.
_PROCESS_READING = ("process_id", "cpu_s", "memory_bytes", "disk_read_bytes", "disk_write_bytes")
_ATTEMPT_IN_STEM = re.compile(r"(.*)\.(\d{1,9})\.")


class Rows:
    """The rows of many spools, ready to become tables."""

    def __init__(self, rules: ToolRules) -> None:
        self._rules = rules
        self._tables = {name: Columns(schema) for name, schema in TABLES.items()}

    def tables(self) -> dict[str, pa.Table]:
        """Every table by name, in the order of the schema; some may have no rows."""
        return {name: columns.table() for name, columns in self._tables.items()}

    def add_attempt(self, spool: Spool, unsealed: Status) -> None:
        """Add what a task attempt's spool holds; `unsealed` is its status if it has no end."""
        lines: dict[str, list[Line]] = {}
        for line in spool.lines:
            lines.setdefault(line["t"], []).append(line)
        head = lines.get("card", [{}])[0]
        card = _dict(head.get("card"))
        task_id, attempt = _identity(card, spool.file.stem)
        key = {"task_id": task_id, "attempt": attempt, "spool": spool.file.stem}

        task: Line = {name: card[name] for name in _CARD if name in card}
        task |= {name: head[name] for name in _WHERE if name in head}
        task["command"] = _command(head.get("argv"))
        readings, sealed = lines.get("r", []), lines.get("sealed")
        if sealed:
            task |= {name: value for name, value in sealed[-1].items() if name in _SEALED}
            task["status"] = _status(task)
        else:
            last = next((line for line in reversed(spool.lines) if line["t"] in _SO_FAR), None)
            if last is not None:
                task |= {name: value for name, value in last.items() if name in _MEASURED}
                task.setdefault("wall_s", last.get("elapsed_s"))
            task["status"] = unsealed
        self._tables["tasks"].add({**task, **key})

        if "p" in lines or "q" in lines:
            processes = process_rows(lines.get("p", []), lines.get("q", []), self._rules)
        else:
            processes = []
        self._add("processes", processes, key)
        interval = head.get("interval_s")
        self._add("tools", tool_rows(processes, lines.get("fold", []), interval, self._rules), key)
        self._add("readings", _readings(readings), key)
        self._add("events", map(_event, lines.get("e", [])), key)

    def add_run(self, spool: Spool, unsealed: Status) -> None:
        """Add what an adapter's record of a run holds."""
        key = {"spool": spool.file.stem}
        row: Line = {}
        end: Line = {}
        for line in spool.lines:
            if line["t"] == "run":
                row = line
            elif line["t"] == "run_end":
                end = line
            elif line["t"] == "e":
                self._tables["events"].add({**_event(line), **key})
        if not row and "status" not in end:
            return  # only events: nothing that it says is of the run as a whole
        status = end.get("status") if end else unsealed
        started, ended = row.get("started_at"), end.get("ended_at")
        self._tables["runs"].add(
            {
                **row,
                "ended_at": ended,
                "wall_s": _difference(ended, started),
                "status": status,
                "total_tasks": end.get("total_tasks"),
                **key,
            }
        )

    def add_host(self, spool: Spool) -> None:
        """Add whole-host readings: at most one a second for a host."""
        seen = set()
        for line in spool.lines:
            at = _number(line.get("at"))
            if line["t"] != "h" or at is None:
                continue
            second = (str(line.get("host")), int(at))
            if second not in seen:
                seen.add(second)
                self._tables["hosts"].add({**line, "spool": spool.file.stem})

    def _add(self, table: str, rows: Any, key: Line) -> None:
        columns = self._tables[table]
        for row in rows:
            columns.add({**row, **key})


def _identity(card: Line, stem: str) -> tuple[str, int]:
    """Task id and attempt; from the file's name where the card does not say."""
    named = _ATTEMPT_IN_STEM.match(stem)
    task_id = card.get("task_id")
    if isinstance(task_id, int) and not isinstance(task_id, bool):
        task_id = str(task_id)
    if not isinstance(task_id, str):
        task_id = unescape(named[1]) if named else stem
    attempt = card.get("attempt")
    if not isinstance(attempt, int) or isinstance(attempt, bool) or not 0 <= attempt < 1 << 31:
        attempt = int(named[2]) if named else 1
    return task_id, attempt


def _readings(lines: list[Line]) -> Iterator[Line]:
    for line in lines:
        yield line if "process_id" not in line else {**line, "process_id": None}
        rows = line.get("p")
        if isinstance(rows, list):
            when = {"at": line.get("at"), "elapsed_s": line.get("elapsed_s")}
            for row in rows:
                if isinstance(row, list) and row:
                    yield when | dict(zip(_PROCESS_READING, row, strict=False))


def _event(line: Line) -> Line:
    detail = line.get("detail")
    return {
        "at": line.get("at"),
        "kind": line.get("kind"),
        "process_id": line.get("id"),
        "detail": None if detail is None else json.dumps(detail),
    }


def _status(task: Line) -> str | None:
    status = task.get("status")
    if status in _STATUSES:
        return str(status)
    code = task.get("exit_code")
    if code is None and task.get("signal") is None:
        return None
    return "succeeded" if code == 0 and not task.get("signal") else "failed"


def _command(argv: Any) -> str | None:
    if not isinstance(argv, list) or not argv:
        return None
    return shlex.join([word for word in argv if isinstance(word, str)]) or None


def _difference(later: Any, earlier: Any) -> float | None:
    end, start = _number(later), _number(earlier)
    return None if end is None or start is None else end - start


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e300 else None


def _dict(value: Any) -> Line:
    return value if isinstance(value, dict) else {}
