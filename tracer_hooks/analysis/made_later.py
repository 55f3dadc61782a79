"""Results whose large frames are made when they are first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from tracer_hooks.analysis.tables import Relations


class MadeLater:
    """A result with frames that are cached properties, made of relations that it holds."""

    def make(self) -> None:
        """Make all of them now, for whoever keeps the result: the store may change, or go."""
        for name in dir(type(self)):
            if isinstance(getattr(type(self), name), cached_property):
                getattr(self, name)

    def __getstate__(self) -> dict[str, Any]:
        """To copy or pickle: the frames, and no way to the tables."""
        self.make()
        own = vars(self).items()
        return {name: value for name, value in own if not isinstance(value, Relations)}
