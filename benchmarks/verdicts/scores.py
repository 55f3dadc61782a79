"""What tasks were called against what they are: a line each, and the confusion matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workloads import Workload

IO_BOUND = ("disk_bound", "network_bound")
DISTURBED_CORES = 0.3
_NEED_CORES = ("cpu_bound", "cpu_underused", "uncertain")
_PARTS = ("cpu", "runnable", "disk", "network", "idle")


@dataclass(frozen=True)
class Outcome:
    """One task; `task` is its row of the report, None where it was `skipped` or came to grief in an
    `error`, which say why."""

    workload: Workload
    task: dict[str, Any] | None
    skipped: str | None = None
    error: str | None = None
    others: float | None = None  # cores that other programs kept busy meanwhile

    @property
    def called(self) -> str | None:
        return self.task["verdict"]["label"] if self.task and self.task["verdict"] else None

    @property
    def disturbed(self) -> bool:
        """Whether others took so much of the host that the task was not what its label says: who
        competes for cores is contended."""
        return self.workload.label in _NEED_CORES and (self.others or 0.0) > DISTURBED_CORES

    @property
    def good(self) -> bool | None:
        """Whether it was called what it is; None if that cannot be said."""
        if self.error:
            return False
        if self.task is None or self.disturbed:
            return None
        return self.called == self.workload.label

    def line(self) -> str:
        """The outcome in a line."""
        name = f"{self.workload.label}/{self.workload.name}"
        if self.task is None:
            return f"{'BAD ' if self.error else 'skip'}  {name:<36} {self.error or self.skipped}"
        verdict = self.task["verdict"] or {"confidence": 0.0}
        good = {True: "ok  ", False: "BAD ", None: "busy"}[self.good]
        wall = self.task["wall_s"] or 0.0
        shares = " ".join(
            f"{part} {100 * (self.task[f'wall_{part}_s'] or 0.0) / wall:3.0f}" for part in _PARTS
        )
        noise = f"  (others: {self.others:.1f} cores)" if self.disturbed else ""
        return (
            f"{good}  {name:<36} {self.called!s:<14} {verdict['confidence']:.2f}  {shares}{noise}"
        )

    def row(self) -> dict[str, Any]:
        """For machines: what it is, what it was called, and the figures behind that."""
        row: dict[str, Any] = {"name": self.workload.name, "label": self.workload.label,
                               "control": self.workload.control, "called": self.called,
                               "skipped": self.skipped, "error": self.error,
                               "others_cores": self.others}  # fmt: skip
        if self.task is not None:
            row |= {key: self.task[key] for key in self.task if key not in ("command", "tags")}
        return row


def show(outcomes: Sequence[Outcome]) -> None:
    """Print the confusion matrix: a row for each true label, a column for each given one."""
    ran = [outcome for outcome in outcomes if outcome.task and not outcome.disturbed]
    pairs = Counter((o.workload.label, o.called or "none") for o in ran)
    labels = sorted({label for pair in pairs for label in pair})
    width = max((len(label) for label in labels), default=0)
    print("\nwhat it is, by what it was called")
    print(" " * width, *(f"{label:>{len(label)}}" for label in labels), sep="  ")
    for label in labels:
        cells = (f"{pairs[label, called] or '.':>{len(called)}}" for called in labels)
        print(f"{label:<{width}}", *cells, sep="  ")
    right = sum(o.called == o.workload.label for o in ran)
    # These whatever the noise.
    controls = [o for o in outcomes if o.task and o.workload.control]
    blamed = sum(o.called in IO_BOUND for o in controls)
    disturbed = sum(o.disturbed for o in outcomes)
    print(f"\n{right} of {len(ran)} right; {blamed} of {len(controls)} controls called I/O-bound;"
          f" {sum(bool(o.skipped) for o in outcomes)} skipped,"
          f" {sum(bool(o.error) for o in outcomes)} failed,"
          f" {disturbed} left out because others kept the host busy")  # fmt: skip
