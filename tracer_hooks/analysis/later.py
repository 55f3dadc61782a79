"""Ibis, imported when it is first used.

With every query recalled (see `compiled`) it is not needed, and importing it takes longer than to
answer most of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis as ibis
else:

    class _Later:
        def __getattr__(self, name: str) -> Any:
            found = getattr(import_module("ibis"), name)
            setattr(self, name, found)
            return found

    ibis = _Later()
