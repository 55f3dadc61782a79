"""The store: spools become Parquet, and Parquet is read (DESIGN 6).

What is named here is imported when it is first asked for: who only follows spools needs no pyarrow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracer_hooks.store.ingest import IngestResult
    from tracer_hooks.store.schema import SCHEMA_VERSION, TABLES
    from tracer_hooks.store.store import Store, StoreWarning

__all__ = ["SCHEMA_VERSION", "TABLES", "IngestResult", "Store", "StoreWarning"]

_HOMES = {
    "IngestResult": "ingest",
    "SCHEMA_VERSION": "schema",
    "TABLES": "schema",
    "Store": "store",
    "StoreWarning": "store",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
