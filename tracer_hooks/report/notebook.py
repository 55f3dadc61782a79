"""A report as an object that a notebook shows, and that turns into every other format."""

from __future__ import annotations

from dataclasses import fields
from html import escape
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.summary import RunReport, summarise
from tracer_hooks.analysis.tables import records
from tracer_hooks.report import failures
from tracer_hooks.report.cost import cost_html
from tracer_hooks.report.opening import opening
from tracer_hooks.report.palette import PARTS
from tracer_hooks.report.plain_tables import NAME_WIDTH, step_table, tool_table
from tracer_hooks.report.points import points
from tracer_hooks.report.provenance import how_we_know
from tracer_hooks.report.text import fit
from tracer_hooks.report.units import (
    count,
    duration,
    percent,
    whole_percent,
)
from tracer_hooks.report.verdict_text import step_verdicts

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from tracer_hooks.analysis.tables import Tables

_ROWS = 15
# Of the notebook's own colours only, so that it reads in light and dark themes alike.
_COLORS = {"cpu": "#2e9e5b", "runnable": "#e0a100", "disk": "#d1495b", "network": "#8e5bd0"}
_STYLE = """
.th-report{font-size:13px;line-height:1.45;max-width:60em}
.th-report .th-said{margin:.4em 0}.th-report h3{margin:.2em 0 0}.th-report h4{margin:1em 0 .3em}
.th-report table{border-collapse:collapse;margin:0;font-variant-numeric:tabular-nums}
.th-report th{font-weight:500;opacity:.65}
.th-report th,.th-report td{padding:2px 10px 2px 0;text-align:right;white-space:nowrap;border:0}
.th-report th:first-child,.th-report td:first-child{text-align:left}
.th-report .th-bar{display:inline-flex;width:14em;height:.8em;vertical-align:middle}
.th-report .th-bar i{display:block;height:100%}.th-report .th-quiet{opacity:.65}
.th-report .th-idle{background:currentColor;opacity:.2}
"""


class Report(RunReport):
    """A `RunReport` that renders itself: in a notebook, as text, JSON and Markdown."""

    @classmethod
    def of(cls, report: RunReport) -> Report:
        """The same report, with the methods below and all its frames."""
        report.make()
        return cls(**{field.name: getattr(report, field.name) for field in fields(report)})

    @classmethod
    def of_run(
        cls, tables: Tables, run_id: str, store: str | os.PathLike[str] | None = None
    ) -> Report:
        """Analyse a run; see `tracer_hooks.analysis.summary.summarise`."""
        return cls.of(summarise(tables, run_id, store=store))

    def text(self, width: int = 100) -> str:
        """What `tracer-hooks report` prints, without colours."""
        from tracer_hooks.report import terminal

        return terminal.render(self, color=False, width=width)

    def to_json(self) -> str:
        """What `tracer-hooks report --format json` prints."""
        from tracer_hooks.report import json

        return json.render(self)

    def markdown(self) -> str:
        """What `tracer-hooks report --format markdown` prints."""
        from tracer_hooks.report import markdown

        return markdown.render(self)

    def __repr__(self) -> str:
        status = self.run["status"] or "status unknown"
        return (
            f"<Report of run {self.run['run_id']!r}: {count(self.totals['count'])} tasks, {status}>"
        )

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return render_html(self)


