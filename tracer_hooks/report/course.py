"""The course of an attempt over time: sparklines, and a strip of what it mostly waited for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.text import Text

from tracer_hooks.report.palette import PARTS
from tracer_hooks.report.units import cores, count, duration, size

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from tracer_hooks.report.layout import Page

LABEL = 12
_LEVELS = "▁▂▃▄▅▆▇█"


def course(page: Page, timeline: pd.DataFrame) -> None:
    """One line each for cores, memory, transfer and processes, and what the time mostly was."""
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
