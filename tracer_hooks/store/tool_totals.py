"""The rows of `tools`: what each program of an attempt took, all its processes together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tracer_hooks.tools import tool_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer_hooks.store.spool import Line
    from tracer_hooks.tools import ToolRules

_SUMS = ("cpu_s", "disk_read_bytes", "disk_write_bytes")


class _Total:
    """Sums that stay unknown until something known is added."""

    def __init__(self) -> None:
        self.count = 0
        self.folded_count = 0
        self.figures: dict[str, float] = {}
        self.memory_peak_bytes: float | None = None
        self.sources: set[str] = set()

    def add(self, name: str, value: Any) -> None:
        number = _number(value)
        if number is not None:
            self.figures[name] = self.figures.get(name, 0) + number

    def peak(self, value: Any) -> None:
        number = _number(value)
        if number is not None:
            self.memory_peak_bytes = max(number, self.memory_peak_bytes or 0)

    def row(self, tool: str) -> Line:
        return {
            "tool": tool,
            "count": self.count,
            "folded_count": self.folded_count,
            "memory_peak_bytes": self.memory_peak_bytes,
            "source": "+".join(sorted(self.sources)) or None,
            **self.figures,
        }


def tool_rows(
    processes: Iterable[Line], folds: Iterable[Line], interval_s: Any, rules: ToolRules
) -> list[Line]:
    """Rows per tool from `process_rows` and the `fold` lines of one attempt.

    `count` has every process, folded ones too; `short_count` those that lived for less than the
    polling interval; `wall_s` is the sum of lifetimes. A fork that went on to exec is one process
    with the image that it became: what it took until then counts for the tool that forked it.
    """
    totals: dict[str, _Total] = {}
    interval = _number(interval_s)
    for process in processes:
        _add_process(totals.setdefault(process["tool"], _Total()), process, interval)
    latest = {_group(fold, index): fold for index, fold in enumerate(folds)}
    for fold in latest.values():
        name = tool_name(fold.get("exe"), fold.get("argv"), fold.get("comm"), rules)
        _add_fold(totals.setdefault(name, _Total()), fold)
    return [total.row(tool) for tool, total in totals.items()]


def _add_process(total: _Total, process: Line, interval: float | None) -> None:
    became_another = process.get("forked") is True and process.get("replaced") is True
    if not became_another:
        total.count += 1
    start, end = _number(process.get("started_at")), _number(process.get("ended_at"))
    if start is not None and end is not None:
        lifetime = max(0.0, end - start)
        total.add("wall_s", lifetime)
        if interval is not None and not became_another:
            total.add("short_count", int(lifetime < interval))
    for name in _SUMS:
        total.add(name, process.get(name))
    total.peak(process.get("memory_peak_bytes"))
    if isinstance(process.get("source"), str):
        total.sources.add(process["source"])


def _add_fold(total: _Total, fold: Line) -> None:
    count = _number(fold.get("count"))
    if count is not None:
        total.count += int(count)
        total.folded_count += int(count)
    for name in (*_SUMS, "wall_s", "short_count"):
        total.add(name, fold.get(name))
    total.peak(fold.get("memory_peak_bytes"))
    if isinstance(fold.get("src"), str):
        total.sources.add(fold["src"])


def _group(fold: Line, index: int) -> Any:
    """The last line of a group stands; a line that names no group stands alone."""
    group = fold.get("n")
    return group if isinstance(group, int) else ("alone", index)


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if abs(value) < 1 << 63 else None
