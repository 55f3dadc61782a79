"""What held an attempt, a step and the run back: one label each, with the numbers that decided.

A verdict rests on what most of the wall time was: computing or ready to compute, the disk, the
network, or nothing. What computes is then looked at more closely. Whatever is not clearly more
than half of the time is `uncertain`: `docs/verdicts.md` has the rules, `thresholds` the limits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.critical_path import by_end, critical_path
from tracer_hooks.analysis.later import ibis
from tracer_hooks.analysis.made_later import MadeLater
from tracer_hooks.analysis.tables import Relations, Tables, records, relations
from tracer_hooks.analysis.verdict_advice import advice
from tracer_hooks.analysis.verdict_inputs import LARGEST, SUMS, inputs
from tracer_hooks.analysis.verdict_rules import EVIDENCE, judged
from tracer_hooks.analysis.verdict_run import run_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir
    import pandas as pd

LABELS = (
    "cpu_bound", "cpu_underused", "cpu_contended", "disk_bound", "network_bound", "memory_bound",
    "process_churn", "idle", "too_short", "uncertain",
)  # fmt: skip


@dataclass(frozen=True)
class Verdicts(MadeLater):
    """The verdicts of one run.

    `tasks` (made when it is first asked for): one row per attempt, in the order of
    `usage.by_attempt`, with `step`, `task_id`, `attempt`, `spool`, `started_at`, `label`,
    `confidence` (0 to 1) and the columns of `EVIDENCE` (shares are of `wall_s`, null where that
    was not measured); `steps`: one row per step likewise, with `label_share`: the share of its
    wall time whose attempts have that label; `critical_path`: see `critical_path`; `run`: a dict
    `label`, `confidence`, `step` (which dominates the critical path; null for none) and `evidence`.
    """

    steps: pd.DataFrame
    critical_path: pd.DataFrame
    run: Mapping[str, Any]
    relations: Relations = field(repr=False)

    @cached_property
    def tasks(self) -> pd.DataFrame:
        """See above."""
        return self.relations.frame(_by_attempt)

    def verdict(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of `tasks` or `steps` (see `records`) as `{label, confidence, evidence, advice}`:
        plain values; what was not measured is left out of the evidence."""
        evidence = {name: row[name] for name in EVIDENCE if row.get(name) is not None}
        return {
            "label": row["label"],
            "confidence": row["confidence"],
            "evidence": evidence,
            "advice": advice(row["label"], evidence),
        }


def verdicts(tables: Tables) -> Verdicts:
    """The verdicts of all attempts in the tables (of one run), of its steps, and of the run."""
    t = relations(tables)
    path = critical_path(t.frame(_by_end))
    run = run_verdict(path, records(t.frame(_by_label)))
    return Verdicts(t.frame(_by_step), path, run, t)


def of_attempts(t: Relations) -> ir.Table:
    """One row per attempt: its key, `step`, `label`, `confidence`, the evidence and its inputs."""
    # For the label of a step, and that of the run: computed once.
    return t.derived("verdicts", _of_attempts)


def _of_attempts(t: Relations) -> ir.Table:
    return judged(inputs(t))


def _by_attempt(t: Relations) -> ir.Table:
    key = ["step", "task_id", "attempt", "spool", "started_at"]
    rows = of_attempts(t).select(*key, "label", "confidence", *EVIDENCE)
    return rows.order_by("started_at", "task_id", "attempt", "spool")


def _by_end(t: Relations) -> ir.Table:
    return by_end(of_attempts(t))


def _by_label(t: Relations) -> ir.Table:
    """Wall time and attempts by step and label."""
    v = of_attempts(t)
    return v.group_by("step", "label").agg(
        attempt_count=v.count(), wall_s=v.wall_s.sum().fill_null(0.0)
    ).order_by(ibis.desc("wall_s"), "step", "label")  # fmt: skip


def _by_step(t: Relations) -> ir.Table:
    """The label of most of a step's wall time; the evidence is that of the attempts so labelled.

    Where no label has more than half of it the step is `uncertain`, with the evidence of all.
    """
    v = of_attempts(t)
    wall = v.wall_s.fill_null(0.0)
    labelled = v.group_by("step", "label").agg(label_wall_s=wall.sum(), label_count=v.count())
    # Where no wall time is known at all attempts count alike.
    both = [ibis.desc("label_wall_s"), ibis.desc("label_count"), ibis.asc("label")]
    ranked = labelled.mutate(
        place=ibis.row_number().over(group_by="step", order_by=both),
        step_wall_s=labelled.label_wall_s.sum().over(group_by="step"),
        step_count=labelled.label_count.sum().over(group_by="step"),
    )
    first = ranked.filter(ranked.place == 0)
    share = ibis.coalesce(
        first.label_wall_s / first.step_wall_s.nullif(0.0), first.label_count / first.step_count
    )
    chosen = first.select(
        "step", said=first.label, label_share=share, attempt_count=first.step_count
    )
    joined = v.inner_join(chosen, v.step.identical_to(chosen.step)).select(
        v, chosen.said, chosen.label_share, chosen.attempt_count
    )
    most = joined.label_share > 0.5
    told = joined.filter(~most | (joined.label == joined.said))
    weight = told.wall_s.fill_null(0.0)
    summed = told.group_by("step").agg(
        said=ibis.ifelse(told.label_share > 0.5, told.said, "uncertain").max(),
        label_share=told.label_share.max(),
        attempt_count=told.attempt_count.max(),
        sure=(told.confidence * weight).sum() / weight.sum().nullif(0.0),
        sure_alike=told.confidence.mean(),
        **{name: told[name].sum() for name in SUMS},
        **{name: told[name].max() for name in LARGEST},
    )
    again = judged(summed)
    mostly_elsewhere = again.elsewhere_count * 2 > again.attempt_count
    return again.select(
        "step", "attempt_count", "label_share",
        label=again.said,
        # Sure of the attempts, and of their being most of the step.
        confidence=ibis.coalesce(again.sure, again.sure_alike) * again.label_share,
        **{name: again[name] for name in EVIDENCE if name != "reason"},
        reason=ibis.cases(
            ((again.said == "uncertain") & (again.label_share > 0.5), again.reason),
            (again.said == "uncertain", "mixed_attempts"),
            ((again.said == "too_short") & mostly_elsewhere, "elsewhere"),
            else_=ibis.null("string"),
        ),
    ).order_by("step")  # fmt: skip
