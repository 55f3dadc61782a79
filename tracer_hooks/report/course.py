"""The course of an attempt over time: sparklines, and a strip of what it mostly waited for."""

from __future__ import annotations

import math
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from rich.text import Text

from tracer_hooks.report.events import ELSEWHERE
from tracer_hooks.report.palette import PARTS
from tracer_hooks.report.units import cores, count, duration, size

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    import pandas as pd

    from tracer_hooks.report.layout import Page

LABEL = 12
_FIGURE = 20  # "  max 12.3 MiB/s" and the indent
_WIDEST = 160
_LEVELS = "▁▂▃▄▅▆▇█"


def spans_for(width: int) -> int:
    """How many spans a page of this width has room for beside a label and a figure."""
    return max(24, min(width, _WIDEST) - LABEL - _FIGURE)


def course(
    page: Page, timeline: pd.DataFrame, attempt: Mapping[str, Any], events: list[dict[str, Any]]
) -> None:
    """One line each for cores, memory, transfer and processes, what the time mostly was, and a
    letter at each moment that `task_events.told` explains."""
    if timeline.empty:
        return
    end = float(timeline["end_s"].iloc[-1])
    span = duration(end / len(timeline))
    page.heading("Over time", f"0 to {duration(end)}, each sign {span}")
    rows: tuple[tuple[str, str, Callable[[float | None], str]], ...] = (
        ("cores", "cores", cores),
        ("memory", "memory_bytes", size),
        ("read", "disk_read_bytes_per_s", _per_second),
        ("written", "disk_write_bytes_per_s", _per_second),
        ("received", "network_rx_bytes_per_s", _per_second),
        ("sent", "network_tx_bytes_per_s", _per_second),
        ("processes", "processes", count),
    )
    for label, column, unit in rows:
        values = [float(value) for value in timeline[column]]
        most = max((value for value in values if not math.isnan(value)), default=0.0)
        if most > 0:
            page.line(
                (label.ljust(LABEL), "dim"), sparkline(values, most),
                (f"  max {unit(most)}", "dim"),
            )  # fmt: skip
    shares = [f"{part.name}_share" for part in PARTS]
    states = timeline[shares].to_numpy(float)
    page.line(("mostly".ljust(LABEL), "dim"), _states(states))
    strip = _strip(moments(events), attempt["started_at"], end, len(timeline))
    if strip.strip():
        page.line(("moments".ljust(LABEL), "dim"), (strip, "bold"))


def moments(events: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The events that have a line of their own, each with a letter while there are letters."""
    told = [row for row in events if row["kind"] not in ELSEWHERE]
    return [
        (ascii_lowercase[place] if place < len(ascii_lowercase) else " ", row)
        for place, row in enumerate(told)
    ]


def _strip(
    lettered: list[tuple[str, dict[str, Any]]], start: dt.datetime | None, end: float, spans: int
) -> str:
    """A line of `spans` signs: letters where something happened, `+` where several things did."""
    signs = [" "] * spans
    for letter, row in lettered:
        if row["at"] is None or start is None or end <= 0:
            continue
        place = int((row["at"] - start).total_seconds() / end * spans)
        place = min(spans - 1, max(0, place))
        signs[place] = letter if signs[place] == " " else "+"
    return "".join(signs).rstrip()


def _per_second(value: float | None) -> str:
    return f"{size(value)}/s"


def sparkline(values: list[float], most: float) -> str:
    """One sign a value, its height in proportion to `most`; a gap where nothing is known."""
    signs = []
    for value in values:
        if math.isnan(value):
            signs.append(" ")
        else:
            signs.append(_LEVELS[min(7, max(0, math.ceil(8 * value / most) - 1))])
    return "".join(signs)


def _states(shares: Any) -> Text:
    """In each span the sign of what took most of it."""
    text = Text()
    for span in shares:
        if any(math.isnan(share) for share in span):
            text.append(" ")
        else:
            part = PARTS[int(span.argmax())]
            text.append(part.sign, style=part.style)
    return text
