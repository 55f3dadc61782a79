"""The verdict of a run: what most of its critical path says, beside what most of all time says."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis.tables import records
from tracer_hooks.analysis.thresholds import threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


def run_verdict(path: pd.DataFrame, labelled: list[dict[str, Any]]) -> dict[str, Any]:
    """`label`, `confidence`, `step` and `evidence` of a run.

    `path`: the critical path with labels; `labelled`: wall time by step and label. The label is
    that of more than half of the path's time: time in no attempt counts as `idle` (the engine, a
    queue), with `between_share` in the evidence. Else it is `uncertain`.
    """
    rows = records(path)
    seconds: dict[str, float] = defaultdict(float)
    sure: dict[str, float] = defaultdict(float)
    steps: dict[str | None, float] = defaultdict(float)
    between_s = 0.0
    for row in rows:  # sums over one frame, already in memory
        wall = row["wall_s"] or 0.0
        label = row["label"] or "uncertain"
        seconds[label] += wall
        sure[label] += wall * (row["confidence"] or 0.0)
        steps[row["step"]] += wall
        between_s += row["wait_before_s"] or 0.0
    in_attempts = sum(seconds.values())
    whole = in_attempts + between_s
    totals: dict[str, float] = defaultdict(float)
    for row in labelled:
        totals[row["label"]] += row["wall_s"]
    if between_s > 0:
        seconds["idle"] += between_s
        sure["idle"] += between_s * threshold("confidence_most")
    label, share = _most(seconds, whole)
    said = label if label and share and share > 0.5 else "uncertain"
    step, step_share = _most(steps, whole)
    sum_label, sum_share = _most(totals, sum(totals.values()))
    return {
        "label": said,
        "confidence": (sure[said] / seconds[said] * share
                       if said == label and share and seconds[said] else 0.0),
        "step": step,
        "evidence": {
            "path_s": whole if rows else None,
            "path_attempt_count": len(rows),
            "path_task_count": len({row["task_id"] for row in rows}),
            "label_share": share,
            "largest_label": label,
            "label_s": dict(sorted(seconds.items(), key=lambda item: (-item[1], item[0]))),
            "step_share": step_share,
            "step_label": _step_label(labelled, step) if rows else None,
            "between_s": between_s if rows else None,
            "between_share": between_s / whole if whole else None,
            "sum_label": sum_label,
            "sum_share": sum_share,
        },
    }  # fmt: skip


def _most(amounts: Mapping[Any, float], whole: float) -> tuple[Any, float | None]:
    if not amounts:
        return None, None
    name = min(amounts, key=lambda one: (-amounts[one], str(one)))
    return name, amounts[name] / whole if whole else None


def _step_label(labelled: list[dict[str, Any]], step: str | None) -> str | None:
    """What most of the time of the step that dominates the path says."""
    return next((row["label"] for row in labelled if row["step"] == step), None)
