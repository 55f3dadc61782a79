"""Where the time went: for each step a bar as long as its time, split by what it waited for, and
its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from tracer_hooks.analysis.tables import records
from tracer_hooks.analysis.thresholds import threshold
from tracer_hooks.report.layout import GAP, INDENT, Page, bar
from tracer_hooks.report.palette import PARTS
from tracer_hooks.report.text import fit
from tracer_hooks.report.units import duration, percent, plural, whole_percent
from tracer_hooks.report.verdict_text import step_verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.summary import RunReport

MAX_STEPS = 15
_WALL = 8
_SHARE = 6
_LEAST_BAR = 10
_VERDICT = "verdict"
_TITLES = {"runnable": "ready", "network": "net"}


def where_time_went(page: Page, report: RunReport) -> None:
    """The section; on a narrow page the verdicts stay, and the figures, then the bars go."""
    totals, steps = report.totals, records(report.steps.head(MAX_STEPS))
    page.heading("Where the time went", f"{duration(totals['wall_s'])} of wall time in tasks")
    verdicts = step_verdicts(report, MAX_STEPS)
    sure = max([len(_VERDICT), *(len(one.title) for one in verdicts)])
    most = page.width - INDENT - GAP - _WALL - GAP - sure
    names = [fit(step["step"], min(most, 28 if page.width >= 90 else 18)) for step in steps]
    name_width = max([len("step"), *(Text(name).cell_len for name in names)])
    room = most - name_width - GAP
    bar_width = room - _SHARE * len(PARTS)
    figures = bar_width >= _LEAST_BAR
    if not figures:
        bar_width = max(0, room)
    titles = [_TITLES.get(part.name, part.name) for part in PARTS] if figures else []
    heads = _row("step", name_width, "wall", Text(" " * bar_width))
    heads.append("".join(f"{title:>{_SHARE}}" for title in titles))
    page.line(heads.append(f"{'':{GAP if bar_width else 0}}{_VERDICT}"), style="dim")
    longest = max((step["wall_s"] or 0.0 for step in steps), default=0.0)
    for name, step, verdict in zip(names, steps, verdicts, strict=True):
        filled = (step["wall_s"] or 0.0) / longest if longest else 0.0
        row = _row(name, name_width, duration(step["wall_s"]), _bar(step, bar_width, filled))
        if figures:
            row.append_text(_shares(step))
        row.append(" " * (GAP if bar_width else 0))
        # What is not sure is not said as loudly.
        doubt = (verdict.confidence or 0.0) < threshold("confidence")
        page.line(row, Text(verdict.title, style="dim" if doubt else "bold"))
    rest = report.steps.iloc[MAX_STEPS:]
    if len(rest):
        more = [row["wall_s"] for row in records(rest) if row["wall_s"] is not None]
        said = f"and {plural(len(rest), 'more step')}, {duration(sum(more) if more else None)}"
        page.line((said, "dim"))
    if len(steps) > 1 and figures:
        blank = Text(" " * bar_width)
        row = _row("all", name_width, duration(totals["wall_s"]), blank)
        page.line(row, _shares(totals))
    page.legend([(part.sign * 2, part.style, part.title) for part in PARTS])
    known = totals["wall_known_share"]
    if known is not None and known < 0.9995:
        page.line((f"Shares are of the {percent(known)} of wall time that is explained.", "dim"))


def _row(name: str, name_width: int, wall: str, drawn: Text) -> Text:
    text = Text(name)
    text.append(" " * (name_width - text.cell_len + GAP)).append(f"{wall:>{_WALL}}{'':{GAP}}")
    return text.append_text(drawn)


def _bar(row: Mapping[str, Any], width: int, filled: float) -> Text:
    if row["cpu_share"] is None:
        return Text("?".ljust(width), style="dim")
    return bar([(row[f"{p.name}_share"], p.sign, p.style) for p in PARTS], width, filled)


def _shares(row: Mapping[str, Any]) -> Text:
    text = Text()
    for part in PARTS:
        share = row[f"{part.name}_share"]
        # What is nothing, or next to it, steps back.
        style = part.style if share is not None and share >= 0.1 else "dim"
        text.append(f"{whole_percent(share):>{_SHARE}}", style=style)
    return text
