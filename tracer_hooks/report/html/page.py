"""Puts the page together: what is said in words and tables, and the data for its script."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2

from tracer_hooks.analysis.attempts import WAITS
from tracer_hooks.analysis.course import spans_of
from tracer_hooks.analysis.tables import records
from tracer_hooks.hint import store_named
from tracer_hooks.report.html import assets, sections
from tracer_hooks.report.html.cost import cost_view
from tracer_hooks.report.html.payload import numbers, packed, short
from tracer_hooks.report.html.taskpages import page_of
from tracer_hooks.report.html.taskrows import columns, shown_rows
from tracer_hooks.report.html.treemap import treemap
from tracer_hooks.report.opening import opening
from tracer_hooks.report.palette import PARTS
from tracer_hooks.report.provenance import how_we_know
from tracer_hooks.report.verdict_text import dashboard_sentence, run_sentences
from tracer_hooks.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from tracer_hooks.analysis.summary import RunReport

# So many attempts side by side can be drawn as bars of their own.
MAX_LANES = 240


def document(report: RunReport) -> str:
    """The whole HTML document."""
    rows = shown_rows(report)
    tree = treemap(report)
    return _template().render(
        assets=assets,
        version=__version__,
        opening=opening(report),
        parts=PARTS,
        totals=report.totals,
        verdict=run_sentences(report),
        dashboard=dashboard_sentence(report.dashboard),
        cost=cost_view(report),
        findings=sections.findings(report),
        contrast=sections.contrast(report),
        steps=sections.steps(report),
        tools=sections.tools(report),
        failures=sections.failures(report),
        known=how_we_know(report),
        tree=sections.tree_table(tree),
        attempt_count=len(report.tasks),
        row_count=len(rows),
        page_count=len(report.detail.tasks) if report.detail else 0,
        data=packed(_data(report, rows, tree)),
    )


def _data(report: RunReport, rows: pd.DataFrame, tree: dict[str, Any]) -> dict[str, Any]:
    spans = spans_of(report.tasks)
    detail = report.detail
    # By bars as long as each has a row, and a lane fits the page.
    each = len(rows) == len(report.tasks) and (detail is None or detail.most_at_once <= MAX_LANES)
    return {
        "run": short(str(report.run["run_id"])),
        "store": store_named(report.store),
        "parts": [[part.name, part.title] for part in PARTS],
        "tasks": columns(rows, spans[0] if spans else None),
        "end": float(round(spans[1][-1], 4)) if spans else None,
        "course": None if detail is None else _course(detail.course),
        "byStep": None if detail is None or each else _by_step(detail.course_by_step),
        "hosts": None if detail is None else _hosts(detail.hosts_course),
        "tree": tree,
        "pages": {} if detail is None else _pages(report, rows),
    }


def _course(course: pd.DataFrame) -> dict[str, Any] | None:
    if course.empty:
        return None
    return {name: numbers(course[name], 4) for name in ("end_s", "running", *WAITS)}


def _by_step(course: pd.DataFrame) -> list[dict[str, Any]]:
    """Like `_course` for each step, in the order of their first task."""
    if course.empty:
        return []
    return [
        {"step": short(step) if isinstance(step, str) else "(no step)",
         **{name: numbers(one[name], 3) for name in ("running", *WAITS)}}
        for step, one in course.groupby("step", dropna=False, sort=False)
    ]  # fmt: skip


def _hosts(course: pd.DataFrame) -> dict[str, Any] | None:
    if course.empty:
        return None
    return {name: numbers(course[name], 4) for name in ("end_s", "busy_share", "iowait_share")}


def _pages(report: RunReport, rows: pd.DataFrame) -> dict[str, Any]:
    """By place among the rows."""
    keys = zip(rows["task_id"], rows["attempt"], strict=True)
    places = {key: place for place, key in enumerate(keys)}
    assert report.detail is not None  # noqa: S101 - who calls has looked
    chosen = {(page.attempt["task_id"], page.attempt["attempt"]) for page in report.detail.tasks}
    judged = report.verdicts.tasks
    some = judged[judged["task_id"].isin([task_id for task_id, _ in chosen])]
    verdicts = {
        (row["task_id"], row["attempt"]): report.verdicts.verdict(row) for row in records(some)
    }
    found = {}
    for page in report.detail.tasks:
        key = (page.attempt["task_id"], page.attempt["attempt"])
        if key in places:
            found[str(places[key])] = page_of(page, verdicts.get(key))
    return found


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tracer_hooks.report.html", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")
