"""What the page's script reads: compact columns, as compressed JSON in base64.

Base64 has no sign that HTML knows, so no name in the data can end the element that holds it.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tracer_hooks.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 300


def packed(value: Any) -> str:
    """`value` as JSON, compressed, in base64; the same text for the same value."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate may have come from a file's name.
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)).decode()


def numbers(values: pd.Series[Any] | np.ndarray[Any, Any], digits: int = 3) -> list[Any]:
    """Plain numbers with so many significant digits beyond the point; None for what is missing."""
    array = (
        values.to_numpy(float, na_value=np.nan)
        if isinstance(values, pd.Series)
        else np.asarray(values, dtype=float)
    )
    found = np.round(array, digits).tolist()
    return [None if not math.isfinite(v) else int(v) if v == int(v) else v for v in found]


def texts(values: Iterable[Any]) -> list[str | None]:
    """Names as one line of harmless text; None for what is missing."""
    return [None if not isinstance(value, str) else short(value) for value in values]


def short(value: str) -> str:
    """One line of harmless text; of a very long one the two ends."""
    if len(value) > _LONGEST:
        value = value[: _LONGEST * 2 // 3] + "…" + value[-_LONGEST // 3 :]
    return clean(value)


def words(values: Iterable[Any]) -> dict[str, list[Any]]:
    """A column of few different texts: `names`, and for each row its place there or None."""
    names: dict[str, int] = {}
    rows = [None if text is None else names.setdefault(text, len(names)) for text in texts(values)]
    return {"names": list(names), "rows": rows}
