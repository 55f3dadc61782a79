"""What stands out, as every page lists it: what the page's opening has not said already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer_hooks.analysis.tables import records
from tracer_hooks.analysis.thresholds import threshold
from tracer_hooks.report.sentences import advice, sentence
from tracer_hooks.report.text import fit
from tracer_hooks.report.verdict_text import dashboard_sentence, step_verdicts

if TYPE_CHECKING:
    from tracer_hooks.analysis.summary import RunReport

_NAME = 40
# Labels that ask for something of a step's author. A core that was not free is the run's affair.
_HELD_BACK = ("cpu_underused", "disk_bound", "network_bound", "memory_bound", "process_churn",
              "idle")  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One fact and what to do about it; `subject` ('' for the run) and `said` are one sentence.
    `kind` is a finding's, or a verdict's label."""

    kind: str
    subject: str
    said: str
    advice: str


def points(report: RunReport) -> list[Point]:
    """In the order of what is at stake; last what verdicts say of steps that no finding is about.

    `report.findings` has all of them, for programs.
    """
    told = _opened(report)
    found = [f for f in report.findings if f.kind not in told]
    listed = [Point(f.kind, *sentence(f), advice(f, report)) for f in found]
    return [*listed, *_verdicts(report, {f.step for f in found if not f.of_run})]


def _opened(report: RunReport) -> set[str]:
    """Kinds of findings of the run that its opening makes plain, with the same advice."""
    told = set()
    if dashboard_sentence(report.dashboard):
        told.add("host_against_tasks")
    if report.verdicts.run["label"] == "cpu_contended":
        told.add("waited_for_core")
    return told


def _verdicts(report: RunReport, known: set[str | None]) -> list[Point]:
    steps = records(report.steps)
    shares = {row["step"]: row["wall_share"] or 0.0 for row in steps}
    return [
        Point(one.label, fit(one.step, _NAME), f" is {one.title}: {one.why}.", one.advice)
        for one in step_verdicts(report, len(steps))
        if one.label in _HELD_BACK
        and one.step not in known
        and shares[one.step] >= threshold("finding_weight")
    ]
