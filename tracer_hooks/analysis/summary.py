"""Everything a report needs of one run, in one object."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis import signals, usage
from tracer_hooks.analysis.cost import CostReport, cost
from tracer_hooks.analysis.coverage import coverage
from tracer_hooks.analysis.dashboard import dashboard
from tracer_hooks.analysis.failures import Failures, failures
from tracer_hooks.analysis.findings import Finding, Measured, findings
from tracer_hooks.analysis.made_later import MadeLater
from tracer_hooks.analysis.tables import Relations, Tables, records, relations
from tracer_hooks.analysis.verdicts import Verdicts, verdicts
from tracer_hooks.store.runs import TASK_COLUMNS, derive
from tracer_hooks.store.schema import TABLES

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import ibis.expr.types as ir
    import pandas as pd

    from tracer_hooks.analysis.carbon import Assumptions
    from tracer_hooks.analysis.detail import RunDetail
    from tracer_hooks.prices.rates import Pricing

COSTLIEST = 10


@dataclass(frozen=True)
class RunReport:
    """One run, analysed. Frames are as the functions of `usage` describe them.

    `run`: who and when (the columns of `runs`, completed from the tasks where the engine said
    nothing); `totals` and `coverage`: plain dicts; `tasks`: one row per attempt; `by_task`: one
    row per task; `costliest`: the first of these rows (the three are made when they are first
    asked for); `hosts`: what the whole hosts did meanwhile; `verdicts`: what held each back;
    `dashboard`: what the hosts showed beside what the tasks did; `detail`: what `with_detail`
    added; `failures`: see `analysis.failures`, None where no attempt went wrong; `cost`: see
    `analysis.cost`, None where nobody asked; `store`: which was named, None if it is the default.
    """

    run: Mapping[str, Any]
    totals: Mapping[str, Any]
    steps: pd.DataFrame
    tools: pd.DataFrame
    findings: tuple[Finding, ...]
    coverage: Mapping[str, Any]
    hosts: Mapping[str, Any]
    verdicts: Verdicts
    dashboard: Mapping[str, Any]
    frames: Frames = field(repr=False)
    detail: RunDetail | None = None
    failures: Failures | None = None
    cost: CostReport | None = None
    store: str | os.PathLike[str] | None = None

    def make(self) -> None:
        """Make all frames now, for whoever keeps the report: the store may change, or go."""
        for part in (self.frames, self.verdicts, self.failures, self.cost):
            if part is not None:
                part.make()

    @property
    def tasks(self) -> pd.DataFrame:
        """See above."""
        return self.frames.tasks

    @property
    def by_task(self) -> pd.DataFrame:
        """See above."""
        return self.frames.by_task

    @property
    def costliest(self) -> pd.DataFrame:
        """See above."""
        return self.frames.costliest


@dataclass(frozen=True)
class Frames(MadeLater):
    """The large frames of a report, which not every renderer shows."""

    relations: Relations

    @cached_property
    def tasks(self) -> pd.DataFrame:
        """See `usage.by_attempt`."""
        return usage.by_attempt(self.relations)

    @cached_property
    def by_task(self) -> pd.DataFrame:
        """See `usage.by_task`."""
        return usage.by_task(self.relations)

    @cached_property
    def costliest(self) -> pd.DataFrame:
        """See `usage.by_task`."""
        return usage.by_task(self.relations, COSTLIEST)


def summarise(
    tables: Tables,
    run_id: str,
    pricing: Pricing | None = None,
    assumptions: Assumptions | None = None,
    *,
    store: str | os.PathLike[str] | None = None,
) -> RunReport:
    """Analyse the run `run_id`; tables that hold other runs too are fine. With `pricing` the report
    says what it cost, with `assumptions` also how much energy it took."""
    t = relations(tables, run_id)
    steps = usage.by_step(t)
    measured = measure(t, steps)
    # First what reads many rows: what it took is free again for the frames, which stay.
    aside = dashboard(t, of_run=measured.totals, of_hosts=measured.hosts)
    judged = verdicts(t)
    said = records(judged.steps[["step", "label", "reason"]])
    # Where the work ran elsewhere, that the task waited is no finding.
    labels = {
        row["step"]: "elsewhere" if row["reason"] == "elsewhere" else row["label"] for row in said
    }
    return RunReport(
        run=run_facts(t, run_id),
        totals=measured.totals,
        steps=steps,
        tools=usage.by_tool(t),
        findings=findings(measured, labels),
        coverage=measured.coverage,
        hosts=measured.hosts,
        verdicts=judged,
        dashboard=aside,
        frames=Frames(t),
        failures=failures(t) if measured.failures else None,
        cost=cost(t, pricing, run_id, assumptions) if pricing else None,
        store=store,
    )


def measure(tables: Tables, steps: pd.DataFrame | None = None) -> Measured:
    """What findings are made from; `steps` is `usage.by_step` of the same tables."""
    t = relations(tables)
    return Measured(
        totals=usage.totals(t),
        steps=records(usage.by_step(t) if steps is None else steps),
        tools_of_steps=records(signals.short_helpers(t)),
        failures=records(signals.failures(t)),
        hosts=signals.hosts(t),
        coverage=coverage(t),
    )


def run_facts(tables: Tables, run_id: str) -> dict[str, Any]:
    """The columns of `runs` for one run, `run_id` first, as `store.runs.derive` has them: what the
    list of runs says of a run, a report says too."""
    t = relations(tables, run_id)
    rows = derive(t.arrow(_records), t.arrow(_listed)).to_pylist(maps_as_pydicts="lossy")
    found: dict[str, Any] = next((row for row in rows if row["run_id"] == run_id), {})
    names = [name for name in TABLES["runs"].names if name != "spool"]
    return {"run_id": run_id, **{name: found.get(name) for name in names}}


def _records(t: Relations) -> ir.Table:
    return t["runs"].drop("spool")


def _listed(t: Relations) -> ir.Table:
    return t["tasks"].select("run_id", *TASK_COLUMNS)
