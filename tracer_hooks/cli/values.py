"""Values as JSON holds them, and how a status looks. What is not known is null, never 0."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "lost": "red",
    "cancelled": "yellow",
    "running": "cyan",
}


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: null for what is not known, times in ISO 8601."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) or type(value).__name__ == "ndarray":
        items = [plain(item) for item in value]
        if isinstance(value, list) and items and all(isinstance(i, tuple) for i in value):
            return dict(items)  # pyarrow gives a map as a list of pairs
        return items
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item"):  # a numpy scalar
        return plain(value.item())
    return value


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dicts of values that JSON can hold."""
    names = [str(name) for name in frame.columns]
    rows = frame.itertuples(index=False, name=None)
    return [{n: plain(v) for n, v in zip(names, row, strict=True)} for row in rows]


def status_style(status: str | None) -> str:
    """The colour of a status on a terminal."""
    return _STYLES.get(status or "", "")
