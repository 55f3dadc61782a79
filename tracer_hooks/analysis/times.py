"""Times as numbers, alike on every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir


def epoch_s(at: ir.TimestampValue) -> ir.FloatingValue:
    """Seconds since 1970 to the microsecond; whole seconds alone are rounded by some backends."""
    return at.truncate("s").epoch_seconds() + at.microsecond() / 1e6
