"""Which label sets there are: a bounded number of each kind, the rest under `other`, for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.export.metrics import OTHER, Group, presentable

if TYPE_CHECKING:
    from tracer_hooks.live.state import State


class Groups:
    """The label sets of one kind, in the order in which they were first seen."""

    def __init__(self, kind: Group, most: int, state: State) -> None:
        self.kind, self._most, self._state = kind, most, state
        self.born = state.groups(kind.name)
        self._rest = (OTHER,) * len(kind.labels)
        self._folded: set[tuple[str, ...]] = set()

    @property
    def folded(self) -> int:
        """How many label sets were counted under `other` since the start (at most so many are told
        apart as there may be groups)."""
        return len(self._folded)

    def of(self, values: tuple[str, ...], now: float) -> tuple[str, ...]:
        """The label set that something with these values is counted under."""
        values = tuple(presentable(value) for value in values)
        if values in self.born:
            return values
        if len(self.born) - (self._rest in self.born) >= self._most:
            if len(self._folded) < self._most:
                self._folded.add(values)
            values = self._rest
            if values in self.born:
                return values
        self.born[values] = now
        self._state.add_group(self.kind.name, values, now)
        return values