def render_html(report: RunReport) -> str:
    """A fragment of HTML that needs nothing else and runs nothing; every text is escaped."""
    begins = opening(report)
    body = [
        f"<style>{_STYLE}</style>",
        f"<h3>{escape(begins.name)}: {escape(begins.status)}</h3>",
        f'<div class="th-quiet">{escape(begins.subtitle)}</div>',
        "<h4></h4>",
        _table([label for _, label in begins.facts], [[value for value, _ in begins.facts]]),
        *(f'<div class="th-said">{escape(line)}</div>' for line in begins.said),
    ]
    if report.totals["count"]:
        body += _failures(report)
        body += ["<h4>Where the time went</h4>", _waits(report)]
        body += ["<h4>Verdicts</h4>", _verdicts(report), "<h4>Steps</h4>", _steps(report)]
        body += cost_html(report, _table)
        body += ["<h4>Tools</h4>", _tools(report), "<h4>What stands out</h4>", _findings(report)]
    known = "".join(f"<li>{escape(line)}</li>" for line in how_we_know(report))
    body.append(f'<h4>How we know</h4><ul class="th-quiet">{known}</ul>')
    return f'<div class="th-report">{"".join(body)}</div>'


def _failures(report: RunReport) -> list[str]:
    groups = [cells for _, cells in failures.group_rows(report)]
    if not groups:
        return []
    rest = len(groups) - failures.MAX_GROUPS
    said = [
        f"<li><b>{escape(subject)}</b>: {escape(text)}</li>"
        for subject, text in failures.examples(report)
    ]
    said += [f"<li>{escape(line)}</li>" for line in failures.retry_lines(report)]
    table = _table(failures.TITLES, groups[: failures.MAX_GROUPS], more=rest)
    return ["<h4>What failed</h4>", table, f"<ul>{''.join(said)}</ul>"]


def _waits(report: RunReport) -> str:
    steps = records(report.steps.head(_ROWS))
    longest = max((row["wall_s"] or 0.0 for row in steps), default=0.0)
    rows = [
        [fit(row["step"], NAME_WIDTH), duration(row["wall_s"]), _Html(_bar(row, longest)),
         *(whole_percent(row[f"{part.name}_share"]) for part in PARTS)]
        for row in steps
    ]  # fmt: skip
    titles = ["step", "wall", "", *(part.title for part in PARTS)]
    return _table(titles, rows, more=len(report.steps) - len(steps))


def _bar(row: Mapping[str, Any], longest: float) -> str:
    if row["cpu_share"] is None or not longest:
        return ""
    filled = 100 * (row["wall_s"] or 0.0) / longest
    pieces = []
    for part in PARTS:
        width = f"width:{filled * row[f'{part.name}_share']:.2f}%"
        color = _COLORS.get(part.name)
        look = (
            f'style="{width};background:{color}"' if color else f'class="th-idle" style="{width}"'
        )
        pieces.append(f"<i {look}></i>")
    return f'<span class="th-bar" aria-hidden="true">{"".join(pieces)}</span>'


def _verdicts(report: RunReport) -> str:
    rows = [
        [fit(one.step, NAME_WIDTH), one.title, percent(one.confidence), percent(one.share), one.why]
        for one in step_verdicts(report, _ROWS)
    ]
    titles = ["step", "verdict", "sure", "of its time", "because"]
    return _table(titles, rows, more=len(report.steps) - len(rows))


def _steps(report: RunReport) -> str:
    titles, rows, rest = step_table(report, _ROWS, "longest", "wall_max_s")
    return _table(titles, rows, more=rest)


def _tools(report: RunReport) -> str:
    titles, rows, rest = tool_table(report, _ROWS)
    named = [[name or _NOBODY, *cells] for name, *cells in rows]
    return _table(titles, named, more=rest)


def _findings(report: RunReport) -> str:
    items = [
        f"<li><b>{escape(point.subject)}</b>{escape(f'{point.said} {point.advice}')}</li>"
        for point in points(report)[:_ROWS]
    ]
    return f"<ul>{''.join(items)}</ul>" if items else "<div>Nothing beyond the usual.</div>"


class _Html(str):
    """Markup of our own making; anything else in a cell is text and gets escaped."""

    __slots__ = ()


_NOBODY = _Html("<em>no named process</em>")


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]], more: int = 0) -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    rest = f'<div class="th-quiet">and {count(more)} more</div>' if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def _cell(cell: str) -> str:
    return cell if isinstance(cell, _Html) else escape(cell)
