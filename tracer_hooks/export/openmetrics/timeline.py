"""Figures over time on a grid of moments that all series share."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tracer_hooks.export.metrics import OTHER, metric_table, presentable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer_hooks.export.metrics import Labels

STEP_S = 15.0

Group = tuple[str, tuple[str, ...]]  # its kind, and its label values


class Span(NamedTuple):
    """Something that lasted: the last grid point before it, and the first at which it was over."""

    before: int
    over: int


class Series(NamedTuple):
    """A series of a metric. `name` has the suffix of a part (`_sum`, `_bucket`, …) if it is one."""

    name: str
    labels: Labels
    at_s: np.ndarray
    values: np.ndarray


class Timeline:
    """Adds up what many attempts contribute to the series of their groups.

    A group's series have a point wherever something of it went on, from just before until just
    after, so that every increase has a point on either side, and every gauge ends at 0.
    """

    def __init__(self, step_s: float = STEP_S) -> None:
        self._step_s = step_s
        self._spans: defaultdict[Group, set[Span]] = defaultdict(set)
        # By group, then by name and the metric's own labels: grid points and what is added there.
        self._parts: defaultdict[
            Group, dict[tuple[str, Labels], list[tuple[np.ndarray, np.ndarray]]]
        ]
        self._parts = defaultdict(lambda: defaultdict(list))

    def span(self, group: Group, start_s: float, end_s: float) -> Span:
        """Make the group's series known from `start_s` to `end_s` (UNIX time)."""
        before = math.ceil(start_s / self._step_s) - 1
        over = max(before + 1, math.ceil(end_s / self._step_s))
        span = Span(before, over)
        self._spans[group].add(span)
        return span

    def group(self, kind: str, *values: str | None) -> Group:
        """The group with these label values; `other` if there are too many of its kind."""
        found = (kind, tuple(presentable(value or "") for value in values))
        if found not in self._spans:
            most = metric_table().groups[kind].most
            if sum(known == kind for known, _ in self._spans) >= most:
                return kind, (OTHER,) * len(values)
        return found

    def add(self, group: Group, name: str, amount: float, at: int, own: Labels = ()) -> None:
        """A counter grows by `amount` at grid point `at`."""
        self._parts[group][name, own].append((np.array([at]), np.array([amount])))

    def add_course(
        self, group: Group, name: str, span: Span, at_s: np.ndarray, total: np.ndarray, own: Labels
    ) -> None:
        """A counter grows as `total` did at the moments `at_s`, within `span`."""
        grid = np.arange(span.before, span.over + 1)
        course = np.interp(grid * self._step_s, at_s, total, left=0.0)
        course[0], course[-1] = 0.0, total[-1]
        self._parts[group][name, own].append((grid[1:], np.diff(np.maximum.accumulate(course))))

    def add_level(
        self, group: Group, name: str, span: Span, value: float | np.ndarray, own: Labels = ()
    ) -> None:
        """A gauge is higher by `value` while `span` lasts; one value, or one per grid point."""
        grid = np.arange(span.before + 1, span.over)
        rise = np.broadcast_to(np.asarray(value, float), grid.shape)
        self._parts[group][name, own].append((grid, rise))

    def grid_s(self, span: Span) -> np.ndarray:
        """The moments at which `add_level` has values."""
        return np.arange(span.before + 1, span.over) * self._step_s

    def series(self, kind: str, name: str, *, counter: bool) -> Iterator[Series]:
        """Every series of this name, by group, its points in order of time."""
        names = metric_table().groups[kind].labels
        for group, parts in self._parts.items():
            if group[0] != kind:
                continue
            labels = tuple(zip(names, group[1], strict=True))
            for (of, own), pieces in parts.items():
                if of == name:
                    grid = self._grid(group)
                    yield Series(
                        name, (*labels, *own), grid * self._step_s, _summed(grid, pieces, counter)
                    )

    def _grid(self, group: Group) -> np.ndarray:
        pieces = [np.arange(span.before, span.over + 2) for span in self._spans[group]]
        return np.unique(np.concatenate(pieces))


def _summed(
    grid: np.ndarray, pieces: list[tuple[np.ndarray, np.ndarray]], counter: bool
) -> np.ndarray:
    places = np.searchsorted(grid, np.concatenate([at for at, _ in pieces]))
    amounts = np.concatenate([amount for _, amount in pieces])
    sums = np.bincount(places, weights=amounts, minlength=len(grid))
    return np.cumsum(sums) if counter else sums
