"""What happened to an attempt, moment by moment, and how all that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records
from tracer_hooks.report.course import moments
from tracer_hooks.report.events import detail_of, sentence, unattributed_network
from tracer_hooks.report.provenance import degraded_line
from tracer_hooks.report.text import clean
from tracer_hooks.report.units import UNKNOWN, count, duration, plural, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer_hooks.analysis.task import TaskReport
    from tracer_hooks.report.layout import Page
    from tracer_hooks.report.task_use import Happened

MAX_EVENTS = 15


def told(page: Page, report: TaskReport) -> None:
    """Each event in a line, with its letter in the line of moments."""
    events = moments(records(report.events))
    if not events:
        return
    page.heading("Events")
    start = report.attempt["started_at"]
    for letter, row in events[:MAX_EVENTS]:
        known = row["at"] is not None and start is not None
        since = (row["at"] - start).total_seconds() if known else None
        when = UNKNOWN if since is None else f"+{duration(max(0.0, since))}"
        said = sentence(row["kind"], detail_of(row))
        page.line((letter, "bold"), f"{when:>9}  ", (clean(row["kind"]), "bold"), "  ", said)
    if len(events) > MAX_EVENTS:
        page.line((f"and {count(len(events) - MAX_EVENTS)} more", "dim"))


def how_we_know(page: Page, a: Mapping[str, Any], happened: Happened) -> None:
    """What the figures rest on, what it cost, and what the machine refused."""
    page.heading("How we know")
    seen = f"Seen by {clean(a['capture'])}" if a["capture"] else "How it was seen is unknown"
    text = f"{seen}; {plural(a['reading_count'], 'reading')}"
    text += f"; network by {clean(a['network_source'])}" if a["network_source"] else ""
    if a["events_lost"]:
        text += f"; {plural(a['events_lost'], 'kernel event')} lost"
    text += f". Observing cost {duration(a['observer_cpu_s'])} of CPU"
    text += f" and {size(a['observer_memory_bytes'])} of memory."
    page.paragraph(text, style="dim")
    for kind, detail in happened:
        if kind == "network_unattributed" and (text := unattributed_network(detail)):
            page.paragraph(text, style="dim")
    lines = dict.fromkeys(
        degraded_line(kind, _text(detail.get("what")), _text(detail.get("why")))
        for kind, detail in happened
        if kind in ("degraded", "stepped_down")
    )
    for line in list(lines)[:MAX_EVENTS]:
        page.paragraph(line, style="dim")
    if a["status"] in ("running", "lost"):
        page.paragraph(
            f"The task is {a['status']}: the figures go up to the last that was written."
        )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
