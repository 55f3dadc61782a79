"""How every report begins: which run, how it went, its first figures, what held it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer_hooks.report.headline import facts, outcome, title
from tracer_hooks.report.verdict_text import dashboard_sentence, run_sentences

if TYPE_CHECKING:
    from tracer_hooks.analysis.summary import RunReport


@dataclass(frozen=True)
class Opening:
    """The first lines, for a renderer to set."""

    name: str
    engine: str  # '' where it is not known
    status: str
    outcome: str
    facts: list[tuple[str, str]]  # a figure, and what it is
    said: list[str]  # what held it back, and what a dashboard showed: sentences, as far as known

    @property
    def subtitle(self) -> str:
        """What else names the run, in one line."""
        return " · ".join(part for part in (self.engine, self.outcome) if part)


def opening(report: RunReport) -> Opening:
    """The first lines of a report."""
    name, engine = title(report)
    return Opening(
        name=name,
        engine=" ".join(engine),
        status=report.run["status"] or "status unknown",
        outcome=outcome(report),
        facts=facts(report),
        said=[*run_sentences(report), *filter(None, [dashboard_sentence(report.dashboard)])],
    )
