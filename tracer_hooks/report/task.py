"""One attempt of a task as text: what it asked and used, its processes, its course over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.failure_evidence import explain
from tracer_hooks.analysis.tables import records
from tracer_hooks.report.course import LABEL, course
from tracer_hooks.report.events import detail_of, ending, name_of
from tracer_hooks.report.failure_sentences import evidence_lines, last_words
from tracer_hooks.report.failures import how
from tracer_hooks.report.layout import INDENT, MIN_WIDTH, Column, Page
from tracer_hooks.report.palette import STATUS_STYLES
from tracer_hooks.report.task_events import how_we_know, told
from tracer_hooks.report.task_processes import processes, tools
from tracer_hooks.report.task_use import use, waits
from tracer_hooks.report.text import clean, fit
from tracer_hooks.report.units import cpu_time, duration, moment, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.task import TaskReport
    from tracer_hooks.report.layout import Cell
    from tracer_hooks.report.task_use import Happened

_MAX_WIDTH = 160
_MAX_ATTEMPTS = 8
_CAUSES = {"oom": "out of memory", "timeout": "out of time", "unknown": "cause unknown"}


def render(report: TaskReport, *, color: bool = False, width: int = 100) -> str:
    """The page of one attempt; without `color` it holds no escape sequence."""
    page = Page(max(MIN_WIDTH, min(width, _MAX_WIDTH)))
    happened = [(row["kind"] or "", detail_of(row)) for row in records(report.events)]
    _head(page, report)
    _verdict(page, report)
    _ending(page, report, happened)
    use(page, report.attempt, happened)
    waits(page, report.attempt, happened)
    course(page, report.timeline, report.attempt, records(report.events))
    processes(page, report)
    tools(page, report)
    told(page, report)
    how_we_know(page, report.attempt, happened)
    return page.render(color=color)


def _head(page: Page, report: TaskReport) -> None:
    a, tries = report.attempt, len(report.attempts)
    name = a["task_name"] or a["task_id"]
    page.line(
        (fit(name, page.width * 3 // 5), "bold"),
        (f" · {_ended(a)}", STATUS_STYLES.get(a["status"] or "", "")),
        (f" · attempt {a['attempt']} of {tries}" if tries > 1 else "", "dim"),
        indent=0,
    )
    page.blank()
    facts = {
        "task": a["task_id"] if a["task_id"] != name else None,
        "step": a["step"],
        "sample": a["sample"],
        "tags": ", ".join(f"{key}={value}" for key, value in (a["tags"] or {}).items()),
        "run": " · ".join(clean(a[key]) for key in ("run_id", "pipeline", "engine") if a[key]),
        "started": _started(a),
        "container": a["container_image"],
        "folder": a["workdir"],
        "command": a["command"],
    }
    for label, value in facts.items():
        if value:
            shown = fit(value, page.width - INDENT - LABEL)
            page.line((label.ljust(LABEL), "dim"), shown)


def _verdict(page: Page, report: TaskReport) -> None:
    """What held it back, in one line, and what can be done about it."""
    verdict = report.verdict
    if verdict is None:
        return
    from tracer_hooks.report.verdict_text import titled, why

    page.heading("Verdict")
    said = f": {why(verdict['label'], verdict['evidence'])}." if verdict["evidence"] else "."
    advice = f" {verdict['advice']}" if verdict["advice"] else ""
    page.paragraph(said + advice, bold=titled(verdict["label"]))


def _ending(page: Page, report: TaskReport, happened: Happened) -> None:
    """Why it failed, what the last reading showed, and what was tried again."""
    failure = report.failure
    if failure is None:
        lines = ending(report.attempt, list(happened))
    else:
        evidence = explain(failure)
        lines = [*evidence_lines(failure, evidence), *last_words(failure, evidence)]
    if lines:
        page.heading("How it ended")
        for line in lines:
            page.paragraph(line)
    if len(report.attempts) > 1:
        _attempts(page, report)


def _attempts(page: Page, report: TaskReport) -> None:
    rows, this = records(report.attempts), report.attempt["attempt"]
    page.heading("Attempts")
    columns = [
        Column("", names=True, least=3), Column("ended", names=True, least=12), Column("wall"),
        Column("CPU"), Column("peak", rank=1), Column("memory asked", rank=2),
    ]  # fmt: skip
    cells: list[list[Cell]] = [
        [
            f"{row['attempt']}" + (" (this)" if row["attempt"] == this else ""),
            (row["status"] or "unknown") if row["status"] in ("succeeded", "running") else how(row),
            duration(row["wall_s"]), cpu_time(row["cpu_s"]), size(row["memory_peak_bytes"]),
            size(row["memory_requested_bytes"]),
        ]
        for row in rows[-_MAX_ATTEMPTS:]
    ]  # fmt: skip
    page.table(columns, cells)


def _ended(a: Mapping[str, Any]) -> str:
    text = a["status"] or "status unknown"
    if a["wall_s"] is not None:
        text += f" after {duration(a['wall_s'])}"
    cause = a["failure_cause"]
    if cause and cause not in ("exit_code", "signal", "cancelled"):
        text += f", {_CAUSES.get(cause) or clean(cause)}"
    if a["signal"] is not None:
        text += f", {name_of(a['signal'])}"
    elif a["exit_code"]:
        text += f", exit status {a['exit_code']}"
    return text


def _started(a: Mapping[str, Any]) -> str | None:
    if a["started_at"] is None:
        return None
    text = moment(a["started_at"]) + (f" on {clean(a['host'])}" if a["host"] else "")
    if a["submitted_at"] is not None:
        waited = (a["started_at"] - a["submitted_at"]).total_seconds()
        text += f", {duration(max(0.0, waited))} after it was submitted"
    return text
