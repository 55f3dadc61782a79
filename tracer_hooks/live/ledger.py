"""The counters: what ended is in the state's file, what runs is added when they are read."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

from tracer_hooks.export.metrics import metric_table
from tracer_hooks.live.amounts import (
    Amounts,
    ended_amounts,
    observation,
    running_amounts,
    tool_amounts,
)
from tracer_hooks.live.attempt import Attempt, number
from tracer_hooks.live.groups import Groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracer_hooks.alert.rules import Measure
    from tracer_hooks.live.cost import Prices
    from tracer_hooks.live.state import State

# (kind of group, its label values, metric, the metric's own label values)
Series = tuple[str, tuple[str, ...], str, tuple[str, ...]]
STATUSES = ("succeeded", "failed", "cancelled", "lost")


class Ledger:
    """Counts attempts and runs, each once. Calls come from one thread."""

    def __init__(
        self, state: State, prices: Prices, measure: Measure, most: Mapping[str, int] | None = None
    ) -> None:
        """`most`: how many label sets of a kind there may be, where that is not as in the table."""
        self._state, self._prices, self._measure = state, prices, measure
        kinds = metric_table().groups
        self.groups = {
            name: Groups(kind, (most or {}).get(name, kind.most), state)
            for name, kind in kinds.items()
            if kind.labels
        }
        self.committed = {_series(text): value for text, value in state.counters().items()}
        self.histories = state.histories()
        self.run_costs = state.run_costs()

    # --- counting --------------------------------------------------------------------------------
    def ended(self, attempt: Attempt, tools: Iterable[Mapping[str, Any]], now: float) -> bool:
        """An attempt is over; False if it was counted before."""
        if self._state.counted(attempt.run_id, attempt.stem):
            return False
        cost = self._cost(attempt, now)
        self._add("step", self.group_of(attempt, now), running_amounts(attempt))
        self._add("step", self.group_of(attempt, now), ended_amounts(attempt, cost))
        for tool, amounts in tool_amounts(tools).items():
            values = (attempt.pipeline, attempt.step, tool)
            self._add("tool", self.groups["tool"].of(values, now), amounts)
        if attempt.status == "succeeded":
            self._remember(attempt)
        if cost is not None:
            key = (attempt.run_id, cost.currency)
            self.run_costs[key] = self.run_costs.get(key, 0.0) + cost.allocated
            self._state.add_run_cost(*key, cost.allocated)
        self._state.count(attempt.run_id, attempt.stem)
        return True

    def run_ended(
        self,
        run_id: str,
        stem: str,
        labels: tuple[str, str],
        status: str,
        wall_s: float | None,
        now: float,
    ) -> bool:
        """A run's record was closed; False if it was counted before."""
        if self._state.counted(run_id, stem):
            return False
        amounts: Amounts = {("tracer_run_total", (status if status in STATUSES else "lost",)): 1.0}
        if wall_s is not None:
            amounts |= observation("tracer_run_duration_seconds", wall_s)
        self._add("run", self.groups["run"].of(labels, now), amounts)
        self._state.count(run_id, stem)
        return True

    def forget_run(self, run_id: str) -> None:
        """What a run cost so far is of no interest any more."""
        for key in [key for key in self.run_costs if key[0] == run_id]:
            del self.run_costs[key]
            self._state.forget_run(run_id)

    def skip(self, attempt: Attempt) -> None:
        """It ended before anybody counted: it is not to be counted."""
        self._state.count(attempt.run_id, attempt.stem)
        if attempt.status == "succeeded":
            self._remember(attempt)

    # --- reading ---------------------------------------------------------------------------------
    def group_of(self, attempt: Attempt, now: float) -> tuple[str, ...]:
        """The label set of its step."""
        values = (attempt.pipeline, attempt.step, attempt.engine, attempt.host)
        return self.groups["step"].of(values, now)

    def counters(self, running: Iterable[Attempt], now: float) -> dict[Series, float]:
        """Every counter, with what the running attempts have added so far."""
        found = dict(self.committed)
        for attempt in running:
            group = self.group_of(attempt, now)
            for (metric, own), amount in running_amounts(attempt).items():
                key = ("step", group, metric, own)
                found[key] = found.get(key, 0.0) + amount
        return found

    def cost_so_far(self, attempt: Attempt, now: float) -> tuple[str, float] | None:
        """Currency and amount of an attempt that runs."""
        cost = self._cost(attempt, now)
        return None if cost is None else (cost.currency, cost.allocated)

    def slowness(self, attempt: Attempt, now: float) -> float | None:
        """By how many standard deviations it exceeds what its step took before."""
        past = self.histories.get((attempt.pipeline, attempt.step), [])
        elapsed = attempt.elapsed_s(now)
        if len(past) < self._measure.history_least or elapsed is None:
            return None
        mean = sum(past) / len(past)
        deviation = max(statistics.stdev(past, mean), self._measure.history_floor * mean, 1e-3)
        return max(0.0, (elapsed - mean) / deviation)

    def _cost(self, attempt: Attempt, now: float) -> Any:
        row = attempt.sealed or attempt.last
        lasted = number(row.get("wall_s", row.get("elapsed_s")))
        if attempt.sealed is None and lasted is None:
            lasted = attempt.elapsed_s(now)
        return self._prices.of(attempt, row, lasted)

    def _remember(self, attempt: Attempt) -> None:
        seconds = number((attempt.sealed or {}).get("wall_s"))
        if seconds is None:
            return
        step = (attempt.pipeline, attempt.step)
        past = [*self.histories.get(step, []), round(seconds, 3)][-self._measure.history_most :]
        self.histories[step] = past
        self._state.set_history(step, past)

    def _add(self, kind: str, group: tuple[str, ...], amounts: Amounts) -> None:
        for (metric, own), amount in amounts.items():
            key = (kind, group, metric, own)
            self.committed[key] = self.committed.get(key, 0.0) + amount
        self._state.add(
            (_text((kind, group, m, own)), amount) for (m, own), amount in amounts.items()
        )


def _text(series: Series) -> str:
    return json.dumps(series, ensure_ascii=False)


def _series(text: str) -> Series:
    kind, group, metric, own = json.loads(text)
    return kind, tuple(group), metric, tuple(own)
